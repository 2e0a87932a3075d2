// Pooling over windows of (N, C, H, W). Every thread makes whole elements of the result, and adds in the order of the
// taps: the reference's sums, bit for bit, in every run.

#include "windows.cuh"

#ifndef WINNER  // the type of a tap's number: int where a window has more than 256
#define WINNER unsigned char
#endif

// y and winner (N, C, OH, OW): the largest of each window and the number of the first tap with it; a NaN, above all,
// and the last tap with one.
extern "C" __global__ void max_pool2d(const REAL* __restrict__ x, REAL* __restrict__ y, WINNER* __restrict__ winner,
                                      i64 n, Windows s) {
    const Side &rows = s.rows, &columns = s.columns;
    for (i64 i = first_index(); i < n; i += grid_size()) {
        Element e((u32)i, rows.by_places, columns.by_places);
        const REAL* plane = x + (i64)e.plane * rows.size * columns.size;
        int top = rows.start(e.row), left = columns.start(e.column);
        int first_k = rows.first_tap(top), first_m = columns.first_tap(left);
        ACC best = -INF;
        int won = first_k * columns.taps + first_m;  // it wins where all are the lowest
        for (int k = first_k; k < rows.taps && top + k * rows.dilation < rows.size; ++k) {
            const REAL* row = plane + (top + k * rows.dilation) * columns.size;
            for (int m = first_m; m < columns.taps && left + m * columns.dilation < columns.size; ++m) {
                ACC v = row[left + m * columns.dilation];
                if (v > best || v != v) {
                    best = v;
                    won = k * columns.taps + m;
                }
            }
        }
        y[i] = REAL(best);
        winner[i] = (WINNER)won;
    }
}

// dx (N, C, H, W): the sum of g over the windows that this element won.
extern "C" __global__ void max_pool2d_put(const REAL* __restrict__ g, const WINNER* __restrict__ winner,
                                          REAL* __restrict__ dx, i64 n, Windows s) {
    i64 places = (i64)s.rows.places * s.columns.places;
    gather(dx, n, s, [=](u32 plane) {
        return [gradients = g + plane * places, winners = winner + plane * places](int place) {
            return [gradient = (ACC)gradients[place], won = (int)winners[place]](int tap) {
                return won == tap ? gradient : ACC(0);
            };
        };
    });
}

// y (N, C, OH, OW): what x has where the winners stand, 0 where they stand in the padding.
extern "C" __global__ void max_pool2d_pick(const REAL* __restrict__ x, const WINNER* __restrict__ winner,
                                           REAL* __restrict__ y, i64 n, Windows s) {
    const Side &rows = s.rows, &columns = s.columns;
    for (i64 i = first_index(); i < n; i += grid_size()) {
        Element e((u32)i, rows.by_places, columns.by_places);
        int number = winner[i], k = number / columns.taps, m = number - k * columns.taps;
        int h = rows.start(e.row) + k * rows.dilation, w = columns.start(e.column) + m * columns.dilation;
        bool inside = 0 <= h && h < rows.size && 0 <= w && w < columns.size;
        y[i] = inside ? x[((i64)e.plane * rows.size + h) * columns.size + w] : REAL(ACC(0));
    }
}

// y (N, C, OH, OW): window sums over `divisors` (OH, OW), or where that is null over `divisor`.
extern "C" __global__ void avg_pool2d(const REAL* __restrict__ x, const ACC* __restrict__ divisors, ACC divisor,
                                      REAL* __restrict__ y, i64 n, Windows s) {
    const Side &rows = s.rows, &columns = s.columns;
    for (i64 i = first_index(); i < n; i += grid_size()) {
        Element e((u32)i, rows.by_places, columns.by_places);
        const REAL* plane = x + (i64)e.plane * rows.size * columns.size;
        int top = rows.start(e.row), left = columns.start(e.column);
        int last_row = min(top + rows.taps, rows.size), first = max(left, 0);
        int last = min(left + columns.taps, columns.size);
        ACC sum = 0;
        for (int h = max(top, 0); h < last_row; ++h)
            for (int w = first; w < last; ++w) sum += (ACC)plane[h * columns.size + w];
        y[i] = REAL(sum / (divisors ? divisors[e.row * columns.places + e.column] : divisor));
    }
}

// dx (N, C, H, W): the sum of the shares that this element's windows give it.
extern "C" __global__ void avg_pool2d_put(const REAL* __restrict__ g, const ACC* __restrict__ divisors, ACC divisor,
                                          REAL* __restrict__ dx, i64 n, Windows s) {
    i64 places = (i64)s.rows.places * s.columns.places;
    gather(dx, n, s, [=](u32 plane) {
        return [=, gradients = g + plane * places](int place) {
            return [share = (ACC)gradients[place] / (divisors ? divisors[place] : divisor)](int) { return share; };
        };
    });
}
