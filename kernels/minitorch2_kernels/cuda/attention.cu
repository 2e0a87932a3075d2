// The rows of attention's scores (batch, L, S), each one warp's, in place.

#define LANES 32
#define MOST_ITEMS (128 / (int)sizeof(ACC))  // of a lane: what registers hold

// The score of key j with its mask; -inf where the query does not see the key.
struct Row {
    const REAL* mask;  // this row's, or null
    i64 mask_step;
    int seen;  // keys the query may look at
    __device__ __forceinline__ ACC score(const REAL* scores, int j) const {
        if (j >= seen) return -INF;
        ACC v = scores[j];
        return mask ? v + (ACC)mask[j * mask_step] : v;
    }
};

// softmax of a row. top: the maximum, which a row of -inf has as 0, so that it becomes zeros, where that is allowed.
__device__ __forceinline__ ACC shift_of(ACC top, bool may_see_nothing) {
    return may_see_nothing && top == -INF ? ACC(0) : top;
}

__device__ __forceinline__ ACC factor_of(ACC total, bool may_see_nothing) {
    return may_see_nothing && total == 0 ? ACC(1) : total;
}

// ITEMS: values a lane keeps in registers, so that a row of up to 32 * ITEMS is read once; 0: longer ones, read thrice.
template <int ITEMS>
__device__ __forceinline__ void softmax_row(REAL* scores, REAL* dropped, const bool* kept, ACC keep_scale, Row row,
                                            int S, bool may_see_nothing) {
    int lane = threadIdx.x % LANES;
    ACC v[ITEMS ? ITEMS : 1], top = -INF, total = 0;
    if (ITEMS) {
#pragma unroll
        for (int t = 0; t < ITEMS; ++t) {
            int j = lane + t * LANES;
            v[t] = j < S ? row.score(scores, j) : -INF;
            top = Max::join(top, v[t]);
        }
        top = shift_of(warp_all<Max>(top), may_see_nothing);
#pragma unroll
        for (int t = 0; t < ITEMS; ++t) {
            v[t] = lane + t * LANES < S ? exp_of(v[t] - top) : ACC(0);
            total += v[t];
        }
    } else {
        for (int j = lane; j < S; j += LANES) top = Max::join(top, row.score(scores, j));
        top = shift_of(warp_all<Max>(top), may_see_nothing);
        for (int j = lane; j < S; j += LANES) {
            ACC e = exp_of(row.score(scores, j) - top);
            scores[j] = REAL(e);
            total += e;
        }
    }
    total = factor_of(warp_all<Sum>(total), may_see_nothing);
#pragma unroll
    for (int t = 0; ITEMS ? t < ITEMS : lane + t * LANES < S; ++t) {
        int j = lane + t * LANES;
        if (j < S) {
            ACC p = (ITEMS ? v[ITEMS ? t : 0] : (ACC)scores[j]) / total;
            scores[j] = REAL(p);
            if (kept) dropped[j] = kept[j] ? REAL(p * keep_scale) : REAL(p * 0);
        }
    }
}

// scores become weights, softmax(scores + mask). rows: batch * L. The mask of batch element (b0, b1), b1 < B1, query i
// and key j lies at b0 * m0 + b1 * m1 + i * m2 + j * m3; or it is null. causal: query i sees keys 0 to i only. kept
// (rows, S), or null: `dropped` becomes what dropout leaves of the weights, times keep_scale.
extern "C" __global__ void __launch_bounds__(256, 2)
    attention_softmax(REAL* __restrict__ scores, REAL* __restrict__ dropped, const REAL* __restrict__ mask,
                      const bool* __restrict__ kept, ACC keep_scale, i64 rows, int L, int S, int causal, int B1, i64 m0,
                      i64 m1, i64 m2, i64 m3) {
    i64 step = grid_size() / LANES;
    for (i64 r = first_index() / LANES; r < rows; r += step) {  // the same r in all of a warp
        int i = r % L;
        i64 b = r / L;
        Row row = {mask ? mask + b / B1 * m0 + b % B1 * m1 + i * m2 : nullptr, m3, causal ? min(i + 1, S) : S};
        REAL* at = scores + r * S;
        REAL* to = kept ? dropped + r * S : nullptr;
        const bool* keep = kept ? kept + r * S : nullptr;
        if (S <= 4 * LANES)
            softmax_row<4>(at, to, keep, keep_scale, row, S, mask != nullptr);
        else if (S <= 8 * LANES)
            softmax_row<8>(at, to, keep, keep_scale, row, S, mask != nullptr);
        else if (S <= MOST_ITEMS * LANES)
            softmax_row<MOST_ITEMS>(at, to, keep, keep_scale, row, S, mask != nullptr);
        else
            softmax_row<0>(at, to, keep, keep_scale, row, S, mask != nullptr);
    }
}

// d, the gradient of what dropout left of the weights, becomes that of the scores: P (D d - sum(P D d)), P the weights
// and D dropout's factors. All (rows, S); kept null: no dropout, D = 1.
extern "C" __global__ void attention_softmax_grad(REAL* __restrict__ d, const REAL* __restrict__ weights,
                                                  const bool* __restrict__ kept, ACC keep_scale, i64 rows, int S) {
    int lane = threadIdx.x % LANES;
    i64 step = grid_size() / LANES;
    for (i64 r = first_index() / LANES; r < rows; r += step) {
        REAL* at = d + r * S;
        const REAL* p = weights + r * S;
        const bool* keep = kept ? kept + r * S : nullptr;
        ACC total = 0;
        for (int j = lane; j < S; j += LANES) {
            ACC v = (ACC)at[j] * (ACC)p[j];
            total += keep ? v * (keep[j] ? keep_scale : ACC(0)) : v;
        }
        total = warp_all<Sum>(total);
        for (int j = lane; j < S; j += LANES) {
            ACC v = at[j];
            if (keep) v *= keep[j] ? keep_scale : ACC(0);
            at[j] = REAL((ACC)p[j] * (v - total));
        }
    }
}
