// y (N, C, R) += bias (C,), rounded once. A row of R numbers begins on a multiple of 16 bytes where R is whole packs.

extern "C" __global__ void add_bias(REAL* y, const REAL* __restrict__ bias, i64 size, i64 c, i64 rest) {
    constexpr int N = Pack<REAL>::N;
    if (rest % N == 0 && aligned16(y)) {
        i64 packs = size / N, row = rest / N;
        for (i64 i = first_index(); i < packs; i += grid_size()) {
            ACC b = (ACC)bias[i / row % c];
            Pack<REAL> pack = load_pack(y + i * N);
#pragma unroll
            for (int j = 0; j < N; ++j) pack.v[j] = (REAL)((ACC)pack.v[j] + b);
            store_pack(y + i * N, pack);
        }
    } else {
        for (i64 i = first_index(); i < size; i += grid_size()) y[i] = (REAL)((ACC)y[i] + (ACC)bias[i / rest % c]);
    }
}

// Every row of y (R, C) becomes bias (C,): what a product is then added to.
extern "C" __global__ void fill_rows(REAL* y, const REAL* __restrict__ bias, i64 size, i64 c) {
    constexpr int N = Pack<REAL>::N;
    if (c % N == 0 && aligned16(y, bias)) {
        i64 packs = size / N, row = c / N;
        for (i64 i = first_index(); i < packs; i += grid_size()) store_pack(y + i * N, load_pack(bias + i % row * N));
    } else {
        for (i64 i = first_index(); i < size; i += grid_size()) y[i] = bias[i % c];
    }
}
