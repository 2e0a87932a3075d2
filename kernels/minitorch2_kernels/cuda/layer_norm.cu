// Layer normalisation of rows of up to 4096, and its gradient; not CENTRED, the mean is 0 and there is no bias: RMS norm.
#include "rows.cuh"

template <int GROUP, int PER, bool PACKS, bool CENTRED>
__device__ __forceinline__ void layer_norm_rows(const REAL* x, const REAL* weight, const REAL* bias, REAL* y, ACC* mean,
                                                ACC* rstd, i64 rows, int width, ACC eps, ACC* scratch) {
    Place<GROUP> place;
    for (i64 first = blockIdx.x * (i64)place.ROWS; first < rows; first += gridDim.x * (i64)place.ROWS) {
        i64 row = first + place.group;
        bool mine = row < rows;
        ACC v[PER];
        load_row<GROUP, PER, PACKS>(v, x + (mine ? row : 0) * width, mine ? width : 0, place.t, 0);
        ACC centre = 0, squares = 0;
        if constexpr (CENTRED) {
            ACC sum = 0;
#pragma unroll
            for (int j = 0; j < PER; ++j) sum += v[j];
            centre = group_all<GROUP, Sum>(sum, scratch) / width;
#pragma unroll
            for (int j = 0; j < PER; ++j) v[j] = column<GROUP, PACKS>(j, place.t) < width ? v[j] - centre : (ACC)0;
        }
#pragma unroll
        for (int j = 0; j < PER; ++j) squares += v[j] * v[j];
        ACC scale = 1 / sqrt_of(group_all<GROUP, Sum>(squares, scratch) / width + eps);
#pragma unroll
        for (int j = 0; j < PER; ++j) v[j] *= scale;
        if (weight) {
            ACC w[PER];
            load_row<GROUP, PER, PACKS>(w, weight, width, place.t, 0);
#pragma unroll
            for (int j = 0; j < PER; ++j) v[j] *= w[j];
        }
        if (bias) {
            ACC b[PER];
            load_row<GROUP, PER, PACKS>(b, bias, width, place.t, 0);
#pragma unroll
            for (int j = 0; j < PER; ++j) v[j] += b[j];
        }
        if (mine) store_row<GROUP, PER, PACKS>(v, y + row * width, width, place.t);
        if (mine && place.t == 0) {
            if (CENTRED) mean[row] = centre;
            rstd[row] = scale;
        }
    }
}

// dx of each row, and for the rows of this block the sums of g h and, CENTRED, of g down each column: sums
// (blocks, 1 or 2, width).
// h = (x - mean) rstd;  dx = rstd (a - sum(a)/D - h sum(a h)/D) with a = g weight; RMS norm: no mean, no sum(a)
template <int GROUP, int PER, bool PACKS, bool CENTRED>
__device__ __forceinline__ void layer_norm_grad_rows(const REAL* g, const REAL* x, const ACC* mean, const ACC* rstd,
                                                     const REAL* weight, REAL* dx, ACC* sums, i64 rows, int width,
                                                     ACC* scratch, ACC* columns) {
    Place<GROUP> place;
    ACC dweight[PER], dbias[PER];
#pragma unroll
    for (int j = 0; j < PER; ++j) dweight[j] = dbias[j] = 0;
    for (i64 first = blockIdx.x * (i64)place.ROWS; first < rows; first += gridDim.x * (i64)place.ROWS) {
        i64 row = first + place.group;
        bool mine = row < rows;
        i64 start = (mine ? row : 0) * width;
        ACC a[PER], h[PER];
        load_row<GROUP, PER, PACKS>(a, g + start, mine ? width : 0, place.t, 0);
        load_row<GROUP, PER, PACKS>(h, x + start, mine ? width : 0, place.t, 0);
        ACC centre = CENTRED && mine ? mean[row] : (ACC)0, scale = mine ? rstd[row] : (ACC)0;
#pragma unroll
        for (int j = 0; j < PER; ++j) {
            h[j] = (h[j] - centre) * scale;
            if (column<GROUP, PACKS>(j, place.t) < width && mine) {
                dweight[j] += a[j] * h[j];
                dbias[j] += a[j];
            }
        }
        if (weight) {
            constexpr int N = Pack<REAL>::N;
#pragma unroll
            for (int k = 0; k < PER / N; ++k) {
                if constexpr (PACKS) {
                    int c = (k * GROUP + place.t) * N;
                    if (c < width) {
                        Pack<REAL> w = load_pack(weight + c);
#pragma unroll
                        for (int j = 0; j < N; ++j) a[k * N + j] *= (ACC)w.v[j];
                    }
                } else {
#pragma unroll
                    for (int j = 0; j < N; ++j) {
                        int c = (k * N + j) * GROUP + place.t;
                        if (c < width) a[k * N + j] *= (ACC)weight[c];
                    }
                }
            }
        }
        ACC sum = 0, product = 0;
#pragma unroll
        for (int j = 0; j < PER; ++j) {  // beyond the row a is 0
            sum += a[j];
            product += a[j] * h[j];
        }
        sum = CENTRED ? group_all<GROUP, Sum>(sum, scratch) / width : (ACC)0;
        product = group_all<GROUP, Sum>(product, scratch) / width;
#pragma unroll
        for (int j = 0; j < PER; ++j) a[j] = (a[j] - h[j] * product - sum) * scale;
        if (mine) store_row<GROUP, PER, PACKS>(a, dx + start, width, place.t);
    }
    int summed = CENTRED ? 2 * width : width;
    ACC* to = sums + blockIdx.x * (i64)summed;
    if (GROUP < 256) {  // the groups add to the columns one after the other
        for (int k = 0; k < place.ROWS; ++k) {
            if (place.group == k) {
#pragma unroll
                for (int j = 0; j < PER; ++j) {
                    int c = column<GROUP, PACKS>(j, place.t);
                    if (c < width) {
                        columns[c] = (k ? columns[c] : (ACC)0) + dweight[j];
                        if (CENTRED) columns[width + c] = (k ? columns[width + c] : (ACC)0) + dbias[j];
                    }
                }
            }
            __syncthreads();
        }
        for (int c = threadIdx.x; c < summed; c += blockDim.x) to[c] = columns[c];
    } else {
#pragma unroll
        for (int j = 0; j < PER; ++j) {
            int c = column<GROUP, PACKS>(j, place.t);
            if (c < width) {
                to[c] = dweight[j];
                if (CENTRED) to[width + c] = dbias[j];
            }
        }
    }
}

#define LAYER_NORM(GROUP, PER)                                                                                        \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        layer_norm_##GROUP##_##PER(const REAL* x, const REAL* weight, const REAL* bias, REAL* y, ACC* mean, ACC* rstd,\
                                   i64 rows, int width, ACC eps) {                                                    \
        __shared__ ACC scratch[33];                                                                                   \
        if (in_packs(width, x, y, weight, bias))                                                                      \
            layer_norm_rows<GROUP, PER, true, true>(x, weight, bias, y, mean, rstd, rows, width, eps, scratch);       \
        else                                                                                                          \
            layer_norm_rows<GROUP, PER, false, true>(x, weight, bias, y, mean, rstd, rows, width, eps, scratch);      \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        rms_norm_##GROUP##_##PER(const REAL* x, const REAL* weight, REAL* y, ACC* rstd, i64 rows, int width,          \
                                 ACC eps) {                                                                           \
        __shared__ ACC scratch[33];                                                                                   \
        if (in_packs(width, x, y, weight))                                                                            \
            layer_norm_rows<GROUP, PER, true, false>(x, weight, nullptr, y, nullptr, rstd, rows, width, eps, scratch);\
        else                                                                                                          \
            layer_norm_rows<GROUP, PER, false, false>(x, weight, nullptr, y, nullptr, rstd, rows, width, eps, scratch);\
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        layer_norm_grad_##GROUP##_##PER(const REAL* g, const REAL* x, const ACC* mean, const ACC* rstd,               \
                                        const REAL* weight, REAL* dx, ACC* sums, i64 rows, int width) {               \
        __shared__ ACC scratch[33];                                                                                   \
        DYN_SHARED(ACC, columns);                                                                                     \
        if (in_packs(width, g, x, dx, weight))                                                                        \
            layer_norm_grad_rows<GROUP, PER, true, true>(g, x, mean, rstd, weight, dx, sums, rows, width, scratch,    \
                                                         columns);                                                    \
        else                                                                                                          \
            layer_norm_grad_rows<GROUP, PER, false, true>(g, x, mean, rstd, weight, dx, sums, rows, width, scratch,   \
                                                          columns);                                                   \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        rms_norm_grad_##GROUP##_##PER(const REAL* g, const REAL* x, const ACC* rstd, const REAL* weight,              \
                                      REAL* dx, ACC* sums, i64 rows, int width) {                                     \
        __shared__ ACC scratch[33];                                                                                   \
        DYN_SHARED(ACC, columns);                                                                                     \
        if (in_packs(width, g, x, dx, weight))                                                                        \
            layer_norm_grad_rows<GROUP, PER, true, false>(g, x, nullptr, rstd, weight, dx, sums, rows, width, scratch,\
                                                          columns);                                                   \
        else                                                                                                          \
            layer_norm_grad_rows<GROUP, PER, false, false>(g, x, nullptr, rstd, weight, dx, sums, rows, width, scratch,\
                                                           columns);                                                  \
    }
LAYER_NORM(8, 8)
LAYER_NORM(32, 8)
LAYER_NORM(32, 32)
LAYER_NORM(256, 16)

// dweight and, unless null, dbias (width,): the sums of `sums` (blocks, 1 or 2, width) over the blocks. 32 columns for
// each block of 1024 threads, a warp for every 32nd row.
extern "C" __global__ void __launch_bounds__(1024)
    layer_norm_sums(const ACC* sums, REAL* dweight, REAL* dbias, int blocks, int width) {
    __shared__ ACC parts[32][33];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    i64 c = blockIdx.x * (i64)32 + lane, summed = dbias ? 2 * (i64)width : width;
    ACC sum = 0;
    if (c < summed)
        for (int b = warp; b < blocks; b += 32) sum += sums[b * summed + c];
    parts[warp][lane] = sum;
    __syncthreads();
    if (warp == 0 && c < summed) {
        for (int w = 1; w < 32; ++w) sum += parts[w][lane];
        (c < width ? dweight[c] : dbias[c - width]) = (REAL)sum;
    }
}
