// In front of every source: integer names, two-byte floats, vector access, sums over warps and blocks.

#ifndef EMULATED  // on the CPU the emulation's own header declares these
#define DYN_SHARED(T, name)                                       \
    extern __shared__ __align__(16) unsigned char shared_bytes[]; \
    T* name = reinterpret_cast<T*>(shared_bytes)
#endif

typedef long long i64;
typedef unsigned long long u64;
typedef unsigned int u32;

#define INF (__int_as_float(0x7f800000))
#define FULL_WARP 0xffffffffu

// ---- two-byte floats: storage only, all arithmetic is float's ----

struct f16 {
    unsigned short bits;
    f16() = default;
    __device__ __forceinline__ f16(float x) {
#ifdef EMULATED
        bits = emu::float_to_half(x);
#else
        asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
#endif
    }
    __device__ __forceinline__ operator float() const {
#ifdef EMULATED
        return emu::half_to_float(bits);
#else
        float x;
        asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
        return x;
#endif
    }
};

struct bf16 {
    unsigned short bits;
    bf16() = default;
    __device__ __forceinline__ bf16(float x) {  // to nearest, ties to even; a NaN stays one
        u32 b = __float_as_uint(x);
        bits = x != x ? 0x7fc0 : (unsigned short)((b + 0x7fff + ((b >> 16) & 1)) >> 16);
    }
    __device__ __forceinline__ operator float() const { return __uint_as_float((u32)bits << 16); }
};

// ---- sixteen bytes at a time ----

template <class T>
struct alignas(16) Pack {
    static constexpr int N = 16 / sizeof(T);
    T v[N];
};

template <class T>
__device__ __forceinline__ Pack<T> load_pack(const T* p) {  // p on a multiple of 16 bytes
    Pack<T> pack;
    *reinterpret_cast<uint4*>(&pack) = *reinterpret_cast<const uint4*>(p);
    return pack;
}

template <class T>
__device__ __forceinline__ void store_pack(T* p, const Pack<T>& pack) {
    *reinterpret_cast<uint4*>(p) = *reinterpret_cast<const uint4*>(&pack);
}

// N elements (a power of two) beside each other, read and written at once where they begin at a multiple of N.
template <class T, int N>
struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) Group {
    T v[N];
};

// Whether every pointer (a null one too) is on a multiple of 16 bytes.
__device__ __forceinline__ bool aligned16() { return true; }
template <class P, class... Rest>
__device__ __forceinline__ bool aligned16(P p, Rest... rest) {
    return (reinterpret_cast<u64>(p) & 15) == 0 && aligned16(rest...);
}

// ---- where a thread stands in the grid ----

__device__ __forceinline__ i64 first_index() { return blockIdx.x * (i64)blockDim.x + threadIdx.x; }
__device__ __forceinline__ i64 grid_size() { return gridDim.x * (i64)blockDim.x; }

// ---- sums and maxima, in a fixed order: the same bits in every run ----

struct Sum {
    template <class T>
    static __device__ __forceinline__ T join(T a, T b) { return a + b; }
};
struct Max {  // a NaN wins
    template <class T>
    static __device__ __forceinline__ T join(T a, T b) { return a > b || a != a ? a : b; }
};

// Over the `lanes` neighbours of a warp (a power of two); every one of them gets the result.
template <class Op, class T>
__device__ __forceinline__ T warp_all(T v, int lanes = 32) {
    for (int o = lanes / 2; o; o >>= 1) v = Op::join(v, __shfl_xor_sync(FULL_WARP, v, o));
    return v;
}

// Over a block of whole warps; every thread gets the result. scratch: 33 values in shared memory, which may be used
// again right away: the barrier at the start waits for those who still read.
template <class Op, class T>
__device__ __forceinline__ T block_all(T v, T* scratch) {
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
    v = warp_all<Op>(v);
    if (warps == 1) return v;
    __syncthreads();
    if (lane == 0) scratch[warp] = v;
    __syncthreads();
    if (warp == 0) {
        T w = scratch[lane < warps ? lane : 0];
        for (int o = 16; o; o >>= 1) {
            T u = __shfl_down_sync(FULL_WARP, w, o);
            if (lane + o < warps) w = Op::join(w, u);
        }
        if (lane == 0) scratch[32] = w;
    }
    __syncthreads();
    return scratch[32];
}

// ---- the mathematics by the type to compute in ----

__device__ __forceinline__ float exp_of(float x) { return expf(x); }
__device__ __forceinline__ double exp_of(double x) { return exp(x); }
__device__ __forceinline__ float log_of(float x) { return logf(x); }
__device__ __forceinline__ double log_of(double x) { return log(x); }
__device__ __forceinline__ float sqrt_of(float x) { return sqrtf(x); }
__device__ __forceinline__ double sqrt_of(double x) { return sqrt(x); }
