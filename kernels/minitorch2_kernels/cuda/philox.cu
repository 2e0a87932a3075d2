// Random numbers of the counter-based generator Philox4x32-10, in torch's layout: thread t draws from subsequence t of
// `seed`, its k-th call is the block of counter offset / 4 + k, and the numbers of a call go to elements t + k *
// threads * m, then one `threads` further each (m: how many a call gives). Source: Salmon, Moraes, Dror and Shaw,
// "Parallel random numbers: as easy as 1, 2, 3", 2011; what becomes of the bits follows cuRAND's device functions.

#ifdef EMULATED
#define FAST_LOG logf
#define FAST_SINCOS(v, s, c) (*(s) = sinf(v), *(c) = cosf(v))
#define SINCOSPI(v, s, c) (*(s) = sin((v) * 3.14159265358979323846), *(c) = cos((v) * 3.14159265358979323846))
#else
#define FAST_LOG __logf
#define FAST_SINCOS __sincosf
#define SINCOSPI sincospi
#endif

struct Four {
    u32 v[4];
};

// seed and offset as they are given, or, while a graph is captured, from state {seed, offset}: `offset` is then what
// this graph has drawn before.
struct Philox {
    u32 key0, key1;
    u64 counter, subsequence;

    __device__ __forceinline__ Philox(const u64* state, u64 seed, u64 offset) {
        if (state) seed = state[0], offset += state[1];
        key0 = (u32)seed;
        key1 = (u32)(seed >> 32);
        counter = offset / 4;
        subsequence = first_index();
    }

    __device__ __forceinline__ Four next() {
        u32 a = (u32)counter, b = (u32)(counter >> 32), c = (u32)subsequence, d = (u32)(subsequence >> 32);
        u32 k0 = key0, k1 = key1;
#pragma unroll
        for (int round = 0; round < 10; ++round) {
            u64 first = (u64)0xD2511F53u * a, second = (u64)0xCD9E8D57u * c;
            a = (u32)(second >> 32) ^ b ^ k0;
            b = (u32)second;
            c = (u32)(first >> 32) ^ d ^ k1;
            d = (u32)first;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        ++counter;
        return {{a, b, c, d}};
    }
};

// ---- bits to numbers in (0, 1], and to normal numbers; how many a call gives ----

#define TWO_TO_MINUS_32 2.3283064365386963e-10f
#define TWO_TO_MINUS_53 1.1102230246251565e-16

template <class T>
struct Draw;

template <>
struct Draw<float> {
    static constexpr int N = 4;
    float v[4];
    static __device__ __forceinline__ float unit(u32 x) { return x * TWO_TO_MINUS_32 + TWO_TO_MINUS_32 / 2; }
    __device__ __forceinline__ void uniform(Philox& p) {
        Four r = p.next();
        for (int i = 0; i < 4; ++i) v[i] = unit(r.v[i]);
    }
    __device__ __forceinline__ void normal(Philox& p) {  // Box and Muller's, from pairs
        Four r = p.next();
        for (int i = 0; i < 4; i += 2) {
            float radius = sqrtf(-2.0f * logf(unit(r.v[i])));
            float angle = r.v[i + 1] * (TWO_TO_MINUS_32 * 6.2831855f) + TWO_TO_MINUS_32 * 6.2831855f / 2;
            FAST_SINCOS(angle, &v[i], &v[i + 1]);
            v[i] *= radius;
            v[i + 1] *= radius;
        }
    }
};

template <>
struct Draw<double> {
    static constexpr int N = 2;
    double v[2];
    static __device__ __forceinline__ u64 join(u32 x, u32 y) { return x ^ ((u64)y << 21); }
    __device__ __forceinline__ void uniform(Philox& p) {
        Four r = p.next();
        for (int i = 0; i < 2; ++i)
            v[i] = join(r.v[2 * i], r.v[2 * i + 1]) * TWO_TO_MINUS_53 + TWO_TO_MINUS_53 / 2;
    }
    __device__ __forceinline__ void normal(Philox& p) {
        Four r = p.next();
        double radius = sqrt(-2.0 * log(join(r.v[0], r.v[1]) * TWO_TO_MINUS_53 + TWO_TO_MINUS_53 / 2));
        double angle = join(r.v[2], r.v[3]) * (2 * TWO_TO_MINUS_53) + TWO_TO_MINUS_53;  // in half turns
        SINCOSPI(angle, &v[0], &v[1]);
        v[0] *= radius;
        v[1] *= radius;
    }
};

// Calls place(i, j) for the elements i of this thread and the numbers j of a call, after draw() for each call.
template <int N, class DrawNext, class Place>
__device__ __forceinline__ void walk(i64 n, DrawNext draw, Place place) {
    for (i64 i = first_index(); i < n; i += grid_size() * N) {
        draw();
#pragma unroll
        for (int j = 0; j < N; ++j) {
            i64 at = i + grid_size() * j;
            if (at < n) place(at, j);
        }
    }
}

// out[i] in [low, high): the upper end, which rounding may reach, is taken for the lower one.
extern "C" __global__ void philox_uniform(REAL* __restrict__ out, i64 n, ACC low, ACC high, const u64* state, u64 seed,
                                          u64 offset) {
    Philox p(state, seed, offset);
    Draw<ACC> d;
    ACC range = (ACC)REAL(high - low);
    walk<Draw<ACC>::N>(n, [&] { d.uniform(p); }, [&](i64 i, int j) {
        ACC v = (ACC)REAL(d.v[j] * range + low);
        out[i] = REAL(v == high ? low : v);
    });
}

extern "C" __global__ void philox_normal(REAL* __restrict__ out, i64 n, ACC mean, ACC std, const u64* state, u64 seed,
                                         u64 offset) {
    Philox p(state, seed, offset);
    Draw<ACC> d;
    walk<Draw<ACC>::N>(n, [&] { d.normal(p); }, [&](i64 i, int j) { out[i] = REAL(d.v[j] * std + mean); });
}

// 1 with this probability, else 0.
extern "C" __global__ void philox_bernoulli(REAL* __restrict__ out, i64 n, ACC probability, const u64* state, u64 seed,
                                            u64 offset) {
    Philox p(state, seed, offset);
    Draw<ACC> d;
    walk<Draw<ACC>::N>(n, [&] { d.uniform(p); },
                       [&](i64 i, int j) { out[i] = REAL(d.v[j] < probability ? ACC(1) : ACC(0)); });
}

// The same as booleans; every dtype but float64 draws floats.
extern "C" __global__ void philox_mask(bool* __restrict__ out, i64 n, float probability, const u64* state, u64 seed,
                                       u64 offset) {
    Philox p(state, seed, offset);
    Draw<float> d;
    walk<4>(n, [&] { d.uniform(p); }, [&](i64 i, int j) { out[i] = d.v[j] < probability; });
}

// One probability for each element, which stay in order: thread t draws for elements 4t to 4t + 3.
extern "C" __global__ void philox_bernoulli_each(const ACC* __restrict__ probabilities, REAL* __restrict__ out, i64 n,
                                                 const u64* state, u64 seed, u64 offset) {
    Philox p(state, seed, offset);
    i64 first = first_index() * 4;
    if (first >= n) return;
    Draw<float> d;
    d.uniform(p);
    for (int j = 0; j < 4 && first + j < n; ++j)
        out[first + j] = REAL(d.v[j] <= probabilities[first + j] ? ACC(1) : ACC(0));
}

// -log(u) / rate; u = 1, whose logarithm is 0, is taken for the number below it.
extern "C" __global__ void philox_exponential(REAL* __restrict__ out, i64 n, ACC rate, const u64* state, u64 seed,
                                              u64 offset) {
    Philox p(state, seed, offset);
    Draw<ACC> d;
    const ACC half_step = sizeof(ACC) == 4 ? ACC(5.9604644775390625e-08) : ACC(1.1102230246251565e-16);
    walk<Draw<ACC>::N>(n, [&] { d.uniform(p); }, [&](i64 i, int j) {
        ACC u = d.v[j];
        ACC log_u = u >= 1 - half_step ? -half_step : sizeof(ACC) == 4 ? ACC(FAST_LOG((float)u)) : ACC(log((double)u));
        out[i] = REAL(ACC(-1) / rate * log_u);
    });
}

// bits modulo range (0: all of them), plus low. wide: 64 bits for a number, two numbers a call; else 32, and four.
extern "C" __global__ void philox_integers(i64* __restrict__ out, i64 n, u64 range, i64 low, int wide, const u64* state,
                                           u64 seed, u64 offset) {
    Philox p(state, seed, offset);
    Four r;
    if (wide)
        walk<2>(n, [&] { r = p.next(); }, [&](i64 i, int j) {
            u64 v = (u64)r.v[2 * j] << 32 | r.v[2 * j + 1];
            out[i] = (i64)(range ? v % range : v) + low;
        });
    else
        walk<4>(n, [&] { r = p.next(); }, [&](i64 i, int j) { out[i] = (i64)(r.v[j] % range) + low; });
}

// y = x * kept / keep and the mask `kept`, true with the probability keep. VEC elements of a thread lie side by side,
// and of a call's four numbers as many are used as there are elements (for VEC = 1, see walk).
template <int VEC>
__device__ __forceinline__ void dropout(const REAL* x, REAL* y, bool* kept, i64 n, ACC keep, Philox& p) {
    ACC scale = ACC(1.0 / keep);
    Draw<float> d;
    for (i64 i = first_index(); i < n / VEC; i += grid_size()) {
        auto values = reinterpret_cast<const Group<REAL, VEC>*>(x)[i];
        Group<bool, VEC> stay;
#pragma unroll
        for (int j = 0; j < VEC; ++j) {
            if (j % 4 == 0) d.uniform(p);
            stay.v[j] = d.v[j % 4] < keep;
            values.v[j] = REAL((ACC)values.v[j] * (stay.v[j] ? ACC(1) : ACC(0)) * scale);
        }
        reinterpret_cast<Group<REAL, VEC>*>(y)[i] = values;
        reinterpret_cast<Group<bool, VEC>*>(kept)[i] = stay;
    }
}

extern "C" __global__ void philox_dropout(const REAL* __restrict__ x, REAL* __restrict__ y, bool* __restrict__ kept,
                                          i64 n, ACC keep, int vec, const u64* state, u64 seed, u64 offset) {
    Philox p(state, seed, offset);
    if (vec == 8) return dropout<8>(x, y, kept, n, keep, p);
    if (vec == 4) return dropout<4>(x, y, kept, n, keep, p);
    if (vec == 2) return dropout<2>(x, y, kept, n, keep, p);
    ACC scale = ACC(1.0 / keep);
    Draw<float> d;
    walk<4>(n, [&] { d.uniform(p); }, [&](i64 i, int j) {
        bool stays = d.v[j] < keep;
        y[i] = REAL((ACC)x[i] * (stays ? ACC(1) : ACC(0)) * scale);
        kept[i] = stays;
    });
}

// Shuffles the order among equal keys, which sorting has left as it was: the thread of the first of them, by Fisher and
// Yates, with 32 bits for each step. keys are sorted; the order is that of their numbers before.
extern "C" __global__ void philox_shuffle_equal(const i64* __restrict__ keys, i64* __restrict__ order, i64 n,
                                                const u64* state, u64 seed, u64 offset) {
    i64 first = first_index();
    if (first + 1 >= n || keys[first] != keys[first + 1] || (first && keys[first - 1] == keys[first])) return;
    i64 end = first + 2;
    while (end < n && keys[end] == keys[first]) ++end;
    Philox p(state, seed, offset);
    Four r;
    for (i64 left = end - first, drawn = 0; left > 1; --left, ++drawn) {
        if (drawn % 4 == 0) r = p.next();
        i64 i = first + left - 1, other = first + r.v[drawn % 4] % left;
        i64 number = order[i];
        order[i] = order[other];
        order[other] = number;
    }
}

// What the kernels of a captured graph read.
extern "C" __global__ void philox_set_state(u64* state, u64 seed, u64 offset) {
    state[0] = seed;
    state[1] = offset;
}
