// float16 as far as CuPy's kernels go: in memory two bytes, in arithmetic a float.
#pragma once
struct __half_raw { unsigned short x; };
struct half {
    unsigned short bits;
    half() {}
    half(float v) : bits(emu::float_to_half(v)) {}
    half(double v) : half(float(v)) {}
    half(int v) : half(float(v)) {}
    half(unsigned v) : half(float(v)) {}
    half(long long v) : half(float(v)) {}
    half(unsigned long long v) : half(float(v)) {}
    half(const __half_raw& v) : bits(v.x) {}
    operator float() const { return emu::half_to_float(bits); }
    operator __half_raw() const { return {bits}; }
};
typedef half __half;
static inline unsigned short __half_as_ushort(half v) { return v.bits; }
static inline half __ushort_as_half(unsigned short v) { return __half_raw{v}; }
