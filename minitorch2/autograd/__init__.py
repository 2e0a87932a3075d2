"""torch.autograd."""

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
