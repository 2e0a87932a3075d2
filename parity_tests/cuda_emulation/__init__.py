"""The project's CUDA kernels, run on the CPU: the same sources, compiled by g++ against a header that plays the GPU.

    from cuda_emulation import RawModule, ORDERS, order

`RawModule` is what the stand-in for CuPy has under that name. `MINITORCH2_EMULATION_ORDER` in the environment chooses
in which order threads run, `with order(n):` does so for a block; cuda_emu.h says what the orders are and what cannot
be seen here.
"""

from .build import CompileException, available
from .raw_module import ORDERS, RawKernel, RawModule, order

__all__ = ["ORDERS", "CompileException", "RawKernel", "RawModule", "available", "order"]
