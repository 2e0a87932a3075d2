// One number for each place: x (N, C, R) at index (N, R).

// Where in x the number for place i lies.
__device__ __forceinline__ i64 picked(const i64* index, i64 i, i64 c, i64 rest) {
    i64 at = index[i];
    if (at < 0) at += c;
    return rest == 1 ? i * c + at : (i / rest * c + at) * rest + i % rest;
}

extern "C" __global__ void pick(const REAL* __restrict__ x, const i64* __restrict__ index, REAL* __restrict__ y,
                                i64 places, i64 c, i64 rest) {
    for (i64 i = first_index(); i < places; i += grid_size()) y[i] = x[picked(index, i, c, rest)];
}

// x holds zeros
extern "C" __global__ void put(const REAL* __restrict__ y, const i64* __restrict__ index, REAL* __restrict__ x,
                               i64 places, i64 c, i64 rest) {
    for (i64 i = first_index(); i < places; i += grid_size()) x[picked(index, i, c, rest)] = y[i];
}
