// Element by element, one pass, sixteen bytes at a time where all arrays are on multiples of that.

__device__ __forceinline__ float erf_of(float x) { return erff(x); }
__device__ __forceinline__ double erf_of(double x) { return erf(x); }
__device__ __forceinline__ float tanh_of(float x) { return tanhf(x); }
__device__ __forceinline__ double tanh_of(double x) { return tanh(x); }

#define ROOT_HALF ACC(0.70710678118654752440)
#define INVERSE_ROOT_2PI ACC(0.39894228040143267794)
#define ROOT_2_OVER_PI ACC(0.79788456080286535588)
#define CUBIC ACC(0.044715)

// f(i, a, b, c, y, z) for every element i < n: a, b and c what the inputs have there, y and z what the outputs get.
// Inputs and outputs that a kernel does not have are null.
template <class F>
__device__ __forceinline__ void each(const REAL* pa, const REAL* pb, const REAL* pc, REAL* py, REAL* pz, i64 n, F f) {
    constexpr int N = Pack<REAL>::N;
    i64 done = 0;
    if (aligned16(pa, pb, pc, py, pz)) {
        done = n / N * N;
        for (i64 first = first_index() * N; first < done; first += grid_size() * N) {
            Pack<REAL> a, b, c, y, z;
            a = load_pack(pa + first);
            if (pb) b = load_pack(pb + first);
            if (pc) c = load_pack(pc + first);
#pragma unroll
            for (int j = 0; j < N; ++j) {
                ACC to_y, to_z;
                f(first + j, (ACC)a.v[j], pb ? (ACC)b.v[j] : ACC(0), pc ? (ACC)c.v[j] : ACC(0), to_y, to_z);
                y.v[j] = REAL(to_y);
                if (pz) z.v[j] = REAL(to_z);
            }
            store_pack(py + first, y);
            if (pz) store_pack(pz + first, z);
        }
    }
    for (i64 i = done + first_index(); i < n; i += grid_size()) {
        ACC to_y, to_z;
        f(i, (ACC)pa[i], pb ? (ACC)pb[i] : ACC(0), pc ? (ACC)pc[i] : ACC(0), to_y, to_z);
        py[i] = REAL(to_y);
        if (pz) pz[i] = REAL(to_z);
    }
}

extern "C" __global__ void gelu(const REAL* __restrict__ x, REAL* __restrict__ y, REAL* __restrict__ phi, i64 n) {
    each(x, nullptr, nullptr, y, phi, n, [](i64, ACC v, ACC, ACC, ACC& value, ACC& p) {
        p = (erf_of(v * ROOT_HALF) + 1) * ACC(0.5);
        value = v * p;
    });
}

extern "C" __global__ void gelu_grad(const REAL* __restrict__ g, const REAL* __restrict__ x,
                                     const REAL* __restrict__ phi, REAL* __restrict__ dx, i64 n) {
    each(g, x, phi, dx, nullptr, n, [](i64, ACC d, ACC v, ACC p, ACC& value, ACC&) {
        value = (exp_of(v * v * ACC(-0.5)) * v * INVERSE_ROOT_2PI + p) * d;
    });
}

extern "C" __global__ void gelu_tanh(const REAL* __restrict__ x, REAL* __restrict__ y, REAL* __restrict__ t, i64 n) {
    each(x, nullptr, nullptr, y, t, n, [](i64, ACC v, ACC, ACC, ACC& value, ACC& tangent) {
        tangent = tanh_of((v * v * CUBIC + 1) * v * ROOT_2_OVER_PI);
        value = (tangent + 1) * v * ACC(0.5);
    });
}

extern "C" __global__ void gelu_tanh_grad(const REAL* __restrict__ g, const REAL* __restrict__ x,
                                          const REAL* __restrict__ t, REAL* __restrict__ dx, i64 n) {
    each(g, x, t, dx, nullptr, n, [](i64, ACC d, ACC v, ACC tangent, ACC& value, ACC&) {
        ACC slope = (v * v * (3 * CUBIC) + 1) * v * ROOT_2_OVER_PI * (1 - tangent * tangent) + tangent + 1;
        value = slope * ACC(0.5) * d;
    });
}

// NaN stays: no comparison with it is true. Here and in relu y may be x.
extern "C" __global__ void hardtanh(const REAL* x, REAL* y, ACC low, ACC high, i64 n) {
    each(x, nullptr, nullptr, y, nullptr, n, [=](i64, ACC v, ACC, ACC, ACC& value, ACC&) {
        v = v < low ? low : v;
        value = v > high ? high : v;
    });
}

extern "C" __global__ void hardtanh_grad(const REAL* __restrict__ g, const REAL* __restrict__ x, REAL* __restrict__ dx,
                                         ACC low, ACC high, i64 n) {
    each(g, x, nullptr, dx, nullptr, n, [=](i64, ACC d, ACC v, ACC, ACC& value, ACC&) {
        value = v <= low || v >= high ? ACC(0) : d;
    });
}

extern "C" __global__ void relu(const REAL* x, REAL* y, i64 n) {
    each(x, nullptr, nullptr, y, nullptr, n, [](i64, ACC v, ACC, ACC, ACC& value, ACC&) { value = v <= 0 ? ACC(0) : v; });
}

// g where relu gave something else than 0, a NaN too.
extern "C" __global__ void relu_grad(const REAL* __restrict__ g, const REAL* __restrict__ y, REAL* __restrict__ dx,
                                     i64 n) {
    each(g, y, nullptr, dx, nullptr, n, [](i64, ACC d, ACC v, ACC, ACC& value, ACC&) { value = v == 0 ? ACC(0) : d; });
}

extern "C" __global__ void sigmoid(const REAL* __restrict__ x, REAL* __restrict__ y, i64 n) {
    each(x, nullptr, nullptr, y, nullptr, n,
         [](i64, ACC v, ACC, ACC, ACC& value, ACC&) { value = 1 / (1 + exp_of(-v)); });
}

extern "C" __global__ void sigmoid_grad(const REAL* __restrict__ g, const REAL* __restrict__ y, REAL* __restrict__ dx,
                                        i64 n) {
    each(g, y, nullptr, dx, nullptr, n, [](i64, ACC d, ACC v, ACC, ACC& value, ACC&) { value = d * (v * (1 - v)); });
}

extern "C" __global__ void tanh_grad(const REAL* __restrict__ g, const REAL* __restrict__ y, REAL* __restrict__ dx,
                                     i64 n) {
    each(g, y, nullptr, dx, nullptr, n, [](i64, ACC d, ACC v, ACC, ACC& value, ACC&) { value = d * (1 - v * v); });
}

extern "C" __global__ void silu(const REAL* __restrict__ x, REAL* __restrict__ y, i64 n) {
    each(x, nullptr, nullptr, y, nullptr, n,
         [](i64, ACC v, ACC, ACC, ACC& value, ACC&) { value = v / (1 + exp_of(-v)); });
}

extern "C" __global__ void silu_grad(const REAL* __restrict__ g, const REAL* __restrict__ x, REAL* __restrict__ dx,
                                     i64 n) {
    each(g, x, nullptr, dx, nullptr, n, [](i64, ACC d, ACC v, ACC, ACC& value, ACC&) {
        ACC s = 1 / (1 + exp_of(-v));
        value = d * (s * (1 + v * (1 - s)));
    });
}

// x * scale where mask, else x * scale * 0 (a NaN stays one).
extern "C" __global__ void masked_scale(const REAL* __restrict__ x, const bool* __restrict__ mask, REAL* __restrict__ y,
                                        ACC scale, i64 n) {
    each(x, nullptr, nullptr, y, nullptr, n, [=](i64 i, ACC v, ACC, ACC, ACC& value, ACC&) {
        value = v * scale * (mask[i] ? ACC(1) : ACC(0));
    });
}

// ---- between float and bfloat16, whatever REAL is ----

// y[i] = f(i) for i < n, eight at a time where both inputs (one may be null) and the result allow it.
template <class A, class B, class F>
__device__ __forceinline__ void convert(const A* a, const A* b, B* y, i64 n, F f) {
    constexpr int N = 8;
    i64 done = 0;
    if (aligned16(a, b, y)) {
        done = n / N * N;
        for (i64 first = first_index() * N; first < done; first += grid_size() * N) {
            Group<A, N> p = *reinterpret_cast<const Group<A, N>*>(a + first), q = p;
            if (b) q = *reinterpret_cast<const Group<A, N>*>(b + first);
            Group<B, N> to;
#pragma unroll
            for (int j = 0; j < N; ++j) to.v[j] = B(f(p.v[j], q.v[j]));
            *reinterpret_cast<Group<B, N>*>(y + first) = to;
        }
    }
    for (i64 i = done + first_index(); i < n; i += grid_size()) y[i] = B(f(a[i], b ? b[i] : a[i]));
}

extern "C" __global__ void widen(const bf16* __restrict__ x, float* __restrict__ y, i64 n) {
    convert(x, (const bf16*)nullptr, y, n, [](float v, float) { return v; });
}

extern "C" __global__ void narrow(const float* __restrict__ x, bf16* __restrict__ y, i64 n) {
    convert(x, (const float*)nullptr, y, n, [](float v, float) { return v; });
}

extern "C" __global__ void add_bfloat16(const bf16* __restrict__ a, const bf16* __restrict__ b, bf16* __restrict__ y,
                                        i64 n) {
    convert(a, b, y, n, [](float v, float w) { return v + w; });
}
