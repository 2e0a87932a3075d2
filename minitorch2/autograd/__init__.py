"""torch.autograd."""

from ..core.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from .backward import backward, grad
from .function import Function, FunctionCtx, once_differentiable

__all__ = [
    "Function",
    "FunctionCtx",
    "backward",
    "enable_grad",
    "grad",
    "inference_mode",
    "no_grad",
    "once_differentiable",
    "set_grad_enabled",
]
