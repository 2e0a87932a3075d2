// bfloat16 as far as CuPy's kernels go: in memory two bytes, in arithmetic a float.
#pragma once
struct __nv_bfloat16 {
    unsigned short bits;
    __nv_bfloat16() {}
    __nv_bfloat16(float v) {
        unsigned u = emu::bits_of<unsigned>(v);
        bits = v != v ? 0x7fff : (u + 0x7fff + (u >> 16 & 1)) >> 16;
    }
    operator float() const { return emu::bits_of<float>(unsigned(bits) << 16); }
};
static inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 v) { return v.bits; }
static inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short v) {
    __nv_bfloat16 x;
    x.bits = v;
    return x;
}
static inline bool __hisnan(__nv_bfloat16 v) { return float(v) != float(v); }
static inline int __hisinf(__nv_bfloat16 v) { return (v.bits & 0x7fff) != 0x7f80 ? 0 : v.bits >> 15 ? -1 : 1; }
