// The gradients of softmax and log_softmax, from g and the result y:
//   softmax      dx = y (g - sum(g y))
//   log_softmax  dx = g - exp(y) sum(g)

__device__ __forceinline__ ACC weighed(ACC g, ACC y, bool log) { return log ? g : g * y; }
__device__ __forceinline__ ACC slope(ACC g, ACC y, ACC sum, bool log) {
    return log ? g - exp_of(y) * sum : y * (g - sum);
}

// A row by GROUP threads: a warp, or the block. The second time the row comes from the cache.
template <int GROUP>
__device__ __forceinline__ void grad_rows(const REAL* g, const REAL* y, REAL* dx, i64 rows, i64 width, bool log,
                                          ACC* scratch) {
    constexpr int AT_ONCE = 256 / GROUP;
    int group = threadIdx.x / GROUP, t = threadIdx.x % GROUP;
    for (i64 first = blockIdx.x * (i64)AT_ONCE; first < rows; first += gridDim.x * (i64)AT_ONCE) {
        i64 row = first + group;
        bool mine = row < rows;  // the others' threads come along to the exchanges
        i64 at = (mine ? row : 0) * width;
        ACC sum = 0;
        if (mine)
            for (i64 c = t; c < width; c += GROUP) sum += weighed(g[at + c], y[at + c], log);
        if constexpr (GROUP == 32) sum = warp_all<Sum>(sum);
        else sum = block_all<Sum>(sum, scratch);
        if (mine)
            for (i64 c = t; c < width; c += GROUP) dx[at + c] = (REAL)slope(g[at + c], y[at + c], sum, log);
    }
}

extern "C" __global__ void __launch_bounds__(256)
    softmax_grad_warps(const REAL* g, const REAL* y, REAL* dx, i64 rows, i64 width, bool log) {
    __shared__ ACC scratch[33];
    grad_rows<32>(g, y, dx, rows, width, log, scratch);
}

extern "C" __global__ void __launch_bounds__(256)
    softmax_grad_blocks(const REAL* g, const REAL* y, REAL* dx, i64 rows, i64 width, bool log) {
    __shared__ ACC scratch[33];
    grad_rows<256>(g, y, dx, rows, width, log, scratch);
}

// Along another axis than the last: (rows, width, inner), a thread for each column.
extern "C" __global__ void softmax_grad_columns(const REAL* g, const REAL* y, REAL* dx, i64 rows, i64 width, i64 inner,
                                                bool log) {
    for (i64 i = first_index(); i < rows * inner; i += grid_size()) {
        i64 at = i / inner * width * inner + i % inner;
        ACC sum = 0;
        for (i64 c = 0; c < width; ++c) sum += weighed(g[at + c * inner], y[at + c * inner], log);
        for (i64 c = 0; c < width; ++c) {
            i64 j = at + c * inner;
            dx[j] = (REAL)slope(g[j], y[j], sum, log);
        }
    }
}
