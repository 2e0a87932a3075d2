// Rows held in registers by GROUP threads, PER values each, and so read once.

// The rows that a block works on at the same time, and where this thread stands among them.
template <int GROUP>
struct Place {
    static constexpr int ROWS = 256 / GROUP;
    int group = threadIdx.x / GROUP, t = threadIdx.x % GROUP;
};

template <int GROUP, class Op>
__device__ __forceinline__ ACC group_all(ACC v, ACC* scratch) {
    if constexpr (GROUP <= 32) return warp_all<Op>(v, GROUP);
    else return block_all<Op>(v, scratch);
}

// The column of this thread's value j.
template <int GROUP, bool PACKS>
__device__ __forceinline__ int column(int j, int t) {
    constexpr int N = Pack<REAL>::N;
    return PACKS ? (j / N * GROUP + t) * N + j % N : j * GROUP + t;
}

template <int GROUP, int PER, bool PACKS>
__device__ __forceinline__ void load_row(ACC (&v)[PER], const REAL* row, int width, int t, ACC fill) {
    constexpr int N = Pack<REAL>::N;
    static_assert(PER % N == 0, "whole packs");
    if constexpr (PACKS) {
#pragma unroll
        for (int k = 0; k < PER / N; ++k) {
            int c = (k * GROUP + t) * N;
            if (c < width) {
                Pack<REAL> pack = load_pack(row + c);
#pragma unroll
                for (int j = 0; j < N; ++j) v[k * N + j] = pack.v[j];
            } else {
#pragma unroll
                for (int j = 0; j < N; ++j) v[k * N + j] = fill;
            }
        }
    } else {
#pragma unroll
        for (int j = 0; j < PER; ++j) {
            int c = j * GROUP + t;
            v[j] = c < width ? (ACC)row[c] : fill;
        }
    }
}

template <int GROUP, int PER, bool PACKS>
__device__ __forceinline__ void store_row(const ACC (&v)[PER], REAL* row, int width, int t) {
    constexpr int N = Pack<REAL>::N;
    if constexpr (PACKS) {
#pragma unroll
        for (int k = 0; k < PER / N; ++k) {
            int c = (k * GROUP + t) * N;
            if (c < width) {
                Pack<REAL> pack;
#pragma unroll
                for (int j = 0; j < N; ++j) pack.v[j] = (REAL)v[k * N + j];
                store_pack(row + c, pack);
            }
        }
    } else {
#pragma unroll
        for (int j = 0; j < PER; ++j) {
            int c = j * GROUP + t;
            if (c < width) row[c] = (REAL)v[j];
        }
    }
}

// Whether rows of this width begin on multiples of 16 bytes and end with a whole pack, in every array.
template <class... P>
__device__ __forceinline__ bool in_packs(int width, P... arrays) {
    return width % Pack<REAL>::N == 0 && aligned16(arrays...);
}
