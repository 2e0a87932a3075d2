// Convolution in two dimensions: columns for the matrix product and back, and direct kernels for depthwise and small
// convolutions. x (N, C, H, W), w (O, C/groups, KH, KW), y (N, O, OH, OW). All sums are in a fixed order.

#include "windows.cuh"

// The columns of the matrix product: entry (image, c, k, m, place) lies at image * image_step + (c, k, m) * row_step +
// place, so that images are a batch of matrices or all in one. n: images * C * OH * OW; a thread does all taps of one.
extern "C" __global__ void im2col(const REAL* __restrict__ x, REAL* __restrict__ columns, i64 n, i64 image_step,
                                  i64 row_step, Divisor channels, Windows s) {
    int window = s.rows.taps * s.columns.taps;
    for (i64 i = first_index(); i < n; i += grid_size()) {
        Element e((u32)i, s.rows.by_places, s.columns.by_places);
        u32 c, image = channels.divide(e.plane, c);
        const REAL* from = x + (i64)e.plane * s.rows.size * s.columns.size;
        REAL* to = columns + image * image_step + (i64)c * window * row_step + (e.row * s.columns.places + e.column);
        int top = s.rows.start(e.row), left = s.columns.start(e.column);
        for (int k = 0, h = top; k < s.rows.taps; ++k, h += s.rows.dilation) {
            bool row_inside = 0 <= h && h < s.rows.size;
            for (int m = 0, w = left; m < s.columns.taps; ++m, w += s.columns.dilation, to += row_step)
                *to = row_inside && 0 <= w && w < s.columns.size ? from[h * s.columns.size + w] : REAL(ACC(0));
        }
    }
}

// im2col's transpose: every element of dx (images, C, H, W) adds up what is its own in the columns. n: its groups.
extern "C" __global__ void col2im(const REAL* __restrict__ columns, REAL* __restrict__ dx, i64 n, i64 image_step,
                                  i64 row_step, Divisor channels, Windows s) {
    int window = s.rows.taps * s.columns.taps;
    gather(dx, n, s, [=](u32 plane) {
        u32 c, image = channels.divide(plane, c);
        return [=, from = columns + image * image_step + (i64)c * window * row_step](int place) {
            return [=](int tap) { return (ACC)from[tap * row_step + place]; };
        };
    });
}

// ---- direct kernels: no columns, no product; one launch ----

// Sums a window; KH_ and KW_ are its size where the compiler shall know it, else 0.
template <int KH_, int KW_>
__device__ __forceinline__ ACC window_sum(const REAL* __restrict__ x, const REAL* __restrict__ w, int channels,
                                          const Windows& s, int top, int left) {
    int KH = KH_ ? KH_ : s.rows.taps, KW = KW_ ? KW_ : s.columns.taps;
    ACC sum = 0;
    for (int c = 0; c < channels; ++c, x += (i64)s.rows.size * s.columns.size) {
#pragma unroll
        for (int k = 0; k < KH; ++k) {
            int h = top + k * s.rows.dilation;
            bool row_inside = 0 <= h && h < s.rows.size;
#pragma unroll
            for (int m = 0; m < KW; ++m, ++w) {
                int at = left + m * s.columns.dilation;
                if (row_inside && 0 <= at && at < s.columns.size) sum += (ACC)x[h * s.columns.size + at] * (ACC)*w;
            }
        }
    }
    return sum;
}

// y, one element a thread. CG: channels of a group of x; outputs, of_group: channels of y, of a group of y.
extern "C" __global__ void conv2d_direct(const REAL* __restrict__ x, const REAL* __restrict__ w, REAL* __restrict__ y,
                                         i64 n, int CG, Divisor outputs, Divisor of_group, Windows s) {
    int KH = s.rows.taps, KW = s.columns.taps;
    for (i64 i = first_index(); i < n; i += grid_size()) {
        Element e((u32)i, s.rows.by_places, s.columns.by_places);
        u32 o;
        outputs.divide(e.plane, o);
        const REAL* from = x + (i64)of_group.quotient(e.plane) * CG * s.rows.size * s.columns.size;
        const REAL* weights = w + (i64)o * CG * KH * KW;
        int top = s.rows.start(e.row), left = s.columns.start(e.column);
        ACC sum = KH == 3 && KW == 3   ? window_sum<3, 3>(from, weights, CG, s, top, left)
                  : KH == 5 && KW == 5 ? window_sum<5, 5>(from, weights, CG, s, top, left)
                                       : window_sum<0, 0>(from, weights, CG, s, top, left);
        y[i] = REAL(sum);
    }
}

// dx, over the channels of its group's y and the taps that saw it. OG: channels of a group of y; inputs, of_group:
// channels of dx, of a group of dx. n: groups of elements in dx.
extern "C" __global__ void conv2d_input_grad_direct(const REAL* __restrict__ g, const REAL* __restrict__ w,
                                                    REAL* __restrict__ dx, i64 n, int OG, Divisor inputs,
                                                    Divisor of_group, Windows s) {
    int window = s.rows.taps * s.columns.taps, places = s.rows.places * s.columns.places;
    gather(dx, n, s, [=](u32 plane) {
        u32 channel, c;
        inputs.divide(plane, channel);
        u32 group = of_group.divide(channel, c);
        const REAL* from = g + (i64)of_group.quotient(plane) * OG * places;
        const REAL* weights = w + ((i64)group * OG * of_group.by + c) * window;
        return [=](int place) {
            return [=](int tap) {
                ACC sum = 0;
                for (int o = 0; o < OG; ++o)
                    sum += (ACC)from[(i64)o * places + place] * (ACC)weights[(i64)o * of_group.by * window + tap];
                return sum;
            };
        };
    });
}

// dw, one element a block, which shares the images and places. Neighbouring blocks are taps of the same channel: what
// one reads, the next finds in the cache.
extern "C" __global__ void conv2d_weight_grad_direct(const REAL* __restrict__ g, const REAL* __restrict__ x,
                                                     REAL* __restrict__ dw, int N, int CG, int OG, int groups,
                                                     Windows s) {
    __shared__ ACC scratch[33];
    int KH = s.rows.taps, KW = s.columns.taps, H = s.rows.size, W = s.columns.size;
    int OH = s.rows.places, OW = s.columns.places;
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
    int down = k * s.rows.dilation - s.rows.padding, right = m * s.columns.dilation - s.columns.padding;
    ACC sum = 0;
    while (image < N) {
        int h = oh * s.rows.stride + down, w = ow * s.columns.stride + right;
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
