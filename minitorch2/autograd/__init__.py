"""torch.autograd."""

import importlib

from ..core.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
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
]


def Variable(data, requires_grad=False):
    """torch's name for a tensor from the days when tensors had no gradients: the tensor itself, or a leaf around it."""
    return data.detach().requires_grad_(requires_grad)


def __getattr__(name: str):
    """functional is imported when first asked for."""
    if name == "functional":
        return importlib.import_module(".functional", __name__)
    raise AttributeError(f"minitorch2.autograd has no '{name}'")
