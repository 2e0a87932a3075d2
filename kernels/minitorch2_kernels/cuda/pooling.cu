// Pooling over windows of (N, C, H, W). Every thread makes whole elements of the result, and adds in the order of the
// taps: the reference's sums, bit for bit, in every run.

#ifndef WINNER  // the type of a tap's number: int where a window has more than 256
#define WINNER unsigned char
#endif

struct Element {  // element i of (planes, rows, columns)
    int row, column;
    i64 plane;
    __device__ __forceinline__ Element(u32 i, int rows, int columns) {
        u32 rest = i / columns;
        column = i - rest * columns;
        plane = rest / rows;
        row = rest - (u32)plane * rows;
    }
};

// y and winner (N, C, OH, OW): the largest of each window, a NaN above all, and the number of the first tap with it.
extern "C" __global__ void max_pool2d(const REAL* __restrict__ x, REAL* __restrict__ y, WINNER* __restrict__ winner,
                                      i64 n, int H, int W, int OH, int OW, int KH, int KW, int SH, int SW, int PH,
                                      int PW, int DH, int DW) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        Element e((u32)i, OH, OW);
        const REAL* plane = x + e.plane * H * W;
        int top = e.row * SH - PH, left = e.column * SW - PW;
        int first_k = top < 0 ? (DH - 1 - top) / DH : 0, first_m = left < 0 ? (DW - 1 - left) / DW : 0;
        ACC best = -INF;
        int won = first_k * KW + first_m;  // it wins where all are the lowest
        for (int k = first_k; k < KH && top + k * DH < H; ++k) {
            const REAL* row = plane + (i64)(top + k * DH) * W;
            for (int m = first_m; m < KW && left + m * DW < W; ++m) {
                ACC v = row[left + m * DW];
                if (v > best || (v != v && best == best)) {
                    best = v;
                    won = k * KW + m;
                }
            }
        }
        y[i] = REAL(best);
        winner[i] = (WINNER)won;
    }
}

// dx (N, C, H, W): the sum of g over the windows that this element won.
extern "C" __global__ void max_pool2d_put(const REAL* __restrict__ g, const WINNER* __restrict__ winner,
                                          REAL* __restrict__ dx, i64 n, int H, int W, int OH, int OW, int KH, int KW,
                                          int SH, int SW, int PH, int PW, int DH, int DW) {
    Taps rows(SH, DH), columns(SW, DW);
    for (i64 i = first_index(); i < n; i += grid_size()) {
        Element e((u32)i, H, W);
        i64 plane = e.plane * OH * OW;
        int first_oh, first_ow;
        int first_k = rows.first(e.row + PH, first_oh), first_m = columns.first(e.column + PW, first_ow);
        ACC sum = 0;
        for (int k = first_k, oh = first_oh; k < KH && oh >= 0; k += rows.tap, oh -= rows.place) {
            if (oh >= OH) continue;
            for (int m = first_m, ow = first_ow; m < KW && ow >= 0; m += columns.tap, ow -= columns.place) {
                if (ow >= OW) continue;
                i64 at = plane + (i64)oh * OW + ow;
                if (winner[at] == k * KW + m) sum += (ACC)g[at];
            }
        }
        dx[i] = REAL(sum);
    }
}

// y (N, C, OH, OW): what x has where the winners stand, 0 where they stand in the padding.
extern "C" __global__ void max_pool2d_pick(const REAL* __restrict__ x, const WINNER* __restrict__ winner,
                                           REAL* __restrict__ y, i64 n, int H, int W, int OH, int OW, int KW, int SH,
                                           int SW, int PH, int PW, int DH, int DW) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        Element e((u32)i, OH, OW);
        int number = winner[i];
        int h = e.row * SH - PH + number / KW * DH, w = e.column * SW - PW + number % KW * DW;
        bool inside = 0 <= h && h < H && 0 <= w && w < W;
        y[i] = inside ? x[e.plane * H * W + (i64)h * W + w] : REAL(ACC(0));
    }
}

// y (N, C, OH, OW): window sums over `divisors` (OH, OW), or where that is null over `divisor`.
extern "C" __global__ void avg_pool2d(const REAL* __restrict__ x, const ACC* __restrict__ divisors, ACC divisor,
                                      REAL* __restrict__ y, i64 n, int H, int W, int OH, int OW, int KH, int KW, int SH,
                                      int SW, int PH, int PW) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        Element e((u32)i, OH, OW);
        const REAL* plane = x + e.plane * H * W;
        int top = e.row * SH - PH, left = e.column * SW - PW;
        int first_row = max(top, 0), last_row = min(top + KH, H), first = max(left, 0), last = min(left + KW, W);
        ACC sum = 0;
        for (int h = first_row; h < last_row; ++h)
            for (int w = first; w < last; ++w) sum += (ACC)plane[(i64)h * W + w];
        y[i] = REAL(sum / (divisors ? divisors[e.row * OW + e.column] : divisor));
    }
}

// dx (N, C, H, W): the sum of the shares that this element's windows give it.
extern "C" __global__ void avg_pool2d_put(const REAL* __restrict__ g, const ACC* __restrict__ divisors, ACC divisor,
                                          REAL* __restrict__ dx, i64 n, int H, int W, int OH, int OW, int KH, int KW,
                                          int SH, int SW, int PH, int PW) {
    Taps rows(SH, 1), columns(SW, 1);
    for (i64 i = first_index(); i < n; i += grid_size()) {
        Element e((u32)i, H, W);
        const REAL* plane = g + e.plane * OH * OW;
        int first_oh, first_ow;
        int first_k = rows.first(e.row + PH, first_oh), first_m = columns.first(e.column + PW, first_ow);
        ACC sum = 0;
        for (int k = first_k, oh = first_oh; k < KH && oh >= 0; k += rows.tap, oh -= rows.place) {
            if (oh >= OH) continue;
            for (int m = first_m, ow = first_ow; m < KW && ow >= 0; m += columns.tap, ow -= columns.place) {
                if (ow >= OW) continue;
                int place = oh * OW + ow;
                sum += (ACC)plane[place] / (divisors ? divisors[place] : divisor);
            }
        }
        dx[i] = REAL(sum);
    }
}
