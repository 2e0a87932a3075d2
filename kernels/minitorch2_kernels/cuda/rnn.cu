// What a recurrent layer's time step computes beside its matrix product. n rows of width H; every array is n times its
// width without gaps. An element of the state is one thread's; no thread needs another's.

__device__ __forceinline__ float tanh_of(float x) { return tanhf(x); }
__device__ __forceinline__ double tanh_of(double x) { return tanh(x); }
__device__ __forceinline__ ACC sigmoid(ACC x) { return 1 / (1 + exp_of(-x)); }

// new = tanh(gates + products + b_hh), or relu; to y and, for the next step, to h. All (n, H); b_hh (H,) or null.
extern "C" __global__ void rnn_step(const REAL* __restrict__ gates, const REAL* __restrict__ products,
                                    const REAL* __restrict__ b_hh, int relu, REAL* __restrict__ y, REAL* __restrict__ h,
                                    i64 n, int H) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        ACC v = products[i];
        if (b_hh) v += (ACC)b_hh[i % H];
        v += (ACC)gates[i];
        if (relu)
            v = v < 0 ? ACC(0) : v;  // a NaN stays
        else
            v = tanh_of(v);
        y[i] = h[i] = REAL(v);
    }
}

// dgates = (dy + dh) times the slope where the value is y. All (n, H).
extern "C" __global__ void rnn_step_grad(const REAL* __restrict__ dy, const REAL* __restrict__ dh,
                                         const REAL* __restrict__ y, int relu, REAL* __restrict__ dgates, i64 n) {
    for (i64 i = first_index(); i < n; i += grid_size()) {
        ACC d = (ACC)dy[i] + (ACC)dh[i], v = y[i];
        dgates[i] = REAL(relu ? d * (v > 0 ? ACC(1) : ACC(0)) : d * (1 - v * v));
    }
}

// gates (n, 4H) become their values; c (n, H) and cells become c'; out and, where not null, h become o tanh(c').
extern "C" __global__ void lstm_step(REAL* __restrict__ gates, REAL* __restrict__ c, REAL* __restrict__ cells,
                                     REAL* __restrict__ out, REAL* __restrict__ h, i64 n, int H) {
    for (i64 at = first_index(); at < n; at += grid_size()) {
        REAL* gate = gates + at / H * 4 * H + at % H;
        ACC i = sigmoid(gate[0]), f = sigmoid(gate[H]), g = tanh_of((ACC)gate[2 * H]), o = sigmoid(gate[3 * H]);
        ACC cell = (ACC)c[at] * f + i * g;
        gate[0] = REAL(i);
        gate[H] = REAL(f);
        gate[2 * H] = REAL(g);
        gate[3 * H] = REAL(o);
        c[at] = cells[at] = REAL(cell);
        REAL value = REAL(tanh_of(cell) * o);
        out[at] = value;
        if (h) h[at] = value;
    }
}

// dgates (n, 4H) from dy + dh (dh: or null), the gradient of o tanh(c'); dc (n, H), that of c', becomes that of c.
extern "C" __global__ void lstm_step_grad(const REAL* __restrict__ dy, const REAL* __restrict__ dh,
                                          REAL* __restrict__ dc, const REAL* __restrict__ gates,
                                          const REAL* __restrict__ cells, const REAL* __restrict__ before,
                                          REAL* __restrict__ dgates, i64 n, int H) {
    for (i64 at = first_index(); at < n; at += grid_size()) {
        i64 first = at / H * 4 * H + at % H;
        ACC i = gates[first], f = gates[first + H], g = gates[first + 2 * H], o = gates[first + 3 * H];
        ACC d = dy[at];
        if (dh) d += (ACC)dh[at];
        ACC t = tanh_of((ACC)cells[at]);
        ACC d_cell = (ACC)dc[at] + (1 - t * t) * o * d;
        dgates[first] = REAL(d_cell * g * i * (1 - i));
        dgates[first + H] = REAL(d_cell * (ACC)before[at] * f * (1 - f));
        dgates[first + 2 * H] = REAL(d_cell * i * (1 - g * g));
        dgates[first + 3 * H] = REAL(d * t * o * (1 - o));
        dc[at] = REAL(d_cell * f);
    }
}

// out = a + b.
extern "C" __global__ void add_states(const REAL* __restrict__ a, const REAL* __restrict__ b, REAL* __restrict__ out,
                                      i64 n) {
    for (i64 i = first_index(); i < n; i += grid_size()) out[i] = REAL((ACC)a[i] + (ACC)b[i]);
}

// out (n, H) = o tanh(c') once more, from gates (n, 4H) and cells (n, H): what a projection was multiplied with.
extern "C" __global__ void lstm_outputs(const REAL* __restrict__ gates, const REAL* __restrict__ cells,
                                        REAL* __restrict__ out, i64 n, int H) {
    for (i64 i = first_index(); i < n; i += grid_size())
        out[i] = REAL((ACC)gates[i / H * 4 * H + 3 * H + i % H] * tanh_of((ACC)cells[i]));
}

// gates (n, 3H) become their values, inner (n, H) the third of products + b_hh; y (n, H) and h, which was the state
// before, the state after. b_hh (3H,) or null.
extern "C" __global__ void gru_step(REAL* __restrict__ gates, const REAL* __restrict__ products,
                                    const REAL* __restrict__ b_hh, REAL* __restrict__ h, REAL* __restrict__ inner,
                                    REAL* __restrict__ y, i64 n, int H) {
    for (i64 at = first_index(); at < n; at += grid_size()) {
        int column = at % H;
        i64 first = at / H * 3 * H + column;
        ACC to_r = products[first], to_z = products[first + H], to_n = products[first + 2 * H];
        if (b_hh) {
            to_r += (ACC)b_hh[column];
            to_z += (ACC)b_hh[column + H];
            to_n += (ACC)b_hh[column + 2 * H];
        }
        ACC r = sigmoid((ACC)gates[first] + to_r), z = sigmoid((ACC)gates[first + H] + to_z);
        ACC n_ = tanh_of((ACC)gates[first + 2 * H] + r * to_n);
        gates[first] = REAL(r);
        gates[first + H] = REAL(z);
        gates[first + 2 * H] = REAL(n_);
        inner[at] = REAL(to_n);
        y[at] = h[at] = REAL(((ACC)h[at] - n_) * z + n_);
    }
}

// dgates and dproducts (n, 3H) from dy + dh, the gradient of the state after; dh (n, H) becomes its part in the state
// before. before: that state.
extern "C" __global__ void gru_step_grad(const REAL* __restrict__ dy, REAL* __restrict__ dh,
                                         const REAL* __restrict__ gates, const REAL* __restrict__ inner,
                                         const REAL* __restrict__ before, REAL* __restrict__ dgates,
                                         REAL* __restrict__ dproducts, i64 n, int H) {
    for (i64 at = first_index(); at < n; at += grid_size()) {
        i64 first = at / H * 3 * H + at % H;
        ACC r = gates[first], z = gates[first + H], n_ = gates[first + 2 * H];
        ACC d = (ACC)dy[at] + (ACC)dh[at];
        ACC dn = d * (1 - z) * (1 - n_ * n_);
        ACC dr = dn * (ACC)inner[at] * r * (1 - r), dz = d * ((ACC)before[at] - n_) * z * (1 - z);
        dgates[first] = dproducts[first] = REAL(dr);
        dgates[first + H] = dproducts[first + H] = REAL(dz);
        dgates[first + 2 * H] = REAL(dn);
        dproducts[first + 2 * H] = REAL(dn * r);
        dh[at] = REAL(d * z);
    }
}
