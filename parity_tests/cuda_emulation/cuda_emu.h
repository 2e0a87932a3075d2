// CUDA C on the CPU, far enough to run kernels block by block and to find their mistakes.
//
// A kernel without barriers is a loop over blocks and threads. One with barriers runs each thread of a block as a fiber
// with a stack of its own; a fiber that waits at a barrier hands over to the scheduler, which has four orders:
//
//     0  every runnable thread in turn, up       2  one warp as far as it gets, then the next, up
//     1  the same, down                          3  the same, down
//
// A barrier that is missing shows in at least one of them: in order 2 the first warp has finished before the second
// has written anything. Blocks, too, run up in the even orders and down in the odd ones. Dynamic shared memory has
// exactly the bytes of the launch and starts as NaNs; what a lane reads from one that is not there is NaN as well.
//
// Not seen: races between blocks, memory ordering, bank conflicts, coalescing, rounding by fused multiply-add.
#pragma once
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __shared__ static  // one block runs at a time
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __grid_constant__
#define DYN_SHARED(T, name) T* name = reinterpret_cast<T*>(emu::dynamic_shared)

struct uint3 { unsigned x, y, z; };
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
static uint3 threadIdx, blockIdx;
static dim3 blockDim, gridDim;
static const int warpSize = 32;

#define EMU_VECTORS(T, name)                                                        \
    struct alignas(2 * sizeof(T)) name##2 { T x, y; };                              \
    struct name##3 { T x, y, z; };                                                  \
    struct alignas(sizeof(T) > 4 ? 16 : 4 * sizeof(T)) name##4 { T x, y, z, w; };   \
    static inline name##2 make_##name##2(T x, T y) { return {x, y}; }               \
    static inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }       \
    static inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
EMU_VECTORS(float, float)
EMU_VECTORS(double, double)
EMU_VECTORS(int, int)
EMU_VECTORS(short, short)
EMU_VECTORS(unsigned short, ushort)
EMU_VECTORS(unsigned char, uchar)
EMU_VECTORS(long long, longlong)
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

namespace emu {

static char* dynamic_shared;
static const size_t STACK = 256 << 10;
static const int MAX_THREADS = 1024;

// ---- fibers ----

#if defined(__x86_64__) && !defined(EMU_UCONTEXT)
// Saves the registers that a call keeps on the old stack, goes on with those on the new one. swapcontext does the same
// with two system calls, a hundred times slower.
extern "C" void emu_switch(void** save, void* to);
asm(R"(
.text
.globl emu_switch
.hidden emu_switch
.type emu_switch,@function
emu_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emu_switch,.-emu_switch
)");
struct Context { void* sp = nullptr; };
static inline void go(Context& from, Context& to) { emu_switch(&from.sp, to.sp); }
static inline void prepare(Context& c, char* stack, void (*start)()) {
    uintptr_t top = reinterpret_cast<uintptr_t>(stack + STACK) & ~uintptr_t(15);
    void** sp = reinterpret_cast<void**>(top);
    *--sp = nullptr;  // where start would return to; it also sets the alignment that a called function expects
    *--sp = reinterpret_cast<void*>(start);
    for (int i = 0; i < 6; ++i) *--sp = nullptr;
    c.sp = sp;
}
#else
struct Context { ucontext_t c; };
static inline void go(Context& from, Context& to) { swapcontext(&from.c, &to.c); }
static inline void prepare(Context& c, char* stack, void (*start)()) {
    getcontext(&c.c);
    c.c.uc_stack.ss_sp = stack;
    c.c.uc_stack.ss_size = STACK;
    c.c.uc_link = nullptr;
    makecontext(&c.c, start, 0);
}
#endif

struct Barrier {
    unsigned members = 0, arrived = 0, generation = 0;
    void settle() {  // opens it where all that are left have come
        if (members && arrived == members) { arrived = 0; ++generation; }
    }
};
struct WarpBarrier : Barrier {  // of the lanes in `mask`, with the values that they exchange
    unsigned mask = 0;
    uint64_t slots[2][32];  // those of this exchange and of the next, so that one barrier each is enough
};
struct Warp {
    unsigned live = 0;
    std::vector<WarpBarrier> barriers;
};
struct Fiber {
    Context context;
    char* stack = nullptr;
    uint3 index{};
    bool done = false;
    const Barrier* waits_for = nullptr;  // valid as long as its generation is this:
    unsigned generation = 0;
    int warp_barrier = -1;  // index of the warp's barrier it waits for: the vector may move
};

static Fiber fibers[MAX_THREADS];
static Warp warps[MAX_THREADS / 32];
static Barrier block_barrier;
static Context scheduler;
static int current;
static bool in_fiber = false, failed = false;
static std::string failure;
static void (*entry)(void**);
static void** arguments;

[[noreturn]] static void fail(const std::string& why) {
    if (!in_fiber) throw std::runtime_error(why);
    failed = true;
    failure = why;
    for (;;) go(fibers[current].context, scheduler);
}

static inline void hand_over() { go(fibers[current].context, scheduler); }

static inline bool runnable(const Fiber& f, const Warp& w) {
    if (f.done) return false;
    if (f.warp_barrier >= 0) return w.barriers[f.warp_barrier].generation != f.generation;
    return !f.waits_for || f.waits_for->generation != f.generation;
}

static inline void sync_block() {
    if (!in_fiber) fail("a barrier in a kernel that was taken for one without");
    Fiber& f = fibers[current];
    f.waits_for = &block_barrier;
    f.generation = block_barrier.generation;
    ++block_barrier.arrived;
    block_barrier.settle();
    if (block_barrier.generation == f.generation) hand_over();
    f.waits_for = nullptr;
}

static inline int warp_barrier(unsigned mask) {
    if (!in_fiber) fail("an exchange between lanes in a kernel that was taken for one without");
    Warp& w = warps[current / 32];
    if (!(mask >> (current % 32) & 1)) fail("a lane names a mask that it is not in");
    for (size_t i = 0; i < w.barriers.size(); ++i)
        if (w.barriers[i].mask == mask) return int(i);
    WarpBarrier b;
    b.mask = mask;
    b.members = __builtin_popcount(mask & w.live);
    memset(b.slots, 0xff, sizeof b.slots);
    w.barriers.push_back(b);
    return int(w.barriers.size()) - 1;
}

static inline void sync_warp(int index) {
    Fiber& f = fibers[current];
    Warp& w = warps[current / 32];
    WarpBarrier& b = w.barriers[index];
    f.warp_barrier = index;
    f.generation = b.generation;
    ++b.arrived;
    b.settle();
    if (b.generation == f.generation) hand_over();
    f.warp_barrier = -1;
}

// This lane's value against the one of `lane`; a lane that is not there or has returned gives all ones (a NaN).
template <class T>
T exchange(unsigned mask, T mine, int lane) {
    static_assert(sizeof(T) <= 8 && std::is_trivially_copyable<T>::value, "a shuffle moves numbers");
    int index = warp_barrier(mask);
    unsigned phase = warps[current / 32].barriers[index].generation & 1;
    uint64_t bits = 0;
    memcpy(&bits, &mine, sizeof mine);
    warps[current / 32].barriers[index].slots[phase][current % 32] = bits;
    sync_warp(index);
    T theirs;
    const WarpBarrier& b = warps[current / 32].barriers[index];
    bits = mask >> lane & 1 ? b.slots[phase][lane] : ~uint64_t(0);
    memcpy(&theirs, &bits, sizeof theirs);
    return theirs;
}

static void leave() {
    Fiber& f = fibers[current];
    Warp& w = warps[current / 32];
    f.done = true;
    --block_barrier.members;
    block_barrier.settle();
    w.live &= ~(1u << current % 32);
    for (WarpBarrier& b : w.barriers)
        if (b.mask >> (current % 32) & 1) {
            // the others read its slot of this exchange until the next is complete
            b.slots[b.generation & 1][current % 32] = ~uint64_t(0);
            --b.members;
            b.settle();
        }
}

static void start() {
    entry(arguments);
    leave();
    for (;;) hand_over();
}

static inline bool run_fiber(int t) {
    if (failed || !runnable(fibers[t], warps[t / 32])) return false;
    current = t;
    threadIdx = fibers[t].index;
    in_fiber = true;
    go(scheduler, fibers[t].context);
    in_fiber = false;
    return true;
}

static void run_block(unsigned n, int order) {
    int count = int((n + 31) / 32);
    block_barrier = Barrier();
    block_barrier.members = n;
    for (int w = 0; w < count; ++w) {
        warps[w].barriers.clear();
        warps[w].live = n - w * 32 >= 32 ? ~0u : (1u << (n - w * 32)) - 1;
    }
    for (unsigned t = 0; t < n; ++t) {
        Fiber& f = fibers[t];
        if (!f.stack) f.stack = static_cast<char*>(malloc(STACK));
        f.index = {t % blockDim.x, t / blockDim.x % blockDim.y, t / (blockDim.x * blockDim.y)};
        f.done = false;
        f.waits_for = nullptr;
        f.warp_barrier = -1;
        prepare(f.context, f.stack, start);
    }
    bool down = order & 1, moved = true;
    auto lanes = [&](int w) {
        bool any = false;
        int first = w * 32, end = std::min<int>(n, first + 32);
        for (int i = first; i < end; ++i) any |= run_fiber(down ? first + end - 1 - i : i);
        return any;
    };
    while (moved && !failed) {
        moved = false;
        for (int i = 0; i < count; ++i) {
            int w = down ? count - 1 - i : i;
            bool any = lanes(w);
            moved |= any;
            while (any && order >= 2) any = lanes(w);
        }
    }
    if (!failed && block_barrier.members)
        failed = true, failure = "deadlock: the threads left wait at different barriers, or for lanes that do not come";
}

static const char* run(void (*kernel)(void**), void** args, bool with_fibers, dim3 grid, dim3 block, size_t shared,
                       int order) {
    static std::string message;
    entry = kernel;
    arguments = args;
    gridDim = grid;
    blockDim = block;
    failed = in_fiber = false;
    unsigned n = block.x * block.y * block.z;
    dynamic_shared = static_cast<char*>(aligned_alloc(128, std::max<size_t>(128, (shared + 127) / 128 * 128)));
#ifdef __SANITIZE_ADDRESS__
    free(dynamic_shared);
    dynamic_shared = static_cast<char*>(malloc(shared));  // to the byte, so that a write beyond it is seen
#endif
    uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
    try {
        for (uint64_t i = 0; i < blocks && !failed; ++i) {
            uint64_t b = order & 1 ? blocks - 1 - i : i;
            blockIdx = {unsigned(b % grid.x), unsigned(b / grid.x % grid.y), unsigned(b / (uint64_t(grid.x) * grid.y))};
            memset(dynamic_shared, 0xff, shared);
            if (with_fibers) {
                run_block(n, order);
                continue;
            }
            for (unsigned j = 0; j < n; ++j) {
                unsigned t = order & 1 ? n - 1 - j : j;
                threadIdx = {t % block.x, t / block.x % block.y, t / (block.x * block.y)};
                kernel(args);
            }
        }
    } catch (const std::exception& error) {
        failed = true;
        failure = error.what();
    }
    free(dynamic_shared);
    if (!failed) return nullptr;
    message = failure;
    return message.c_str();
}

// ---- what a kernel takes: for each parameter its kind and size, for a pointer those of what it points to ----

template <class T>
std::string kind() {
    if constexpr (std::is_void<T>::value) return "V0";
    else {
        char c = std::is_same<T, bool>::value ? 'b' : std::is_floating_point<T>::value ? 'f'
            : std::is_integral<T>::value ? (std::is_signed<T>::value ? 'i' : 'u') : 'V';
        return c + std::to_string(sizeof(T));
    }
}
template <class T>
std::string parameter() {
    if constexpr (std::is_pointer<T>::value)
        return "*" + kind<typename std::remove_cv<typename std::remove_pointer<T>::type>::type>() + " ";
    else return kind<typename std::remove_cv<T>::type>() + " ";
}
template <class... A>
const char* signature(void (*)(A...)) {
    static std::string text;
    text.clear();
    ((text += parameter<A>()), ...);
    return text.c_str();
}
template <class... A, size_t... I>
void call_each(void (*f)(A...), void** a, std::index_sequence<I...>) {
    f(*static_cast<typename std::remove_reference<A>::type*>(a[I])...);
}
template <class... A>
void call(void (*f)(A...), void** a) { call_each(f, a, std::index_sequence_for<A...>{}); }

// ---- two-byte floats ----

static inline float half_to_float(unsigned short bits) {
    _Float16 h;
    memcpy(&h, &bits, 2);
    return float(h);
}
static inline unsigned short float_to_half(float x) {
    _Float16 h = _Float16(x);
    unsigned short bits;
    memcpy(&bits, &h, 2);
    return bits;
}

static inline int lane() { return current % 32; }
template <class To, class From>
To bits_of(From x) {
    To y;
    static_assert(sizeof x == sizeof y, "");
    memcpy(&y, &x, sizeof y);
    return y;
}

}  // namespace emu

#define EMU_EXPORT(k, with_fibers)                                                                              \
    extern "C" const char* k##__run(const unsigned* d, void** args, size_t shared, int order) {                 \
        return emu::run([](void** a) { emu::call(k, a); }, args, with_fibers, dim3(d[0], d[1], d[2]),           \
                        dim3(d[3], d[4], d[5]), shared, order);                                                 \
    }                                                                                                           \
    extern "C" const char* k##__signature() { return emu::signature(k); }

// ---- barriers and exchanges ----

static inline void __syncthreads() { emu::sync_block(); }
static inline void __syncwarp(unsigned mask = ~0u) { emu::sync_warp(emu::warp_barrier(mask)); }
static inline void __threadfence() {}
static inline void __threadfence_block() {}
static inline void __threadfence_system() {}

template <class T>
T __shfl_sync(unsigned mask, T v, int from, int width = 32) {
    return emu::exchange(mask, v, (emu::lane() & ~(width - 1)) | (from & (width - 1)));
}
template <class T>
T __shfl_xor_sync(unsigned mask, T v, int with, int width = 32) {
    int l = emu::lane(), from = l ^ with;
    return emu::exchange(mask, v, from > (l | (width - 1)) ? l : from);
}
template <class T>
T __shfl_down_sync(unsigned mask, T v, unsigned by, int width = 32) {
    int l = emu::lane(), from = l + int(by);
    return emu::exchange(mask, v, from > (l | (width - 1)) ? l : from);
}
template <class T>
T __shfl_up_sync(unsigned mask, T v, unsigned by, int width = 32) {
    int l = emu::lane(), from = l - int(by);
    return emu::exchange(mask, v, from < (l & ~(width - 1)) ? l : from);
}
static inline unsigned __ballot_sync(unsigned mask, int predicate) {
    using namespace emu;
    int index = warp_barrier(mask);
    Warp& w = warps[current / 32];
    unsigned phase = w.barriers[index].generation & 1, live = w.live, votes = 0;
    w.barriers[index].slots[phase][lane()] = predicate != 0;
    sync_warp(index);
    for (int l = 0; l < 32; ++l)
        if ((mask & live) >> l & 1 && w.barriers[index].slots[phase][l] == 1) votes |= 1u << l;
    return votes;
}
static inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
static inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }

// ---- atomics: one thread runs at a time ----

#define EMU_ATOMIC(name, expression)          \
    template <class T, class U>               \
    T name(T* p, U value) {                   \
        T old = *p, v = T(value);             \
        (void)v;                              \
        *p = (expression);                    \
        return old;                           \
    }
EMU_ATOMIC(atomicAdd, T(old + v))
EMU_ATOMIC(atomicSub, T(old - v))
EMU_ATOMIC(atomicMax, old > v ? old : v)
EMU_ATOMIC(atomicMin, old < v ? old : v)
EMU_ATOMIC(atomicExch, v)
EMU_ATOMIC(atomicAnd, T(old & v))
EMU_ATOMIC(atomicOr, T(old | v))
EMU_ATOMIC(atomicXor, T(old ^ v))
EMU_ATOMIC(atomicInc, old >= v ? T(0) : T(old + 1))
template <class T, class U, class V>
T atomicCAS(T* p, U expected, V value) {
    T old = *p;
    if (old == T(expected)) *p = T(value);
    return old;
}

// ---- numbers ----

static inline float __int_as_float(int x) { return emu::bits_of<float>(x); }
static inline float __uint_as_float(unsigned x) { return emu::bits_of<float>(x); }
static inline int __float_as_int(float x) { return emu::bits_of<int>(x); }
static inline unsigned __float_as_uint(float x) { return emu::bits_of<unsigned>(x); }
static inline double __longlong_as_double(long long x) { return emu::bits_of<double>(x); }
static inline long long __double_as_longlong(double x) { return emu::bits_of<long long>(x); }
// the C library declares functions of these names for its own use
#define __expf(x) expf(x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __powf(x, y) powf(x, y)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
static inline float __fdividef(float x, float y) { return x / y; }
static inline float __fadd_rn(float x, float y) { return x + y; }
static inline float __fsub_rn(float x, float y) { return x - y; }
static inline float __fmul_rn(float x, float y) { return x * y; }
static inline float __fdiv_rn(float x, float y) { return x / y; }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
static inline double __dadd_rn(double x, double y) { return x + y; }
static inline double __dmul_rn(double x, double y) { return x * y; }
static inline double __dsub_rn(double x, double y) { return x - y; }
static inline double __ddiv_rn(double x, double y) { return x / y; }
static inline double __dsqrt_rn(double x) { return sqrt(x); }
static inline double __fma_rn(double x, double y, double z) { return fma(x, y, z); }
static inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }
static inline float rsqrtf(float x) { return 1 / sqrtf(x); }
static inline double rsqrt(double x) { return 1 / sqrt(x); }
static inline float sinpif(float x) { return float(sin(M_PI * fmod(double(x), 2))); }
static inline float cospif(float x) { return float(cos(M_PI * fmod(double(x), 2))); }
static inline void sincospif(float x, float* s, float* c) { *s = sinpif(x), *c = cospif(x); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned(uint64_t(a) * b >> 32); }
static inline int __mulhi(int a, int b) { return int(int64_t(a) * b >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
template <class T, class U>
typename std::common_type<T, U>::type min(T a, U b) {
    typedef typename std::common_type<T, U>::type C;
    return C(b) < C(a) ? C(b) : C(a);
}
template <class T, class U>
typename std::common_type<T, U>::type max(T a, U b) {
    typedef typename std::common_type<T, U>::type C;
    return C(a) < C(b) ? C(b) : C(a);
}
static inline float min(float a, float b) { return fminf(a, b); }
static inline double min(double a, double b) { return fmin(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline double max(double a, double b) { return fmax(a, b); }
using std::isfinite;
using std::isinf;
using std::isnan;
using std::signbit;
template <class T>
T __ldg(const T* p) { return *p; }
template <class T>
T __ldcs(const T* p) { return *p; }
template <class T>
T __ldcg(const T* p) { return *p; }
template <class T, class U>
void __stcs(T* p, U v) { *p = v; }
template <class T, class U>
void __stcg(T* p, U v) { *p = v; }
static inline long long clock64() { return 0; }
