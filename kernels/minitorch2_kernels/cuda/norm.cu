// Normalisation over x (A, B, L): statistics of each b over A and L.
//
// Long runs of L: a block takes one b and some of its runs, `lanes` neighbouring threads a run at a time. Short ones:
// each image is one run of B * L columns, neighbouring threads take neighbouring columns and go down the images.
// Either way a block leaves partial results (splits, columns, values), and a warp for each b adds them up in a fixed
// order.

// ---- what is added up ----

// Counts divided: the fast division, right to two units in the last place, keeps the loops free of a call.
__device__ __forceinline__ float share(float a, float b) { return __fdividef(a, b); }
__device__ __forceinline__ double share(double a, double b) { return a / b; }

struct Moments {  // count, mean and squared distances from it, joined without cancellation (Chan, Golub, LeVeque 1979)
    static constexpr int VALUES = 3;
    ACC v[3] = {0, 0, 0};
    __device__ __forceinline__ void join(const Moments& o) {
        ACC n = v[0] + o.v[0];
        if (o.v[0] == 0) return;
        ACC distance = o.v[1] - v[1], part = share(o.v[0], n);
        v[1] += distance * part;
        v[2] += o.v[2] + distance * distance * v[0] * part;
        v[0] = n;
    }
    template <int N>
    __device__ __forceinline__ void add(const ACC (&x)[N]) {
        Moments o;
        ACC sum = 0;
#pragma unroll
        for (int j = 0; j < N; ++j) sum += x[j];
        o.v[0] = N;
        o.v[1] = sum / N;
#pragma unroll
        for (int j = 0; j < N; ++j) o.v[2] += (x[j] - o.v[1]) * (x[j] - o.v[1]);
        join(o);
    }
};

struct Products {  // sum(g), sum(g (x - mean))
    static constexpr int VALUES = 2;
    ACC v[2] = {0, 0};
    __device__ __forceinline__ void join(const Products& o) {
        v[0] += o.v[0];
        v[1] += o.v[1];
    }
};

template <class S>
__device__ __forceinline__ void warp_join(S& s) {  // lane 0 gets the result
    for (int o = 16; o; o >>= 1) {
        S other;
#pragma unroll
        for (int j = 0; j < S::VALUES; ++j) other.v[j] = __shfl_down_sync(FULL_WARP, s.v[j], o);
        if ((threadIdx.x & 31) + o < 32) s.join(other);
    }
}

template <class S>
__device__ __forceinline__ void write_block(S s, ACC (*shared)[3], ACC* to) {  // all 256 threads' results, joined
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    warp_join(s);
    if (lane == 0)
        for (int j = 0; j < S::VALUES; ++j) shared[warp][j] = s.v[j];
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int w = 1; w < (int)blockDim.x / 32; ++w) {
            S other;
            for (int j = 0; j < S::VALUES; ++j) other.v[j] = shared[w][j];
            s.join(other);
        }
        for (int j = 0; j < S::VALUES; ++j) to[j] = s.v[j];
    }
}

// ---- partial results ----

// Calls each(image, start, n, t) for the parts of runs that this thread's group has: n numbers of the image's run, from
// start on. A run is cut every `span`.
template <class Each>
__device__ __forceinline__ void each_run(i64 images, i64 l, int lanes, int span, const Each& each) {
    int groups = blockDim.x / lanes, group = threadIdx.x / lanes, t = threadIdx.x % lanes;
    i64 cuts = (l + span - 1) / span;
    for (i64 u = blockIdx.y * (i64)groups + group; u < images * cuts; u += gridDim.y * (i64)groups) {
        i64 image = u / cuts, start = (u - image * cuts) * span;
        each(image, start, (int)min((i64)span, l - start), t);
    }
}

extern "C" __global__ void __launch_bounds__(256)
    moments_runs(const REAL* __restrict__ x, ACC* partial, i64 images, i64 b, i64 l, int lanes, int span) {
    __shared__ ACC shared[8][3];
    constexpr int N = Pack<REAL>::N;
    bool packs = l % N == 0 && aligned16(x);
    Moments s;
    each_run(images, l, lanes, span, [&](i64 image, i64 start, int n, int t) {
        const REAL* run = x + (image * b + blockIdx.x) * l + start;
        if (packs) {
#pragma unroll 4
            for (int i = t * N; i < n; i += lanes * N) {
                Pack<REAL> pack = load_pack(run + i);
                ACC v[N];
#pragma unroll
                for (int j = 0; j < N; ++j) v[j] = pack.v[j];
                s.add(v);
            }
        } else {
#pragma unroll 4
            for (int i = t; i < n; i += lanes) {
                ACC v[1] = {run[i]};
                s.add(v);
            }
        }
    });
    write_block(s, shared, partial + (blockIdx.y * b + blockIdx.x) * 3);
}

extern "C" __global__ void __launch_bounds__(256)
    products_runs(const REAL* __restrict__ g, const REAL* __restrict__ x, const REAL* mean, ACC* partial, i64 images,
                  i64 b, i64 l, int lanes, int span) {
    __shared__ ACC shared[8][3];
    constexpr int N = Pack<REAL>::N;
    bool packs = l % N == 0 && aligned16(g, x);
    ACC centre = mean[blockIdx.x];
    Products s;
    each_run(images, l, lanes, span, [&](i64 image, i64 start, int n, int t) {
        i64 run = (image * b + blockIdx.x) * l + start;
        const REAL *g_run = g + run, *x_run = x + run;
        if (packs) {
#pragma unroll 2
            for (int i = t * N; i < n; i += lanes * N) {
                Pack<REAL> gs = load_pack(g_run + i), xs = load_pack(x_run + i);
#pragma unroll
                for (int j = 0; j < N; ++j) {
                    s.v[0] += (ACC)gs.v[j];
                    s.v[1] += (ACC)gs.v[j] * ((ACC)xs.v[j] - centre);
                }
            }
        } else {
#pragma unroll 4
            for (int i = t; i < n; i += lanes) {
                ACC slope = g_run[i];
                s.v[0] += slope;
                s.v[1] += slope * ((ACC)x_run[i] - centre);
            }
        }
    });
    write_block(s, shared, partial + (blockIdx.y * b + blockIdx.x) * 2);
}

// Columns: 32 of them for each block, a warp for every eighth image; the warps' results are joined in their order.
template <class S, class Add>
__device__ __forceinline__ void columns(ACC (*shared)[8][32], ACC* partial, i64 images, i64 width, const Add& add) {
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    i64 c = blockIdx.x * (i64)32 + lane;
    S s;
    if (c < width) {
#pragma unroll 4
        for (i64 a = blockIdx.y * (i64)8 + warp; a < images; a += gridDim.y * (i64)8) add(s, c, a * width + c);
    }
#pragma unroll
    for (int j = 0; j < S::VALUES; ++j) shared[j][warp][lane] = s.v[j];
    __syncthreads();
    if (warp == 0 && c < width) {
        for (int w = 1; w < 8; ++w) {
            S other;
#pragma unroll
            for (int j = 0; j < S::VALUES; ++j) other.v[j] = shared[j][w][lane];
            s.join(other);
        }
#pragma unroll
        for (int j = 0; j < S::VALUES; ++j) partial[(blockIdx.y * width + c) * S::VALUES + j] = s.v[j];
    }
}

extern "C" __global__ void __launch_bounds__(256)
    moments_columns(const REAL* __restrict__ x, ACC* partial, i64 images, i64 b, i64 l) {
    __shared__ ACC shared[3][8][32];
    columns<Moments>(shared, partial, images, b * l, [&](Moments& s, i64, i64 i) {
        ACC v[1] = {x[i]};
        s.add(v);
    });
}

extern "C" __global__ void __launch_bounds__(256)
    products_columns(const REAL* __restrict__ g, const REAL* __restrict__ x, const REAL* mean, ACC* partial,
                     i64 images, i64 b, i64 l) {
    __shared__ ACC shared[3][8][32];
    columns<Products>(shared, partial, images, b * l, [&](Products& s, i64 c, i64 i) {
        ACC slope = g[i];
        s.v[0] += slope;
        s.v[1] += slope * ((ACC)x[i] - (ACC)mean[c / l]);
    });
}

// ---- the partial results of each b, by a warp; `per` columns belong to each ----

template <class S>
__device__ __forceinline__ bool finished(S& s, const ACC* partial, int splits, i64 b, int per) {
    i64 channel = (blockIdx.x * (i64)blockDim.x + threadIdx.x) / 32;
    if (channel >= b) return false;  // a whole warp, for no exchange goes beyond it
    for (int i = threadIdx.x & 31; i < splits * per; i += 32) {
        S other;
        i64 at = (i / per) * (b * per) + channel * per + i % per;
#pragma unroll
        for (int j = 0; j < S::VALUES; ++j) other.v[j] = partial[at * S::VALUES + j];
        s.join(other);
    }
    warp_join(s);
    return (threadIdx.x & 31) == 0;
}

extern "C" __global__ void __launch_bounds__(256)
    moments_finish(const ACC* partial, REAL* mean, REAL* var, int splits, i64 b, int per) {
    i64 channel = (blockIdx.x * (i64)blockDim.x + threadIdx.x) / 32;
    Moments s;
    if (finished(s, partial, splits, b, per)) {
        mean[channel] = (REAL)s.v[1];
        var[channel] = (REAL)(s.v[2] / s.v[0]);
    }
}

// Moves what is kept (null for nothing) towards a new number.
__device__ __forceinline__ void move(REAL* kept, i64 at, ACC to, ACC momentum) {
    if (kept) kept[at] = (REAL)((ACC)kept[at] * (1 - momentum) + to * momentum);
}

extern "C" __global__ void __launch_bounds__(256)
    statistics_finish(const ACC* partial, REAL* mean, REAL* rstd, REAL* running_mean, REAL* running_var, ACC eps,
                      ACC momentum, ACC unbiased, int splits, i64 b, int per) {
    i64 channel = (blockIdx.x * (i64)blockDim.x + threadIdx.x) / 32;
    Moments s;
    if (finished(s, partial, splits, b, per)) {
        ACC var = s.v[2] / s.v[0];
        mean[channel] = (REAL)s.v[1];
        rstd[channel] = (REAL)(1 / sqrt_of(var + eps));
        move(running_mean, channel, s.v[1], momentum);
        move(running_var, channel, var * unbiased, momentum);
    }
}

extern "C" __global__ void __launch_bounds__(256)
    kept_statistics(const REAL* mean, const REAL* var, REAL* mean_copy, REAL* rstd, ACC eps, i64 b) {
    for (i64 i = first_index(); i < b; i += grid_size()) {
        mean_copy[i] = mean[i];
        rstd[i] = (REAL)(1 / sqrt_of((ACC)var[i] + eps));
    }
}

extern "C" __global__ void __launch_bounds__(256)
    products_finish(const ACC* partial, const REAL* rstd, REAL* dweight, REAL* dbias, int splits, i64 b, int per) {
    i64 channel = (blockIdx.x * (i64)blockDim.x + threadIdx.x) / 32;
    Products s;
    if (finished(s, partial, splits, b, per)) {
        dbias[channel] = (REAL)s.v[0];
        dweight[channel] = (REAL)(s.v[1] * (ACC)rstd[channel]);
    }
}

// ---- element by element ----

struct Normalize {
    const REAL *mean, *rstd, *weight, *bias;
    struct Numbers { ACC scale, shift; };
    __device__ __forceinline__ Numbers numbers(i64 b) const {
        ACC scale = weight ? (ACC)rstd[b] * (ACC)weight[b] : (ACC)rstd[b];
        ACC shift = bias ? (ACC)bias[b] - (ACC)mean[b] * scale : -(ACC)mean[b] * scale;
        return {scale, shift};
    }
    static __device__ __forceinline__ ACC result(const Numbers& n, ACC x, ACC) { return x * n.scale + n.shift; }
};

// dx = weight rstd (g - sum(g)/n - h sum(g h)/n), h = (x - mean) rstd; where mean and rstd are constants, weight rstd g.
struct NormalizeGrad {
    const REAL *mean, *rstd, *weight, *dweight, *dbias;
    ACC count;  // 0 for constants
    struct Numbers { ACC scale, mean, slope, shift; };
    __device__ __forceinline__ Numbers numbers(i64 b) const {
        ACC scale = weight ? (ACC)rstd[b] * (ACC)weight[b] : (ACC)rstd[b];
        if (count == 0) return {scale, 0, 0, 0};
        return {scale, (ACC)mean[b], -(ACC)dweight[b] * (ACC)rstd[b] / count, (ACC)dbias[b] / count};
    }
    static __device__ __forceinline__ ACC result(const Numbers& n, ACC g, ACC x) {
        return ((x - n.mean) * n.slope + g - n.shift) * n.scale;
    }
};

struct Mix {  // by g + along (x - mean) + shift
    const REAL *mean, *by, *along, *shift;
    struct Numbers { ACC by, mean, along, shift; };
    __device__ __forceinline__ Numbers numbers(i64 b) const {
        return {(ACC)by[b], (ACC)mean[b], (ACC)along[b], (ACC)shift[b]};
    }
    static __device__ __forceinline__ ACC result(const Numbers& n, ACC g, ACC x) {
        return (x - n.mean) * n.along + n.shift + g * n.by;
    }
};

// y from u, and from w unless that is null, in runs of one b each.
template <class F>
__device__ __forceinline__ void map_runs(const F& f, const REAL* u, const REAL* w, REAL* y, i64 images, i64 b, i64 l,
                                         int lanes, int span) {
    constexpr int N = Pack<REAL>::N;
    bool packs = l % N == 0 && aligned16(u, w, y);
    int groups = blockDim.x / lanes, t = threadIdx.x % lanes;
    for (i64 r = blockIdx.x * (i64)groups + threadIdx.x / lanes; r < images * b; r += gridDim.x * (i64)groups) {
        typename F::Numbers numbers = f.numbers(r % b);
        for (i64 start = blockIdx.y * (i64)span; start < l; start += gridDim.y * (i64)span) {
            int n = (int)min((i64)span, l - start);
            const REAL *us = u + r * l + start, *ws = w ? w + r * l + start : us;
            REAL* ys = y + r * l + start;
            if (packs) {
#pragma unroll 2
                for (int i = t * N; i < n; i += lanes * N) {
                    Pack<REAL> a = load_pack(us + i), c = w ? load_pack(ws + i) : a;
#pragma unroll
                    for (int j = 0; j < N; ++j) a.v[j] = (REAL)F::result(numbers, a.v[j], c.v[j]);
                    store_pack(ys + i, a);
                }
            } else {
#pragma unroll 4
                for (int i = t; i < n; i += lanes) ys[i] = (REAL)F::result(numbers, us[i], w ? (ACC)ws[i] : (ACC)0);
            }
        }
    }
}

// The same in columns: `lanes` threads side by side, each on N columns down the images.
template <class F>
__device__ __forceinline__ void map_columns(const F& f, const REAL* u, const REAL* w, REAL* y, i64 images, i64 b, i64 l,
                                            int lanes) {
    constexpr int N = Pack<REAL>::N;
    i64 width = b * l;
    bool packs = width % N == 0 && aligned16(u, w, y);
    int groups = blockDim.x / lanes, step = packs ? N : 1;
    i64 row = blockIdx.y * (i64)groups + threadIdx.x / lanes;
    for (i64 c = (blockIdx.x * (i64)lanes + threadIdx.x % lanes) * step; c < width;
         c += gridDim.x * (i64)lanes * step) {
        typename F::Numbers n[N];
#pragma unroll
        for (int j = 0; j < N; ++j) n[j] = f.numbers(min(c + j, width - 1) / l);
#pragma unroll 2
        for (i64 a = row; a < images; a += gridDim.y * (i64)groups) {
            i64 i = a * width + c;
            if (packs) {
                Pack<REAL> p = load_pack(u + i), q = w ? load_pack(w + i) : p;
#pragma unroll
                for (int j = 0; j < N; ++j) p.v[j] = (REAL)F::result(n[j], p.v[j], q.v[j]);
                store_pack(y + i, p);
            } else {
                y[i] = (REAL)F::result(n[0], u[i], w ? (ACC)w[i] : (ACC)0);
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(256)
    normalize_runs(const REAL* x, const REAL* mean, const REAL* rstd, const REAL* weight, const REAL* bias, REAL* y,
                   i64 images, i64 b, i64 l, int lanes, int span) {
    map_runs(Normalize{mean, rstd, weight, bias}, x, (const REAL*)nullptr, y, images, b, l, lanes, span);
}
extern "C" __global__ void __launch_bounds__(256)
    normalize_columns(const REAL* x, const REAL* mean, const REAL* rstd, const REAL* weight, const REAL* bias, REAL* y,
                      i64 images, i64 b, i64 l, int lanes) {
    map_columns(Normalize{mean, rstd, weight, bias}, x, (const REAL*)nullptr, y, images, b, l, lanes);
}
extern "C" __global__ void __launch_bounds__(256)
    normalize_grad_runs(const REAL* g, const REAL* x, const REAL* mean, const REAL* rstd, const REAL* weight,
                        const REAL* dweight, const REAL* dbias, REAL* dx, ACC count, i64 images, i64 b, i64 l,
                        int lanes, int span) {
    map_runs(NormalizeGrad{mean, rstd, weight, dweight, dbias, count}, g, x, dx, images, b, l, lanes, span);
}
extern "C" __global__ void __launch_bounds__(256)
    normalize_grad_columns(const REAL* g, const REAL* x, const REAL* mean, const REAL* rstd, const REAL* weight,
                           const REAL* dweight, const REAL* dbias, REAL* dx, ACC count, i64 images, i64 b, i64 l,
                           int lanes) {
    map_columns(NormalizeGrad{mean, rstd, weight, dweight, dbias, count}, g, x, dx, images, b, l, lanes);
}
extern "C" __global__ void __launch_bounds__(256)
    mix_runs(const REAL* g, const REAL* x, const REAL* mean, const REAL* by, const REAL* along, const REAL* shift,
             REAL* y, i64 images, i64 b, i64 l, int lanes, int span) {
    map_runs(Mix{mean, by, along, shift}, g, x, y, images, b, l, lanes, span);
}
extern "C" __global__ void __launch_bounds__(256)
    mix_columns(const REAL* g, const REAL* x, const REAL* mean, const REAL* by, const REAL* along, const REAL* shift,
                REAL* y, i64 images, i64 b, i64 l, int lanes) {
    map_columns(Mix{mean, by, along, shift}, g, x, y, images, b, l, lanes);
}
