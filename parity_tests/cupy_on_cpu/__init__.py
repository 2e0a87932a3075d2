"""CuPy itself without a GPU: its own arrays, pools, launches and kernels, on a CUDA driver that runs them on the CPU.

    import cupy_on_cpu
    cupy_on_cpu.install()          # before CuPy is imported; from now on cupy.is_available()

The stand-in (cupy_standin) says what CuPy would refuse; here CuPy says so. The driver's and runtime's functions that it
calls are ours (driver.c): memory is the CPU's, and a module is a shared library. Kernels, those that CuPy writes as
well as our own, are compiled by g++ against the header that plays the GPU for the kernels' tests (cuda_emulation),
which says what cannot be seen so. A captured step is recorded and done again. What NVIDIA ships compiled, or CuPy has
compiled beforehand, has no source to run: sorting and linear algebra are NumPy's, matrix products those of the
stand-in's cuBLAS.

Linux on x86-64 alone, since the runtime is compiled into CuPy: its functions are made to jump to ours.
"""

from .install import Crossings, install

__all__ = ["Crossings", "install"]
