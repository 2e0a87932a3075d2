// Adding rows at indices that may repeat. ENTRY: float, double, int or i64, what atomicAdd adds.

#ifndef ENTRY
#define ENTRY float
#endif

template <class T>
__device__ __forceinline__ void add_atomically(T* p, T v) { atomicAdd(p, v); }
__device__ __forceinline__ void add_atomically(i64* p, i64 v) { atomicAdd((u64*)p, (u64)v); }  // the same bits

// out (rows, width) += values (n / width, width) at rows index; n: values' size. The order of the sums is that in which
// the additions arrive.
extern "C" __global__ void index_add(ENTRY* __restrict__ out, const i64* __restrict__ index,
                                     const ENTRY* __restrict__ values, i64 n, i64 width) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        i64 from = width == 1 ? i : i / width;
        add_atomically(out + index[from] * width + (i - from * width), values[i]);
    }
}

// The same with the positions `order` (count,) that sort the index, and `sorted`, the index in that order: the thread
// of a run's first position adds the whole run, in the order of the positions. n: count * width.
extern "C" __global__ void index_add_sorted(ENTRY* __restrict__ out, const i64* __restrict__ sorted,
                                            const i64* __restrict__ order, const ENTRY* __restrict__ values, i64 n,
                                            i64 width, i64 count) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        i64 at = i / width, column = i - at * width, row = sorted[at];
        if (at && sorted[at - 1] == row) continue;
        ENTRY* to = out + row * width + column;
        ENTRY sum = *to;
        for (; at < count && sorted[at] == row; ++at) sum += values[order[at] * width + column];
        *to = sum;
    }
}
