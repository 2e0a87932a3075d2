// Convolution in two dimensions: columns for the matrix product and back, and direct kernels for depthwise and small
// convolutions. x (N, C, H, W), w (O, C/groups, KH, KW), y (N, O, OH, OW). All sums are in a fixed order.

// The columns of the matrix product: entry (image, c, k, m, place) lies at image * image_step + (c, k, m) * row_step +
// place, so that images are a batch of matrices or all in one. n: images * C * OH * OW; a thread does all taps of one.
extern "C" __global__ void im2col(const REAL* __restrict__ x, REAL* __restrict__ columns, i64 n, i64 image_step,
                                  i64 row_step, int C, int H, int W, int OH, int OW, int KH, int KW, int SH, int SW,
                                  int PH, int PW, int DH, int DW) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        u32 rest = (u32)i / OW;
        int ow = (u32)i - rest * OW;
        u32 plane = rest / OH;
        int oh = rest - plane * OH;
        u32 image = plane / C;
        int c = plane - image * C;
        const REAL* from = x + (i64)plane * H * W;
        REAL* to = columns + image * image_step + (i64)c * KH * KW * row_step + (oh * OW + ow);
        int top = oh * SH - PH, left = ow * SW - PW;
        for (int k = 0; k < KH; ++k) {
            int h = top + k * DH;
            bool row_inside = 0 <= h && h < H;
            for (int m = 0; m < KW; ++m, to += row_step) {
                int w = left + m * DW;
                *to = row_inside && 0 <= w && w < W ? from[(i64)h * W + w] : REAL(ACC(0));
            }
        }
    }
}

// im2col's transpose: every element of dx (images, C, H, W) adds up what is its own in the columns. n: its size.
extern "C" __global__ void col2im(const REAL* __restrict__ columns, REAL* __restrict__ dx, i64 n, i64 image_step,
                                  i64 row_step, int C, int H, int W, int OH, int OW, int KH, int KW, int SH, int SW,
                                  int PH, int PW, int DH, int DW) {
    Taps rows(SH, DH), cols(SW, DW);
    for (i64 i = first_index(); i < n; i += grid_size()) {
        u32 rest = (u32)i / W;
        int w = (u32)i - rest * W;
        u32 plane = rest / H;
        int h = rest - plane * H;
        u32 image = plane / C;
        int c = plane - image * C;
        const REAL* from = columns + image * image_step + (i64)c * KH * KW * row_step;
        int first_oh, first_ow;
        int first_k = rows.first(h + PH, first_oh), first_m = cols.first(w + PW, first_ow);
        ACC sum = 0;
        for (int k = first_k, oh = first_oh; k < KH && oh >= 0; k += rows.tap, oh -= rows.place) {
            if (oh >= OH) continue;
            for (int m = first_m, ow = first_ow; m < KW && ow >= 0; m += cols.tap, ow -= cols.place)
                if (ow < OW) sum += (ACC)from[(k * KW + m) * row_step + oh * OW + ow];
        }
        dx[i] = REAL(sum);
    }
}

// ---- direct kernels: no columns, no product; one launch ----

// Sums a window; KH_ and KW_ are its size where the compiler shall know it, else 0. steps of channels: planes.
template <int KH_, int KW_>
__device__ __forceinline__ ACC window_sum(const REAL* __restrict__ x, const REAL* __restrict__ w, int channels, int H,
                                          int W, int KH, int KW, int DH, int DW, int top, int left) {
    if (KH_) KH = KH_, KW = KW_;
    ACC sum = 0;
    for (int c = 0; c < channels; ++c, x += (i64)H * W) {
#pragma unroll
        for (int k = 0; k < KH; ++k) {
            int h = top + k * DH;
            bool row_inside = 0 <= h && h < H;
#pragma unroll
            for (int m = 0; m < KW; ++m, ++w) {
                int at = left + m * DW;
                if (row_inside && 0 <= at && at < W) sum += (ACC)x[h * W + at] * (ACC)*w;
            }
        }
    }
    return sum;
}

// y, one element a thread. CG, OG: channels of a group, in and out.
extern "C" __global__ void conv2d_direct(const REAL* __restrict__ x, const REAL* __restrict__ w, REAL* __restrict__ y,
                                         i64 n, int CG, int OG, int groups, int H, int W, int OH, int OW, int KH,
                                         int KW, int SH, int SW, int PH, int PW, int DH, int DW) {
    int O = OG * groups;
    for (i64 i = first_index(); i < n; i += grid_size()) {
        u32 rest = (u32)i / OW;
        int ow = (u32)i - rest * OW;
        u32 plane = rest / OH;
        int oh = rest - plane * OH;
        u32 image = plane / O;
        int o = plane - image * O;
        const REAL* from = x + ((i64)image * groups + o / OG) * CG * H * W;
        const REAL* weights = w + (i64)o * CG * KH * KW;
        int top = oh * SH - PH, left = ow * SW - PW;
        ACC sum = KH == 3 && KW == 3   ? window_sum<3, 3>(from, weights, CG, H, W, KH, KW, DH, DW, top, left)
                  : KH == 5 && KW == 5 ? window_sum<5, 5>(from, weights, CG, H, W, KH, KW, DH, DW, top, left)
                                       : window_sum<0, 0>(from, weights, CG, H, W, KH, KW, DH, DW, top, left);
        y[i] = REAL(sum);
    }
}

// dx, one element a thread: over the channels of its group's y and the taps that saw it.
extern "C" __global__ void conv2d_input_grad_direct(const REAL* __restrict__ g, const REAL* __restrict__ w,
                                                    REAL* __restrict__ dx, i64 n, int CG, int OG, int groups, int H,
                                                    int W, int OH, int OW, int KH, int KW, int SH, int SW, int PH,
                                                    int PW, int DH, int DW) {
    Taps rows(SH, DH), cols(SW, DW);
    int C = CG * groups;
    for (i64 i = first_index(); i < n; i += grid_size()) {
        u32 rest = (u32)i / W;
        int at = (u32)i - rest * W;
        u32 plane = rest / H;
        int h = rest - plane * H;
        u32 image = plane / C;
        int c = plane - image * C, group = c / CG;
        const REAL* from = g + ((i64)image * groups + group) * OG * OH * OW;
        const REAL* weights = w + ((i64)group * OG * CG + (c - group * CG)) * KH * KW;
        int first_oh, first_ow;
        int first_k = rows.first(h + PH, first_oh), first_m = cols.first(at + PW, first_ow);
        ACC sum = 0;
        for (int k = first_k, oh = first_oh; k < KH && oh >= 0; k += rows.tap, oh -= rows.place) {
            if (oh >= OH) continue;
            for (int m = first_m, ow = first_ow; m < KW && ow >= 0; m += cols.tap, ow -= cols.place) {
                if (ow >= OW) continue;
                const REAL* place = from + (i64)oh * OW + ow;
                const REAL* tap = weights + k * KW + m;
                for (int o = 0; o < OG; ++o) sum += (ACC)place[(i64)o * OH * OW] * (ACC)tap[(i64)o * CG * KH * KW];
            }
        }
        dx[i] = REAL(sum);
    }
}

// dw, one element a block, which shares the images and places. Neighbouring blocks are taps of the same channel: what
// one reads, the next finds in the cache.
extern "C" __global__ void conv2d_weight_grad_direct(const REAL* __restrict__ g, const REAL* __restrict__ x,
                                                     REAL* __restrict__ dw, int N, int CG, int OG, int groups, int H,
                                                     int W, int OH, int OW, int KH, int KW, int SH, int SW, int PH,
                                                     int PW, int DH, int DW) {
    __shared__ ACC scratch[33];
    u32 rest = blockIdx.x / KW;
    int m = blockIdx.x - rest * KW;
    u32 filter = rest / KH;
    int k = rest - filter * KH;
    int o = filter / CG, c = filter - (u32)o * CG, group = o / OG;
    int places = OH * OW, threads = blockDim.x;
    const REAL* from = x + ((i64)group * CG + c) * H * W;
    const REAL* gradients = g + (i64)o * places;
    i64 x_image = (i64)groups * CG * H * W, g_image = (i64)groups * OG * places;
    // image, oh and ow of a thread's next place, without a division for each: steps with a carry
    int step_image = threads / places, step_oh = threads % places / OW, step_ow = threads % places % OW;
    int image = threadIdx.x / places, oh = threadIdx.x % places / OW, ow = threadIdx.x % places % OW;
    int down = k * DH - PH, right = m * DW - PW;
    ACC sum = 0;
    while (image < N) {
        int h = oh * SH + down, w = ow * SW + right;
        if (0 <= h && h < H && 0 <= w && w < W)
            sum += (ACC)gradients[image * g_image + oh * OW + ow] * (ACC)from[image * x_image + (i64)h * W + w];
        ow += step_ow;
        if (ow >= OW) ow -= OW, ++oh;
        oh += step_oh;
        if (oh >= OH) oh -= OH, ++image;
        image += step_image;
    }
    sum = block_all<Sum>(sum, scratch);
    if (threadIdx.x == 0) dw[blockIdx.x] = REAL(sum);
}
