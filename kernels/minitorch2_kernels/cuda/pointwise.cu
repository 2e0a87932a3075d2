// Element by element, one pass.

__device__ __forceinline__ float erf_of(float x) { return erff(x); }
__device__ __forceinline__ double erf_of(double x) { return erf(x); }
__device__ __forceinline__ float tanh_of(float x) { return tanhf(x); }
__device__ __forceinline__ double tanh_of(double x) { return tanh(x); }

#define ROOT_HALF ACC(0.70710678118654752440)
#define INVERSE_ROOT_2PI ACC(0.39894228040143267794)
#define ROOT_2_OVER_PI ACC(0.79788456080286535588)
#define CUBIC ACC(0.044715)

extern "C" __global__ void gelu(const REAL* __restrict__ x, REAL* __restrict__ y, REAL* __restrict__ phi, i64 n) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        ACC v = x[i], p = (erf_of(v * ROOT_HALF) + 1) * ACC(0.5);
        y[i] = REAL(v * p);
        phi[i] = REAL(p);
    }
}

extern "C" __global__ void gelu_grad(const REAL* __restrict__ g, const REAL* __restrict__ x,
                                     const REAL* __restrict__ phi, REAL* __restrict__ dx, i64 n) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        ACC v = x[i];
        dx[i] = REAL((exp_of(v * v * ACC(-0.5)) * v * INVERSE_ROOT_2PI + (ACC)phi[i]) * (ACC)g[i]);
    }
}

extern "C" __global__ void gelu_tanh(const REAL* __restrict__ x, REAL* __restrict__ y, REAL* __restrict__ t, i64 n) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        ACC v = x[i], tangent = tanh_of((v * v * CUBIC + 1) * v * ROOT_2_OVER_PI);
        y[i] = REAL((tangent + 1) * v * ACC(0.5));
        t[i] = REAL(tangent);
    }
}

extern "C" __global__ void gelu_tanh_grad(const REAL* __restrict__ g, const REAL* __restrict__ x,
                                          const REAL* __restrict__ t, REAL* __restrict__ dx, i64 n) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        ACC v = x[i], tangent = t[i];
        ACC slope = (v * v * (3 * CUBIC) + 1) * v * ROOT_2_OVER_PI * (1 - tangent * tangent) + tangent + 1;
        dx[i] = REAL(slope * ACC(0.5) * (ACC)g[i]);
    }
}

// NaN stays: no comparison with it is true.
extern "C" __global__ void hardtanh(const REAL* __restrict__ x, REAL* __restrict__ y, ACC low, ACC high, i64 n) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        ACC v = x[i];
        v = v < low ? low : v;
        y[i] = REAL(v > high ? high : v);
    }
}

extern "C" __global__ void hardtanh_grad(const REAL* __restrict__ g, const REAL* __restrict__ x, REAL* __restrict__ dx,
                                         ACC low, ACC high, i64 n) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        ACC v = x[i];
        dx[i] = v <= low || v >= high ? REAL(ACC(0)) : g[i];
    }
}

// x * scale where mask, else x * scale * 0 (a NaN stays one).
extern "C" __global__ void masked_scale(const REAL* __restrict__ x, const bool* __restrict__ mask, REAL* __restrict__ y,
                                        ACC scale, i64 n) {
    for (i64 i = first_index(); i < n; i += grid_size()) y[i] = REAL((ACC)x[i] * scale * (mask[i] ? ACC(1) : ACC(0)));
}
