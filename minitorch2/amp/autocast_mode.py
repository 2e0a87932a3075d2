"""torch.autocast, and the decorators that make a user's own Function go well with it.

Source: torch's pages "Automatic Mixed Precision package" and "Automatic Mixed Precision examples".
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..core.device import device, has_gpu
from ..core.dtypes import bfloat16, float16, float64
from ..core.dtypes import dtype as Dtype
from ..tensor import Tensor
from . import switches


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast knows this type of device: "cpu" and "cuda" (with a GPU or without), no others here."""
    return device(device_type).type in ("cpu", "cuda")


class autocast:
    """A region in which the ops on torch's lists compute in lower precision, or in float32 where that needs it.

        with torch.autocast("cuda"):
            loss = loss_fn(model(x), y)
        loss.backward()

    A context manager and a decorator; regions nest, and enabled=False makes one in which nothing is cast. It holds for
    the thread that enters it, and for tensors on its type of device. The model and its inputs stay in float32.
    Gradients flow back through the casts, so parameters get theirs in float32.

    Args:
        device_type: "cpu" or "cuda".
        dtype: float16 or bfloat16; get_autocast_dtype(device_type) unless told: bfloat16 on the CPU, float16 on CUDA.
        enabled: whether anything is cast.
        cache_enabled: whether the casts of parameters are kept until the outermost region is left, as is the default.
            A parameter that is written to inside a region then goes on being used as it was.

    Raises:
        ValueError: device_type is no str.
        RuntimeError: it is no known device's.

    Warns (and is not enabled): no GPU for "cuda", or another dtype on the CPU.
    """

    def __init__(
        self, device_type: str, dtype: Dtype | None = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if not is_autocast_available(device_type):
            raise RuntimeError(f"User specified an unsupported autocast device_type '{device_type}'")
        self.device = device_type
        self.fast_dtype = switches.get_autocast_dtype(device_type) if dtype is None else dtype
        self._cache_enabled = switches.is_autocast_cache_enabled() if cache_enabled is None else cache_enabled
        if enabled and device(device_type).type == "cuda":
            if not has_gpu():
                warnings.warn("CUDA is not available or torch_xla is imported. Disabling autocast.", stacklevel=2)
                enabled = False
        elif enabled and self.fast_dtype not in (bfloat16, float16):
            warnings.warn(
                f"In {device_type.upper()} autocast, but the target dtype is not supported. Disabling autocast.\n"
                f"{device_type.upper()} Autocast only supports dtypes of {bfloat16}, {float16} currently.",
                stacklevel=2,
            )
            enabled = False
        self._enabled = enabled
        self._outer: list[tuple[bool, Dtype, bool]] = []  # what held before, once for each time this was entered

    def __enter__(self) -> autocast:
        enabled, dtype = switches.is_autocast_enabled(self.device), switches.get_autocast_dtype(self.device)
        switches.set_autocast_dtype(self.device, self.fast_dtype)
        switches.set_autocast_enabled(self.device, self._enabled)
        self._outer.append((enabled, dtype, switches.is_autocast_cache_enabled()))
        switches.set_autocast_cache_enabled(self._cache_enabled)
        switches.autocast_increment_nesting()
        return self

    def __exit__(self, *exc: object) -> bool:
        if switches.autocast_decrement_nesting() == 0:
            switches.clear_autocast_cache()
        enabled, dtype, cache_enabled = self._outer.pop()
        switches.set_autocast_enabled(self.device, enabled)
        switches.set_autocast_dtype(self.device, dtype)
        switches.set_autocast_cache_enabled(cache_enabled)
        return False

    def __call__(self, func: Any) -> Any:
        if not callable(func):
            raise TypeError(
                f"autocast()(func) requires a callable, but got {type(func).__name__}. "
                "Did you mean to use autocast as a context manager? For example:\n"
                "    with torch.autocast(device_type=...):\n"
                "        output = model(input)"
            )

        @functools.wraps(func)
        def in_region(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return in_region


def custom_fwd(fwd: Any = None, *, device_type: str, cast_inputs: Dtype | None = None) -> Any:
    """Decorates the forward of an autograd.Function: remembers in ctx whether it ran under autocast, for custom_bwd.

    cast_inputs: the floating tensors among the arguments (on this type of device, all but float64) are cast to this
    dtype, and forward runs as outside autocast. Outside autocast it does nothing.
    """
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(*args: Any, **kwargs: Any) -> Any:
        ctx = args[0]
        ctx._dtype = switches.get_autocast_dtype(device_type)
        enabled = switches.is_autocast_enabled(device_type)
        ctx._fwd_used_autocast = enabled and cast_inputs is None
        if not enabled or cast_inputs is None:
            return fwd(*args, **kwargs)
        with autocast(device_type=device_type, enabled=False):
            cast = functools.partial(_cast, device_type=device_type, dtype=cast_inputs)
            return fwd(*map(cast, args), **{name: cast(value) for name, value in kwargs.items()})

    return forward


def custom_bwd(bwd: Any = None, *, device_type: str) -> Any:
    """Decorates a backward whose forward has custom_fwd: it runs under autocast if that did."""
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(*args: Any, **kwargs: Any) -> Any:
        ctx = args[0]
        with autocast(device_type=device_type, enabled=ctx._fwd_used_autocast, dtype=ctx._dtype):
            return bwd(*args, **kwargs)

    return backward


def _cast(value: Any, device_type: str, dtype: Dtype) -> Any:
    """The tensors in nested containers, cast; what else there is stays as it is."""
    if isinstance(value, Tensor):
        eligible = value.is_floating_point() and value.device.type == device_type and value.dtype is not float64
        return value.to(dtype) if eligible else value
    if isinstance(value, str | bytes | np.ndarray):
        return value
    cast = functools.partial(_cast, device_type=device_type, dtype=dtype)
    if isinstance(value, Mapping):
        return {cast(key): cast(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return type(value)(map(cast, value)) if isinstance(value, list | tuple) else map(cast, value)  # type: ignore
    return value
