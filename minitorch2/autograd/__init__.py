"""torch.autograd."""

import importlib
import warnings
from typing import Any

from ..core.grad_mode import (
    enable_grad,
    inference_mode,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
    state,
)
from ..core.placing import place
from ..core.variable import Variable as Tensor
from .anomaly import detect_anomaly, set_detect_anomaly
from .backward import backward, grad
from .function import Function, FunctionCtx, once_differentiable
from .gradcheck import gradcheck, gradgradcheck

__all__ = [
    "Function",
    "FunctionCtx",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "inference_mode",
    "no_grad",
    "once_differentiable",
    "gradcheck",
    "gradgradcheck",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_multithreading_enabled",
]


class _EveryTensor(type):
    def __instancecheck__(cls, instance) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_EveryTensor):
    """torch's name for a tensor from the days when tensors had no gradients: Variable(tensor) is the same numbers as a
    leaf, and every tensor is an instance."""

    def __new__(cls, data: Any, requires_grad=False, volatile=None):
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        if volatile:
            message = "volatile was removed and now has no effect. Use `with torch.no_grad():` instead."
            warnings.warn(message, stacklevel=2)
        tensor: Any = data
        return tensor.detach().requires_grad_(requires_grad)


def _is_checkpoint_valid() -> bool:
    """False inside grad and backward(inputs=...), where a node must not run a backward pass of its own."""
    return not state.selective


def kineto_available() -> bool:
    """True: see torch.profiler."""
    return True


_MODES = (enable_grad, inference_mode, no_grad, set_grad_enabled, set_multithreading_enabled)
place("autograd.grad_mode", {mode.__name__: mode for mode in _MODES})
place("autograd.anomaly_mode", {"detect_anomaly": detect_anomaly, "set_detect_anomaly": set_detect_anomaly})
place("autograd.variable", {"Variable": Variable})


def __getattr__(name: str):
    """forward_ad, functional, graph and profiler are imported when first asked for."""
    if name in ("forward_ad", "functional", "graph", "profiler"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"minitorch2.autograd has no '{name}'")
