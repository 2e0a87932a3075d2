// Adding rows at indices that may repeat.

__device__ __forceinline__ void add_atomically(float* p, float v) { atomicAdd(p, v); }
__device__ __forceinline__ void add_atomically(double* p, double v) { atomicAdd(p, v); }

// out (rows, width) += values (n / width, width) at rows index; n: values' size. The order of the sums is that in which
// the additions arrive.
extern "C" __global__ void index_add(REAL* __restrict__ out, const i64* __restrict__ index,
                                     const REAL* __restrict__ values, i64 n, i64 width) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        i64 from = width == 1 ? i : i / width;
        add_atomically(out + index[from] * width + (i - from * width), values[i]);
    }
}

// The same with the positions `order` (count,) that sort the index, and `sorted`, the index in that order: the thread
// of a run's first position adds the whole run, in the order of the positions. n: count * width.
extern "C" __global__ void index_add_sorted(REAL* __restrict__ out, const i64* __restrict__ sorted,
                                            const i64* __restrict__ order, const REAL* __restrict__ values, i64 n,
                                            i64 width, i64 count) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        i64 at = i / width, column = i - at * width, row = sorted[at];
        if (at && sorted[at - 1] == row) continue;
        REAL* to = out + row * width + column;
        REAL sum = *to;
        for (; at < count && sorted[at] == row; ++at) sum += values[order[at] * width + column];
        *to = sum;
    }
}
