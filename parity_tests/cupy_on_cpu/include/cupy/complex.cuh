// CuPy's own needs NVIDIA's Thrust. Kernels of real numbers only name the type.
#pragma once
template <class T>
struct complex {
    T re, im;
    complex() {}
    complex(T re, T im = 0) : re(re), im(im) {}
    T real() const { return re; }
    T imag() const { return im; }
};
