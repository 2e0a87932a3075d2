// Losses of class indices: x (N, C, R), one target for each of the N R places. INDEX: the type of a target.
typedef unsigned char u8;

extern "C" __global__ void class_scale(const INDEX* __restrict__ target, const REAL* __restrict__ weight,
                                       i64* __restrict__ safe, REAL* __restrict__ scale, i64 places, i64 c, i64 ignore) {
    for (i64 i = first_index(); i < places; i += grid_size()) {
        i64 t = (i64)target[i];
        bool wrong = t < 0 || t >= c;
        safe[i] = wrong ? 0 : t;
        if (t == ignore) scale[i] = (REAL)0;
        else if (wrong) scale[i] = (REAL)(INF - INF);
        else scale[i] = weight ? weight[t] : (REAL)1;
    }
}

extern "C" __global__ void nll(const REAL* __restrict__ x, const i64* __restrict__ target,
                               const REAL* __restrict__ scale, REAL* __restrict__ y, i64 places, i64 c, i64 rest) {
    for (i64 i = first_index(); i < places; i += grid_size()) {
        ACC s = scale ? (ACC)scale[i] : (ACC)1;
        y[i] = (REAL)(s == 0 ? (ACC)0 : -s * (ACC)x[(i / rest * c + target[i]) * rest + i % rest]);
    }
}

// Every element of x: zeros too are written here. g_step is 0 where one number stands for all of g.
extern "C" __global__ void nll_put(const REAL* __restrict__ g, const i64* __restrict__ target,
                                   const REAL* __restrict__ scale, REAL* __restrict__ x, i64 size, i64 c, i64 rest,
                                   i64 g_step) {
    for (i64 j = first_index(); j < size; j += grid_size()) {
        i64 r = j % rest, i = j / rest / c * rest + r;
        ACC v = 0;
        if (j / rest % c == target[i]) {
            ACC s = scale ? (ACC)scale[i] : (ACC)1;
            v = s == 0 ? (ACC)0 : -s * (ACC)g[i * g_step];
        }
        x[j] = (REAL)v;
    }
}
