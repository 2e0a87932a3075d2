// Sums over all dims but one, in parts that are added up in a fixed order.

#define DOWN 8  // rows that a block of column sums reads side by side

// Block (32, DOWN): to[part, column] = the sum of x's rows that are this part's; parts: gridDim.y.
template <class From, class To>
__device__ __forceinline__ void sum_columns(const From* __restrict__ x, To* __restrict__ to, i64 rows, i64 columns) {
    __shared__ ACC sums[DOWN][33];
    i64 column = blockIdx.x * (i64)32 + threadIdx.x;
    ACC sum = 0;
    if (column < columns) {
#pragma unroll 4
        for (i64 row = blockIdx.y * (i64)DOWN + threadIdx.y; row < rows; row += gridDim.y * (i64)DOWN)
            sum += (ACC)x[row * columns + column];
    }
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < columns) {
        for (int i = 1; i < DOWN; ++i) sum += sums[i][threadIdx.x];
        to[blockIdx.y * columns + column] = To(sum);
    }
}

extern "C" __global__ void column_sums(const REAL* __restrict__ x, REAL* __restrict__ to, i64 rows, i64 columns) {
    sum_columns(x, to, rows, columns);
}

extern "C" __global__ void column_parts(const REAL* __restrict__ x, ACC* __restrict__ parts, i64 rows, i64 columns) {
    sum_columns(x, parts, rows, columns);
}

extern "C" __global__ void column_totals(const ACC* __restrict__ parts, REAL* __restrict__ to, i64 rows, i64 columns) {
    sum_columns(parts, to, rows, columns);
}

// parts[part, channel] of x (outer, channels, inner): block part + channel * number sums a `number`th of its channel.
extern "C" __global__ void channel_parts(const REAL* __restrict__ x, ACC* __restrict__ parts, i64 outer, int channels,
                                         i64 inner, int number) {
    __shared__ ACC scratch[33];
    int channel = blockIdx.x / number, part = blockIdx.x - channel * number;
    i64 size = (outer * inner + number - 1) / number, first = part * size + threadIdx.x;
    i64 last = min((part + 1) * size, outer * inner);
    // place `at` of the channel is (a, l); the next one is blockDim.x further, without a division
    i64 a = first / inner, l = first - a * inner;
    i64 step_a = blockDim.x / inner, step_l = blockDim.x - step_a * inner;
    const REAL* from = x + channel * inner;
    i64 image = channels * inner;
    ACC sum = 0;
    for (i64 at = first; at < last; at += blockDim.x) {
        sum += (ACC)from[a * image + l];
        a += step_a;
        l += step_l;
        if (l >= inner) l -= inner, ++a;
    }
    sum = block_all<Sum>(sum, scratch);
    if (threadIdx.x == 0) parts[(i64)part * channels + channel] = sum;
}
