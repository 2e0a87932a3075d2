"""Switches that programs set for GPUs or for determinism; here is one device, and all ops are deterministic."""

from __future__ import annotations

import contextlib
import enum
import importlib
import os
import warnings
from types import ModuleType
from typing import Any

from minitorch2_kernels import cudnn_switches, determinism
from minitorch2_kernels import precision as exactness

from .core import warned
from .core.absent import absent
from .core.device import device, get_default, has_gpu, set_default
from .core.placing import place

_deterministic = {"enabled": False, "warn_only": False}


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Asks for ops that repeat bit for bit. The CPU's all do; a GPU's addition at repeated indices then does, by
    sorting them."""
    determinism.required = bool(mode)
    _deterministic.update(enabled=bool(mode), warn_only=bool(mode) and bool(warn_only))


def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms was last given."""
    return _deterministic["enabled"]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """The warn_only that use_deterministic_algorithms was last given."""
    return _deterministic["warn_only"]


_DEBUG_MODES = ("default", "warn", "error")


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """use_deterministic_algorithms by another name: "default" (0), "warn" (1) or "error" (2)."""
    if not isinstance(debug_mode, int | str):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if isinstance(debug_mode, str):
        if debug_mode not in _DEBUG_MODES:
            raise RuntimeError(
                f"invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got {debug_mode}"
            )
        debug_mode = _DEBUG_MODES.index(debug_mode)
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}")
    use_deterministic_algorithms(debug_mode > 0, warn_only=debug_mode == 1)


def get_deterministic_debug_mode() -> int:
    """The mode as a number."""
    return (2 - _deterministic["warn_only"]) * _deterministic["enabled"]


def set_warn_always(b: bool) -> None:
    """Whether warnings that come once in a process come each time, as far as Python's own filter lets them."""
    warned.always = _bool(b, "setWarnOnlyOnce")


def is_warn_always_enabled() -> bool:
    """What set_warn_always was last given."""
    return warned.always


def get_default_device() -> device:
    """Where new tensors are made that name no device: the CPU unless set otherwise."""
    return get_default()


def set_default_device(device) -> None:
    """Where new tensors are made from now on that name no device; None: the CPU. RuntimeError where it is not there."""
    set_default(device)


def get_num_threads() -> int:
    """How many threads the CPU kernels use."""
    from minitorch2_kernels.cpu import pool  # not before it is needed: see dispatch.py

    return pool.get_num_threads()


def set_num_threads(n: int) -> None:
    """Sets how many threads the CPU kernels use; 1 means the calling thread alone."""
    from minitorch2_kernels.cpu import pool

    pool.set_num_threads(n)


_interop_threads = [os.cpu_count() or 1]


def get_num_interop_threads() -> int:
    """What set_num_interop_threads was last given; here one op runs at a time."""
    return _interop_threads[0]


def set_num_interop_threads(n: int) -> None:
    """Remembers the number."""
    if not isinstance(n, int):
        raise RuntimeError(f"set_num_interop_threads expects an int, but got {type(n).__name__}")
    if n < 1:
        raise RuntimeError("set_num_interop_threads expects a positive integer")
    _interop_threads[0] = n


def set_float32_matmul_precision(precision: str) -> None:
    """With "highest" products of float32 are float32; with "high" and "medium" a GPU may round factors to TF32."""
    exactness.set_float32_matmul(precision)


def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision was last given."""
    return exactness.float32_matmul()


def set_flush_denormal(mode: bool) -> bool:
    """Whether subnormal numbers are now flushed to 0 as asked: NumPy leaves the processor's mode as it is, so no."""
    if not isinstance(mode, bool):
        raise TypeError(f"flush_denormal expects a bool, but got {type(mode).__name__}")
    return False


def _no() -> bool:
    return False


def _bool(value, setter: str) -> bool:
    """value, or the error of torch's setter for anything but True and False."""
    if not isinstance(value, bool):
        raise RuntimeError(f"{setter} expects a bool, but got {type(value).__name__}")
    return value


class _Cudnn(ModuleType):
    """torch.backends.cudnn: convolutions on a GPU by NVIDIA's cuDNN, if it is installed with minitorch2[cudnn].

    enabled: whether to use it; without it, minitorch2's own kernels compute. benchmark: the first convolution of its
    shapes times the plans that cuDNN proposes (benchmark_limit of them, all if 0) and keeps the fastest; one that is
    first met while a CUDA graph is captured does not use cuDNN. deterministic: only plans that repeat bit for bit.
    allow_tf32, on by default as in torch, rules convolutions and recurrent layers by minitorch2's own kernels too.
    """

    @property
    def enabled(self) -> bool:
        return cudnn_switches.enabled

    @enabled.setter
    def enabled(self, value: bool):
        cudnn_switches.enabled = _bool(value, "set_enabled_cudnn")

    @property
    def benchmark(self) -> bool:
        return cudnn_switches.benchmark

    @benchmark.setter
    def benchmark(self, value: bool):
        cudnn_switches.benchmark = _bool(value, "set_benchmark_cudnn")

    @property
    def benchmark_limit(self) -> int:
        return cudnn_switches.benchmark_limit

    @benchmark_limit.setter
    def benchmark_limit(self, value: int):
        cudnn_switches.benchmark_limit = int(value)

    @property
    def deterministic(self) -> bool:
        return cudnn_switches.deterministic

    @deterministic.setter
    def deterministic(self, value: bool):
        cudnn_switches.deterministic = _bool(value, "set_deterministic_cudnn")

    @property
    def allow_tf32(self) -> bool:
        """Whether convolutions and recurrent layers on a GPU may round float32 factors to TF32."""
        return exactness.layers_allow_tf32

    @allow_tf32.setter
    def allow_tf32(self, value: bool):
        exactness.layers_allow_tf32 = _bool(value, "set_allow_tf32_cublas")  # the name that torch's error has

    def is_available(self) -> bool:
        """Whether there are a GPU and a cuDNN that can be loaded."""
        return self.version() is not None

    def version(self) -> int | None:
        """91900 for cuDNN 9.19.0; None where it is not available."""
        if not has_gpu():
            return None
        return importlib.import_module("minitorch2_kernels.cuda.cudnn").version()

    @contextlib.contextmanager
    def flags(self, enabled=False, benchmark=False, benchmark_limit=10, deterministic=False, allow_tf32=True):
        """These settings inside a `with` block; the ones before are back after it."""
        names = ("enabled", "benchmark", "benchmark_limit", "deterministic", "allow_tf32")
        before = [getattr(self, name) for name in names]
        try:
            for name, value in zip(
                names, (enabled, benchmark, benchmark_limit, deterministic, allow_tf32), strict=True
            ):
                setattr(self, name, value)
            yield
        finally:
            for name, value in zip(names, before, strict=True):
                setattr(self, name, value)


class _Matmul:
    @property
    def allow_tf32(self) -> bool:
        """Whether products of float32 matrices on a GPU may round factors to TF32."""
        return exactness.allow_tf32

    @allow_tf32.setter
    def allow_tf32(self, allowed: bool):
        exactness.set_float32_matmul("high" if allowed else "highest")


# Which of torch's kernels for attention count as switched on; there is one here, and it is always used.
attention_kernels: dict[str, bool] = dict.fromkeys(("flash", "mem_efficient", "math", "cudnn"), True)


@contextlib.contextmanager
def _sdp_kernel(enable_flash=True, enable_math=True, enable_mem_efficient=True, enable_cudnn=True):
    """nn.attention.sdpa_kernel in its older form."""
    warnings.warn(
        "`torch.backends.cuda.sdp_kernel()` is deprecated. In the future, this context manager will be removed. Please "
        "see `torch.nn.attention.sdpa_kernel()` for the new context manager, with updated signature.",
        FutureWarning,
        stacklevel=4,
    )
    before = dict(attention_kernels)
    attention_kernels.update(
        flash=enable_flash, math=enable_math, mem_efficient=enable_mem_efficient, cudnn=enable_cudnn
    )
    try:
        yield {}
    finally:
        attention_kernels.update(before)


def _switch(name: str) -> dict[str, Any]:
    """enable_..._sdp(enabled) and ..._sdp_enabled() of one kernel."""

    def enable(enabled: bool) -> None:
        attention_kernels[name] = bool(enabled)

    return {f"enable_{name}_sdp": enable, f"{name}_sdp_enabled": lambda: attention_kernels[name]}


class _Linalg(enum.Enum):
    """torch._C._LinalgBackend."""

    Default, Cusolver, Magma = 0, 1, 2


def _preferred_linalg_library(backend: str | _Linalg | None = None) -> _Linalg:
    """Default: there is one library for each device. RuntimeError where another one is asked for."""
    if backend not in (None, "default", _Linalg.Default):
        raise RuntimeError(f"minitorch2: there is one library for linear algebra; cannot prefer {backend}")
    return _Linalg.Default


@contextlib.contextmanager
def _mkldnn_flags(enabled=False, deterministic=False, allow_tf32=True, fp32_precision="none"):
    """These settings inside a `with` block: there is no oneDNN here that would follow them."""
    names, module = ("enabled", "deterministic", "allow_tf32"), backends.mkldnn
    before = [getattr(module, name) for name in names]
    vars(module).update(zip(names, (enabled, deterministic, allow_tf32), strict=True))
    try:
        yield
    finally:
        vars(module).update(zip(names, before, strict=True))


def _cpu_capability() -> str:
    """DEFAULT: NumPy and numba choose the instructions. Packages ask so as to choose among PyTorch's kernels."""
    return "DEFAULT"


# torch.backends: the attributes that training scripts set and ask for.
backends = place("backends", absent("backends", "its settings stay free to be changed", ("disable_global_flags",)))
place("backends.cudnn", of=_Cudnn)
place("backends.cuda", {"is_built": has_gpu, "matmul": _Matmul(), "is_flash_attention_available": _no})
place("backends.cpu", {"get_cpu_capability": _cpu_capability})
place("backends.cuda", {"sdp_kernel": _sdp_kernel, "preferred_linalg_library": _preferred_linalg_library})
place("backends.mkldnn", {"enabled": True, "deterministic": False, "allow_tf32": False, "flags": _mkldnn_flags})
place("backends.opt_einsum", {"is_available": _no, "enabled": False, "strategy": None, "get_opt_einsum": lambda: None})
for _name in attention_kernels:
    place("backends.cuda", _switch(_name))
for _name in ("mps", "mkl", "mkldnn", "openmp"):
    place(f"backends.{_name}", {"is_available": _no, "is_built": _no})
for _name in ("mps", "mtia", "xpu"):  # accelerators that PyTorch has and this library has not
    place(_name, {"is_available": _no, "device_count": lambda: 0})

__all__ = [
    "are_deterministic_algorithms_enabled",
    "backends",
    "get_default_device",
    "get_deterministic_debug_mode",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "get_num_threads",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "set_default_device",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_num_threads",
    "set_warn_always",
    "use_deterministic_algorithms",
]
