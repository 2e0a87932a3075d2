"""All parameters as one vector, and back. Source: torch's page "torch.nn.utils.parameters_to_vector"."""

from __future__ import annotations

from collections.abc import Iterable

from ...ops.inquiry import typename
from ...ops.joining import cat
from ...tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all parameters, one after another: 1-d, differentiable. TypeError for two devices."""
    parameters = list(parameters)
    _check_one_device(parameters)
    return cat([p.view(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Makes each parameter's data the next part of `vec` (a view of it, not a copy), in its own shape.

    TypeError where vec is no tensor or the parameters lie on two devices.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {typename(vec)}")
    parameters = list(parameters)
    _check_one_device(parameters)
    start = 0
    for p in parameters:
        p.data = vec[start : start + p.numel()].view_as(p).data
        start += p.numel()


def _check_one_device(parameters: list[Tensor]) -> None:
    if any(p.device != parameters[0].device for p in parameters):
        raise TypeError("Found two parameters on different devices, this is currently not supported.")
