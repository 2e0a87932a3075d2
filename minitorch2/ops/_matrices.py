"""What solvers and decompositions check of their matrices, and the error of those that cannot be solved."""

from __future__ import annotations

from collections.abc import Callable

import minitorch2_kernels as K

from ..core.dtypes import LOW_PRECISION
from ..core.function import Function


class _LinAlgError(RuntimeError):
    """A matrix is singular or not positive-definite, or a decomposition did not converge (torch.linalg.LinAlgError)."""


LinAlgError = _LinAlgError  # torch's own name for it has the underscore


class Omitted(Function):
    """An empty tensor in the place of a result that was not asked for: it has a history and no gradient, as torch's."""

    keeps_dtype = True

    @staticmethod
    def forward(ctx, *inputs):
        ctx.inputs = len(inputs)
        return K.zeros_like(inputs[0], shape=(0,))

    @staticmethod
    def backward(ctx, g):
        return (None,) * ctx.inputs


def require_matrices(op: str, x, name: str = "A") -> None:
    if x._data.ndim < 2:
        raise RuntimeError(f"{op}: The input tensor {name} must have at least 2 dimensions.")


def require_square(op: str, x, name: str = "A") -> None:
    require_matrices(op, x, name)
    rows, columns = x._data.shape[-2:]
    if rows != columns:
        raise RuntimeError(
            f"{op}: A must be batches of square matrices, but they are {rows} by {columns} matrices".removeprefix(": ")
        )


def require_float(op: str, x, kernel: str | None = None) -> None:
    """float32 or float64: RuntimeError for integers, and for half precision or, where torch names the kernel that it
    lacks, its NotImplementedError."""
    if x._data.dtype.kind not in "fV":
        raise RuntimeError(f"{op}: Expected a floating point or complex tensor as input. Got {x.dtype.torch_type}")
    if x._data.dtype in LOW_PRECISION:
        if kernel is not None:
            require_kernel(kernel, x)
        raise RuntimeError(f"{op}: Low precision dtypes not supported. Got {x.dtype.torch_type}")


def require_kernel(kernel: str, x) -> None:
    """As require_float, where torch says the same of every other dtype."""
    if x._data.dtype.kind not in "fV" or x._data.dtype in LOW_PRECISION:
        raise NotImplementedError(
            f"\"{kernel}\" not implemented for '{x.dtype.torch_type}': it takes float32 and float64; convert with "
            ".float()"
        )


def raise_for(op: str, info, what: Callable[[int], str], error: type[Exception] = _LinAlgError) -> None:
    """LinAlgError, or another, for the first matrix of a batch whose info (an array) is not 0; `what` puts that number
    in words."""
    failed = info.reshape(-1) != 0
    if not failed.any():
        return
    first = int(failed.argmax())
    where = f"(Batch element {first}): " if info.ndim else ""
    raise error(f"{op}: {where}{what(int(info.reshape(-1)[first]))}")
