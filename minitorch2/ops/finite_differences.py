"""gradient: the derivative of a function known at the points of a grid, by differences of second order."""

from __future__ import annotations

from ..core.variable import Variable, type_name
from ._common import is_number, to_float, wrap_dims
from .joining import cat
from .views import narrow


def gradient(input, *, spacing=None, dim=None, edge_order=1):
    """The derivatives of input along each of `dim` (all dims unless told), a tuple of tensors like input.

    spacing: the distance of neighbours, a number for all dims or one for each; or for each a 1-d tensor of coordinates.
    edge_order: 1 takes the difference of two points at both ends, 2 fits a parabola through three. Integers become the
    default dtype.
    """
    x = input
    if x.dtype.name == "uint8":
        raise RuntimeError("torch.gradient does not support uint8 input.")
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    dims = wrap_dims(dim, x._data.ndim)
    if any(x._data.shape[d] < edge_order + 1 for d in dims):
        raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
    x = to_float(x)
    along = _spacings(spacing, dims, dim)
    return tuple(_derivative(x, d, h, edge_order) for d, h in zip(dims, along, strict=True))


def _spacings(spacing, dims, dim):
    if spacing is None or is_number(spacing):
        return [1.0 if spacing is None else spacing] * len(dims)
    if not isinstance(spacing, tuple | list):
        raise TypeError(
            "gradient(): argument 'spacing' must be a number, or a tuple of numbers or tensors, one for each dim, not "
            f"{type_name(spacing)}"
        )
    if len(spacing) != len(dims):
        reason = "since dim argument was not given" if dim is None else "and dims"
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to "
            f"'{'self.dim()' if dim is None else 'len(dim)'} = {len(dims)}', {reason}, but got a list of length "
            f"{len(spacing)}"
        )
    return spacing


def _derivative(x, dim, h, edge_order):
    n = x._data.shape[dim]
    if isinstance(h, Variable) and h._data.ndim:
        return _uneven(x, dim, h, edge_order)

    def at(i):
        return narrow(x, dim, i % n, 1)

    if edge_order == 1:
        first, last = (at(1) - at(0)) / h, (at(-1) - at(-2)) / h
    else:
        first = (at(0) * -1.5 + at(1) * 2 + at(2) * -0.5) / h
        last = (at(-3) * 0.5 + at(-2) * -2 + at(-1) * 1.5) / h
    middle = (narrow(x, dim, 2, n - 2) - narrow(x, dim, 0, n - 2)) / h / 2
    return cat((first, middle, last), dim)


def _uneven(x, dim, coordinates, edge_order):
    """The parabola through three neighbouring points has the slope that each place of the grid gets."""
    n = x._data.shape[dim]
    if coordinates._data.shape != (n,):
        raise RuntimeError(
            f"torch.gradient expected each tensor of spacing to hold the {n} coordinates of its dim, but got one of "
            f"shape {list(coordinates._data.shape)}"
        )
    steps = to_float(narrow(coordinates, 0, 1, n - 1) - narrow(coordinates, 0, 0, n - 1))
    steps = steps.reshape([-1 if d == dim else 1 for d in range(x._data.ndim)])

    def at(i):
        return narrow(x, dim, i % n, 1)

    def step(i):
        return narrow(steps, dim, i % (n - 1), 1)

    left, right = narrow(steps, dim, 0, n - 2), narrow(steps, dim, 1, n - 2)
    middle = (
        narrow(x, dim, 0, n - 2) * (-right / (left * (left + right)))
        + narrow(x, dim, 1, n - 2) * ((right - left) / (left * right))
        + narrow(x, dim, 2, n - 2) * (left / (right * (left + right)))
    )
    if edge_order == 1:
        return cat(((at(1) - at(0)) / step(0), middle, (at(-1) - at(-2)) / step(-1)), dim)
    a, b = step(0), step(1)
    first = at(0) * (-(2 * a + b) / (a * (a + b))) + at(1) * ((a + b) / (a * b)) + at(2) * (-a / (b * (a + b)))
    a, b = step(-2), step(-1)
    last = at(-3) * (b / (a * (a + b))) + at(-2) * (-(a + b) / (a * b)) + at(-1) * ((a + 2 * b) / (b * (a + b)))
    return cat((first, middle, last), dim)
