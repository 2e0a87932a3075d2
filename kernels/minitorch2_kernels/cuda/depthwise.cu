// Depthwise convolutions: every channel of y is made from one channel of x, by windows of TAPS x TAPS (a macro), whose
// rows are one or two apart; nothing is dilated. x (N, C, H, W), w (O, 1, TAPS, TAPS), y (N, O, OH, OW).
//
// A thread goes down a strip of one column of y. It reads each row of x once, TAPS numbers, and hands it to all windows
// that see it, so that a number is read from the cache TAPS times and not TAPS * TAPS.

#include "windows.cuh"

// Down the rows of x, as the windows of one column of y see them.
struct Rows {
    const REAL* at;  // tap 0 of the next row
    int h, size, width;
    bool inside[TAPS];
    // from: a channel of an image; place (first, column): the first window's
    __device__ __forceinline__ Rows(const REAL* from, const Windows& s, int first, int column)
        : h(s.rows.start(first)), size(s.rows.size), width(s.columns.size) {
        int left = s.columns.start(column);
        at = from + ((i64)h * width + left);
#pragma unroll
        for (int m = 0; m < TAPS; ++m) inside[m] = (u32)(left + m) < (u32)width;
    }
    __device__ __forceinline__ void next(ACC (&v)[TAPS]) {  // zeros beyond the edges
        bool row_inside = (u32)h < (u32)size;
#pragma unroll
        for (int m = 0; m < TAPS; ++m) v[m] = row_inside && inside[m] ? (ACC)at[m] : ACC(0);
        ++h;
        at += width;
    }
};

// y, or where the weights are turned, the gradient of x. Strips have `height` rows; n: how many columns of strips there
// are in y; outputs, of_channel: channels of y, and how many of them one of x has.
extern "C" __global__ void depthwise(const REAL* __restrict__ x, const REAL* __restrict__ w, REAL* __restrict__ y, i64 n,
                                     Divisor outputs, Divisor of_channel, Divisor strips, int height, int turned,
                                     Windows s) {
    const Side &rows = s.rows, &columns = s.columns;
    int shift = rows.stride - 1;
    for (i64 i = first_index(); i < n; i += grid_size()) {
        Element e((u32)i, strips, columns.by_places);
        u32 o;
        outputs.divide(e.plane, o);
        ACC weights[TAPS * TAPS];
#pragma unroll
        for (int j = 0; j < TAPS * TAPS; ++j)
            weights[j] = (ACC)w[o * (TAPS * TAPS) + (turned ? TAPS * TAPS - 1 - j : j)];
        int first = e.row * height, count = min(height, rows.places - first);
        Rows seen(x + (i64)of_channel.quotient(e.plane) * rows.size * columns.size, s, first, e.column);
        REAL* to = y + ((i64)e.plane * rows.places + first) * columns.places + e.column;
        ACC sums[TAPS] = {};  // sums[k]: of the window that has been handed k rows before
#pragma unroll 4  // so that several rows are on their way
        for (int t = 0, last = (count - 1) << shift; t < last + TAPS; ++t) {
            ACC v[TAPS];
            seen.next(v);
#pragma unroll
            for (int k = TAPS - 1; k >= 0; --k) {
                ACC sum = k ? sums[k - 1] : ACC(0);
#pragma unroll
                for (int m = 0; m < TAPS; ++m) sum += weights[k * TAPS + m] * v[m];
                sums[k] = sum;
            }
            int done = t - (TAPS - 1);  // with stride 2, every other window is none of y's
            if (done < 0 || done & shift) continue;
            *to = REAL(sums[TAPS - 1]);
            to += columns.places;
        }
    }
}

// parts[part, o, k, m]: block part + o * number sums a `number`th of the images and strips of channel o. n: strips'
// columns in all images.
extern "C" __global__ void depthwise_weight_grad(const REAL* __restrict__ g, const REAL* __restrict__ x,
                                                 ACC* __restrict__ parts, i64 n, Divisor outputs, Divisor of_channel,
                                                 Divisor strips, int height, int number, Windows s) {
    __shared__ ACC scratch[33];
    const Side &rows = s.rows, &columns = s.columns;
    int shift = rows.stride - 1;
    int o = blockIdx.x / number, part = blockIdx.x - o * number, channel = of_channel.quotient(o);
    i64 channels = of_channel.quotient(outputs.by);
    ACC dw[TAPS * TAPS] = {};
    for (i64 i = part * (i64)blockDim.x + threadIdx.x; i < n; i += number * (i64)blockDim.x) {
        Element e((u32)i, strips, columns.by_places);  // its plane is the image
        int first = e.row * height, count = min(height, rows.places - first);
        Rows seen(x + (e.plane * channels + channel) * rows.size * columns.size, s, first, e.column);
        const REAL* gradients = g + (((i64)e.plane * outputs.by + o) * rows.places + first) * columns.places + e.column;
        ACC of[TAPS] = {};  // of[k]: the gradient of the window whose tap k sees this row, 0 where there is none
        for (int t = 0, last = (count - 1) << shift; t < last + TAPS; ++t) {
#pragma unroll
            for (int k = TAPS - 1; k; --k) of[k] = of[k - 1];
            of[0] = 0;
            if (t <= last && !(t & shift)) {
                of[0] = (ACC)*gradients;
                gradients += columns.places;
            }
            ACC v[TAPS];
            seen.next(v);
#pragma unroll
            for (int j = 0; j < TAPS * TAPS; ++j) dw[j] += of[j / TAPS] * v[j % TAPS];
        }
    }
    ACC* to = parts + ((i64)part * outputs.by + o) * (TAPS * TAPS);
#pragma unroll
    for (int j = 0; j < TAPS * TAPS; ++j) {
        ACC sum = block_all<Sum>(dw[j], scratch);
        if (threadIdx.x == 0) to[j] = sum;
    }
}
