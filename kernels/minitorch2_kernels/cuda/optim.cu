// Optimizer updates of many tensors in one launch, each element read and written once.
//
// TENSORS, the most that one launch takes, is a macro. Their addresses come by value with the launch: nothing has to be
// copied to the device before it, and a captured graph keeps them.

enum { PARAM, GRAD, FIRST_STATE, SECOND_STATE, THIRD_STATE, STEP, ARRAYS };

struct Table {
    u64 address[ARRAYS][TENSORS];
    i64 size[TENSORS];
    int first[TENSORS + 1];  // the block that begins each tensor, and the end
    int count;
};

constexpr int CHUNK = 2048;  // elements of a tensor that one block works on: a multiple of every Pack's

// Calls update(p, g, a, b, c) for the elements of this block, in registers; the arrays that are there and changed are
// written back. A, B, C: whether the update has that array of state.
template <bool A, bool B, bool C, class Update>
__device__ __forceinline__ void each_element(const Table& table, int t, const Update& update) {
    i64 start = (i64)(blockIdx.x - table.first[t]) * CHUNK;
    int n = (int)min((i64)CHUNK, table.size[t] - start);
    REAL* p = reinterpret_cast<REAL*>(table.address[PARAM][t]) + start;
    const REAL* g = reinterpret_cast<const REAL*>(table.address[GRAD][t]) + start;
    REAL* a = A ? reinterpret_cast<REAL*>(table.address[FIRST_STATE][t]) + start : nullptr;
    REAL* b = B ? reinterpret_cast<REAL*>(table.address[SECOND_STATE][t]) + start : nullptr;
    REAL* c = C ? reinterpret_cast<REAL*>(table.address[THIRD_STATE][t]) + start : nullptr;
    constexpr int N = Pack<REAL>::N;
    int done = 0;
    if (aligned16(p, g, a, b, c)) {
        done = n / N * N;
        for (int i = threadIdx.x * N; i < done; i += blockDim.x * N) {
            Pack<REAL> ps = load_pack(p + i), gs = load_pack(g + i), as = ps, bs = ps, cs = ps;
            if (A) as = load_pack(a + i);
            if (B) bs = load_pack(b + i);
            if (C) cs = load_pack(c + i);
#pragma unroll
            for (int j = 0; j < N; ++j) {
                ACC x = ps.v[j], u = as.v[j], v = bs.v[j], w = cs.v[j];
                update(x, (ACC)gs.v[j], u, v, w);
                ps.v[j] = (REAL)x, as.v[j] = (REAL)u, bs.v[j] = (REAL)v, cs.v[j] = (REAL)w;
            }
            store_pack(p + i, ps);
            if (A) store_pack(a + i, as);
            if (B) store_pack(b + i, bs);
            if (C) store_pack(c + i, cs);
        }
    }
    for (int i = done + threadIdx.x; i < n; i += blockDim.x) {
        ACC x = p[i], u = A ? (ACC)a[i] : (ACC)0, v = B ? (ACC)b[i] : (ACC)0, w = C ? (ACC)c[i] : (ACC)0;
        update(x, (ACC)g[i], u, v, w);
        p[i] = (REAL)x;
        if (A) a[i] = (REAL)u;
        if (B) b[i] = (REAL)v;
        if (C) c[i] = (REAL)w;
    }
}

// The tensor that this block belongs to.
__device__ __forceinline__ int tensor_of_block(const Table& table) {
    int low = 0, high = table.count;  // first[low] <= block < first[high]
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (table.first[middle] <= (int)blockIdx.x) low = middle;
        else high = middle;
    }
    return low;
}

// ---- SGD ----

enum { SGD_MAXIMIZE = 1, SGD_DECAY = 2, SGD_FIRST = 4, SGD_NESTEROV = 8, SGD_DAMPED = 16 };

template <bool MOMENTUM>
struct Sgd {
    ACC minus_lr, momentum, undamped, weight_decay;
    int flags;
    __device__ __forceinline__ void operator()(ACC& p, ACC g, ACC& buffer, ACC&, ACC&) const {
        if (flags & SGD_MAXIMIZE) g = -g;
        if (flags & SGD_DECAY) g = g + weight_decay * p;
        if (MOMENTUM) {
            if (flags & SGD_FIRST) {
                buffer = g;
            } else {
                buffer *= momentum;
                buffer += flags & SGD_DAMPED ? undamped * g : g;
            }
            g = flags & SGD_NESTEROV ? g + momentum * buffer : buffer;
        }
        p += minus_lr * g;
    }
};

// lr: the learning rate on the device, or null where minus_lr holds it
#define SGD(name, MOMENTUM)                                                                                     \
    extern "C" __global__ void __launch_bounds__(256)                                                           \
        name(const __grid_constant__ Table table, const ACC* lr, ACC minus_lr, ACC momentum, ACC undamped,      \
             ACC weight_decay, int flags) {                                                                     \
        Sgd<MOMENTUM> update = {lr ? -*lr : minus_lr, momentum, undamped, weight_decay, flags};                 \
        each_element<MOMENTUM, false, false>(table, tensor_of_block(table), update);                            \
    }
SGD(sgd, false)
SGD(sgd_momentum, true)

// ---- Adam and AdamW ----

enum { ADAM_MAXIMIZE = 1, ADAM_DECAY = 2, ADAM_DECOUPLED = 4, ADAM_FROM_GRAD = 8 };

template <bool AMSGRAD>
struct Adam {
    ACC minus_step_size, bias2_sqrt, decay, weight1, beta2, weight2, eps, weight_decay;
    int flags;
    __device__ __forceinline__ void operator()(ACC& p, ACC g, ACC& avg, ACC& square, ACC& top) const {
        if (flags & ADAM_DECOUPLED) p *= decay;
        if (flags & ADAM_MAXIMIZE) g = -g;
        if (flags & ADAM_DECAY) g = g + weight_decay * p;
        // torch.lerp: from whichever end is nearer
        if (flags & ADAM_FROM_GRAD) avg = g - weight1 * (g - avg);
        else avg += weight1 * (g - avg);
        square *= beta2;
        square += (weight2 * g) * g;
        if (AMSGRAD) top = Max::join(top, square);
        ACC denominator = sqrt_of(AMSGRAD ? top : square) / bias2_sqrt + eps;
        p += (minus_step_size * avg) / denominator;
    }
};

// corrections: for each tensor -lr / (1 - beta1^step), sqrt(1 - beta2^step) and 1 - lr * weight_decay; or null where
// all tensors have the three that follow
#define ADAM(name, AMSGRAD)                                                                                     \
    extern "C" __global__ void __launch_bounds__(256)                                                           \
        name(const __grid_constant__ Table table, const ACC* corrections, ACC minus_step_size, ACC bias2_sqrt,  \
             ACC decay, ACC weight1, ACC beta2, ACC weight2, ACC eps, ACC weight_decay, int flags) {            \
        int t = tensor_of_block(table);                                                                         \
        if (corrections) {                                                                                      \
            minus_step_size = corrections[3 * t];                                                               \
            bias2_sqrt = corrections[3 * t + 1];                                                                \
            decay = corrections[3 * t + 2];                                                                     \
        }                                                                                                       \
        Adam<AMSGRAD> update = {minus_step_size, bias2_sqrt, decay, weight1, beta2,                             \
                                weight2,         eps,        weight_decay, flags};                              \
        each_element<true, true, AMSGRAD>(table, t, update);                                                    \
    }
ADAM(adam, false)
ADAM(adam_amsgrad, true)

// What follows from the steps where they or the learning rate are on the device, a thread for each tensor: steps there
// are advanced by one first (wide: they are double), a tensor without one has come to `step_here`.
extern "C" __global__ void adam_corrections(const __grid_constant__ Table table, ACC* corrections, const ACC* lr_there,
                                            double lr, double beta1, double beta2, double weight_decay,
                                            double step_here, int wide) {
    int t = threadIdx.x + blockIdx.x * blockDim.x;
    if (t >= table.count) return;
    double step = step_here;
    if (table.address[STEP][t])
        step = wide ? *reinterpret_cast<double*>(table.address[STEP][t]) += 1
                    : (double)(*reinterpret_cast<float*>(table.address[STEP][t]) += 1);
    if (lr_there) lr = *lr_there;
    corrections[3 * t] = (ACC)-(lr / (1 - pow(beta1, step)));
    corrections[3 * t + 1] = (ACC)sqrt(1 - pow(beta2, step));
    corrections[3 * t + 2] = (ACC)(1 - lr * weight_decay);
}

// ---- what gradients go through before: PARAM is the gradient here ----

// partial[block]: the sum of the squares of this block's elements.
extern "C" __global__ void __launch_bounds__(256) squares(const __grid_constant__ Table table, ACC* partial) {
    __shared__ ACC scratch[33];
    int t = tensor_of_block(table);
    i64 start = (i64)(blockIdx.x - table.first[t]) * CHUNK;
    int n = (int)min((i64)CHUNK, table.size[t] - start);
    const REAL* x = reinterpret_cast<const REAL*>(table.address[PARAM][t]) + start;
    ACC sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) sum += (ACC)x[i] * (ACC)x[i];
    sum = block_all<Sum>(sum, scratch);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// lengths[t]: the root of what tensor t's blocks left behind, added by a warp in a fixed order.
extern "C" __global__ void __launch_bounds__(256)
    squares_finish(const __grid_constant__ Table table, const ACC* partial, REAL* lengths) {
    int t = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    if (t >= table.count) return;
    ACC sum = 0;
    for (int i = table.first[t] + (threadIdx.x & 31); i < table.first[t + 1]; i += 32) sum += partial[i];
    sum = warp_all<Sum>(sum);
    if ((threadIdx.x & 31) == 0) lengths[t] = (REAL)sqrt_of(sum);
}

// Every element times *factor; *found (if not null) becomes 1 where one was not finite.
template <class Factor>
__device__ __forceinline__ void scale_each(const Table& table, const Factor* factor, float* found) {
    bool finite = true;
    ACC by = (ACC)*factor;
    each_element<false, false, false>(table, tensor_of_block(table), [&](ACC& p, ACC, ACC&, ACC&, ACC&) {
        finite = finite && p - p == 0;  // inf - inf is NaN
        p *= by;
    });
    if (found && !finite) *found = 1;
}
extern "C" __global__ void __launch_bounds__(256) scale(const __grid_constant__ Table table, const REAL* factor) {
    scale_each(table, factor, nullptr);
}
extern "C" __global__ void __launch_bounds__(256)
    unscale(const __grid_constant__ Table table, const float* factor, float* found) {
    scale_each(table, factor, found);
}
