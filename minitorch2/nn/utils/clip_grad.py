"""Clipping gradients, by their common norm or value by value. Source: torch's page "clip_grad_norm_".

`foreach` is accepted and changes no result: torch chooses by it among equivalent loops.
"""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterable
from typing import Any

import minitorch2_kernels as K

from ...core.function import Function
from ...core.grad_mode import no_grad
from ...core.quiet import IGNORE, restore, silence
from ...creation import tensor
from ...ops._inplace import check_writable, is_plain
from ...ops.joining import stack
from ...ops.linalg import vector_norm
from ...tensor import Tensor

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


@no_grad()
def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all tensors as if they were one vector; 0-d, of their dtype (0.0 where there is none).

    norm_type may be "inf" or any number. RuntimeError with error_if_nonfinite where the norm is inf or nan.
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    order: Any = float(norm_type)
    if not tensors:
        return tensor(0.0)
    if order == 2 and _together(tensors):
        token = silence(IGNORE)
        try:
            norms = K.lengths([t._data for t in tensors])
            total_norm = Function.as_tensor(K.lengths([norms]).reshape(()))
        finally:
            restore(token)
    else:
        norms = [vector_norm(t, order).to(tensors[0].device) for t in tensors]
        total_norm = vector_norm(stack(norms), order)
    if error_if_nonfinite and not total_norm.isfinite():
        raise RuntimeError(
            f"The total norm of order {order} for gradients from `parameters` is non-finite, so it "
            "cannot be clipped. To disable this error and scale the gradients by the non-finite norm anyway, "
            "set `error_if_nonfinite=False`"
        )
    return total_norm


def _together(tensors: list[Tensor]) -> bool:
    """Whether kernels take the tensors at once: of one device and floating dtype, in full precision."""
    if len({(t._data.dtype, t.device) for t in tensors}) > 1 or tensors[0]._data.dtype.char not in "fd":
        return False
    return tensors[0].is_cuda or all(is_plain(t, 1) for t in tensors)


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scales the gradients in place by max_norm / total_norm where that is below 1."""
    # A little over the norm, so that none of 0 divides by it. The product is taken even where the factor is
    # 1: that way nothing waits for the value.
    factor: Any = float(max_norm) / (total_norm + 1e-6)
    factor = factor.clamp(max=1.0)
    grads = _grads(parameters)
    if grads and factor.is_cuda and _together([factor, *grads]):
        arrays = [grad._data for grad in grads]
        if len({id(a) for a in arrays}) == len(arrays) and all(a.flags.c_contiguous for a in arrays):
            for grad in grads:
                check_writable(grad)
            K.scale(arrays, factor._data)
            for grad in grads:
                grad._bump()
            return
    for grad in grads:
        grad.mul_(factor.to(grad.device))


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scales all gradients in place so that their common norm is at most max_norm; returns the norm they had.

    RuntimeError with error_if_nonfinite where that is inf or nan.
    """
    generator = isinstance(parameters, types.GeneratorType)
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if generator and not parameters:
        warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2)
    total_norm = get_total_norm(_grads(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total_norm, foreach)
    return total_norm


def clip_grad_norm(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The old name of :func:`clip_grad_norm_`; warns so (FutureWarning)."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Limits each element of the gradients, in place, to [-clip_value, clip_value]."""
    clip_value = float(clip_value)
    for grad in _grads(parameters):
        grad.clamp_(min=-clip_value, max=clip_value)


def _grads(parameters: Tensor | Iterable[Tensor]) -> list[Any]:
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in parameters if p.grad is not None]
