// Windows over images, from both sides: what a window sees, and which windows see an element.

// n / by for 0 <= n < 2^31 without a division: the product with 2^(32 + shift) / by, whose upper half is shifted; magic
// is that number less 2^32 (Granlund and Montgomery, "Division by invariant integers using multiplication", 1994).
struct Divisor {
    u32 by, magic, shift;
    __device__ __forceinline__ u32 quotient(u32 n) const { return (__umulhi(n, magic) + n) >> shift; }
    __device__ __forceinline__ u32 divide(u32 n, u32& rest) const {
        u32 q = quotient(n);
        rest = n - q * by;
        return q;
    }
};

// One direction of the windows, rows or columns. Tap k of the window at place p sees the element p * stride - padding +
// k * dilation of the image, where there is one. windows.py fills it in.
struct Side {
    int size, places, taps, stride, padding, dilation;  // size, places: of the image and of the output
    Divisor by_size, by_places, by_stride, by_dilation;  // by_size of the columns: in groups, see Windows

    __device__ __forceinline__ int start(int place) const { return place * stride - padding; }
    // The first tap that is inside the image, of a window that starts at `from`.
    __device__ __forceinline__ int first_tap(int from) const { return from < 0 ? by_dilation.quotient(dilation - 1 - from) : 0; }

    // The windows that see element `at` are among those from first_place to last_place; tap() is negative for others.
    __device__ __forceinline__ int first_place(int at) const {
        int beyond = at + padding - (taps - 1) * dilation;
        return beyond > 0 ? by_stride.quotient(beyond + stride - 1) : 0;
    }
    __device__ __forceinline__ int last_place(int at) const {
        return min((int)by_stride.quotient(at + padding), places - 1);
    }
    template <bool DILATED>
    __device__ __forceinline__ int tap(int at, int place) const {
        int k = at + padding - place * stride;
        u32 rest = 0;
        if (DILATED && k > 0) k = by_dilation.divide(k, rest);
        return rest || k >= taps ? -1 : k;  // below 0, too, it is before the window
    }
};

struct Windows {
    Side rows, columns;
    int group;  // elements beside each other that a thread of `gather` makes: 1, 2 or 4, a divisor of the columns
};

// Element i of (planes, rows, columns), as two Divisors know the sizes.
struct Element {
    u32 plane, row, column;
    __device__ __forceinline__ Element(u32 i, const Divisor& rows, const Divisor& columns) {
        plane = rows.divide(columns.divide(i, column), row);
    }
};

template <int N, bool DILATED, class Of>
__device__ __forceinline__ void gather_groups(Group<REAL, N>* __restrict__ dx, i64 n, const Windows& s, const Of& of) {
    const Side &rows = s.rows, &columns = s.columns;
    for (i64 i = first_index(); i < n; i += grid_size()) {
        Element e((u32)i, rows.by_size, columns.by_size);
        auto plane = of(e.plane);
        int column = e.column * N, first = columns.first_place(column), last = columns.last_place(column + N - 1);
        ACC sum[N];
#pragma unroll
        for (int j = 0; j < N; ++j) sum[j] = 0;
        // from the last window to the first, which is from the first tap to the last
        for (int oh = rows.last_place(e.row), top = rows.first_place(e.row); oh >= top; --oh) {
            int k = rows.tap<DILATED>(e.row, oh);
            if (k < 0) continue;
            for (int ow = last; ow >= first; --ow) {
                auto window = plane(oh * columns.places + ow);
#pragma unroll
                for (int j = 0; j < N; ++j) {
                    int m = columns.tap<DILATED>(column + j, ow);
                    if (m >= 0) sum[j] += window(k * columns.taps + m);
                }
            }
        }
        Group<REAL, N> out;
#pragma unroll
        for (int j = 0; j < N; ++j) out.v[j] = REAL(sum[j]);
        dx[i] = out;
    }
}

// dx (planes, rows, columns) from the places of the windows: every element adds up what the windows that see it hand to
// it, of(plane)(place)(tap), in the order of the taps. n: the number of groups in dx.
template <class Of>
__device__ __forceinline__ void gather(REAL* dx, i64 n, const Windows& s, const Of& of) {
    if (s.rows.dilation != 1 || s.columns.dilation != 1)
        gather_groups<1, true>(reinterpret_cast<Group<REAL, 1>*>(dx), n, s, of);
    else if (s.group == 4) gather_groups<4, false>(reinterpret_cast<Group<REAL, 4>*>(dx), n, s, of);
    else if (s.group == 2) gather_groups<2, false>(reinterpret_cast<Group<REAL, 2>*>(dx), n, s, of);
    else gather_groups<1, false>(reinterpret_cast<Group<REAL, 1>*>(dx), n, s, of);
}
