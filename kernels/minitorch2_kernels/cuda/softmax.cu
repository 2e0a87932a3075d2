// softmax and log_softmax.
#include "rows.cuh"

template <int GROUP, int PER, bool PACKS>
__device__ __forceinline__ void softmax_rows(const REAL* x, REAL* y, i64 rows, int width, bool log, ACC* scratch) {
    Place<GROUP> place;
    for (i64 first = blockIdx.x * (i64)place.ROWS; first < rows; first += gridDim.x * (i64)place.ROWS) {
        i64 row = first + place.group;
        bool mine = row < rows;  // the others' threads come along to the exchanges
        ACC v[PER];
        load_row<GROUP, PER, PACKS>(v, x + (mine ? row : 0) * width, mine ? width : 0, place.t, -INF);
        ACC top = v[0];
#pragma unroll
        for (int j = 1; j < PER; ++j) top = Max::join(top, v[j]);
        top = group_all<GROUP, Max>(top, scratch);
        ACC sum = 0;
#pragma unroll
        for (int j = 0; j < PER; ++j) {
            v[j] -= top;
            ACC e = exp_of(v[j]);
            if (!log) v[j] = e;
            sum += e;
        }
        sum = group_all<GROUP, Sum>(sum, scratch);
        ACC log_sum = log ? log_of(sum) : (ACC)0;
#pragma unroll
        for (int j = 0; j < PER; ++j) v[j] = log ? v[j] - log_sum : v[j] / sum;
        if (mine) store_row<GROUP, PER, PACKS>(v, y + row * width, width, place.t);
    }
}

#define SOFTMAX(GROUP, PER)                                                                                           \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        softmax_##GROUP##_##PER(const REAL* x, REAL* y, i64 rows, int width, bool log) {                              \
        __shared__ ACC scratch[33];                                                                                   \
        if (in_packs(width, x, y)) softmax_rows<GROUP, PER, true>(x, y, rows, width, log, scratch);                   \
        else softmax_rows<GROUP, PER, false>(x, y, rows, width, log, scratch);                                        \
    }
SOFTMAX(8, 8)
SOFTMAX(32, 8)
SOFTMAX(32, 32)
SOFTMAX(256, 16)

// The largest of some values and the sum of their exponentials against it: found in one pass.
struct Largest {
    ACC top = -INF, sum = 0;
    __device__ __forceinline__ void add(ACC x) { join(x, 1); }
    __device__ __forceinline__ void join(ACC other_top, ACC other_sum) {
        ACC t = Max::join(top, other_top);
        // where both are -inf there is nothing yet, and -inf - -inf would be no number
        sum = top == t ? sum : sum * exp_of(top - t);
        sum += other_top == t ? other_sum : other_sum * exp_of(other_top - t);
        top = t;
    }
};

// Rows too wide for registers: once for the sum, once more for the result.
extern "C" __global__ void __launch_bounds__(512)
    softmax_wide(const REAL* x, REAL* y, i64 rows, i64 width, bool log) {
    __shared__ ACC scratch[33];
    constexpr int N = Pack<REAL>::N;
    bool packs = width % N == 0 && aligned16(x, y);
    i64 step = blockDim.x;
    for (i64 row = blockIdx.x; row < rows; row += gridDim.x) {
        const REAL* from = x + row * width;
        REAL* to = y + row * width;
        Largest own;
        if (packs) {
            for (i64 c = threadIdx.x * (i64)N; c < width; c += step * N) {
                Pack<REAL> pack = load_pack(from + c);
                ACC top = pack.v[0];
#pragma unroll
                for (int j = 1; j < N; ++j) top = Max::join(top, (ACC)pack.v[j]);
                ACC sum = 0;
#pragma unroll
                for (int j = 0; j < N; ++j) sum += (ACC)pack.v[j] == top ? (ACC)1 : exp_of((ACC)pack.v[j] - top);
                own.join(top, sum);
            }
        } else {
            for (i64 c = threadIdx.x; c < width; c += step) own.add(from[c]);
        }
        ACC top = block_all<Max>(own.top, scratch);
        ACC sum = block_all<Sum>(own.top == top ? own.sum : own.sum * exp_of(own.top - top), scratch);
        if (top == INF || top == -INF) sum = top - top;  // no number, as exp(top - top) is none
        ACC log_sum = log ? log_of(sum) : (ACC)0;
        if (packs) {
            for (i64 c = threadIdx.x * (i64)N; c < width; c += step * N) {
                Pack<REAL> pack = load_pack(from + c);
#pragma unroll
                for (int j = 0; j < N; ++j) {
                    ACC d = (ACC)pack.v[j] - top;
                    pack.v[j] = (REAL)(log ? d - log_sum : exp_of(d) / sum);
                }
                store_pack(to + c, pack);
            }
        } else {
            for (i64 c = threadIdx.x; c < width; c += step) {
                ACC d = (ACC)from[c] - top;
                to[c] = (REAL)(log ? d - log_sum : exp_of(d) / sum);
            }
        }
    }
}

// Along the middle of (outer, width, inner): a thread for each column, neighbours side by side in memory.
extern "C" __global__ void softmax_columns(const REAL* x, REAL* y, i64 outer, i64 width, i64 inner, bool log) {
    for (i64 i = first_index(); i < outer * inner; i += grid_size()) {
        i64 start = i / inner * width * inner + i % inner;
        Largest all;
        for (i64 c = 0; c < width; ++c) all.add(x[start + c * inner]);
        ACC sum = all.top == INF || all.top == -INF ? all.top - all.top : all.sum;
        ACC log_sum = log ? log_of(sum) : (ACC)0;
        for (i64 c = 0; c < width; ++c) {
            ACC d = (ACC)x[start + c * inner] - all.top;
            y[start + c * inner] = (REAL)(log ? d - log_sum : exp_of(d) / sum);
        }
    }
}
