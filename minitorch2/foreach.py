"""torch._foreach_add and its kin: an op for each tensor of a list, one after the other. Programs written for PyTorch
call them for speed, which they do not bring here; the results are those of the ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .core.variable import Variable, type_name
from .tensor import Tensor

# fmt: off
# Names of methods of one tensor, each with its in-place form.
_OF_ONE = [
    "abs", "acos", "asin", "atan", "ceil", "cos", "cosh", "erf", "erfc", "exp", "expm1", "floor", "frac", "lgamma",
    "log", "log10", "log1p", "log2", "neg", "reciprocal", "round", "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt",
    "tan", "tanh", "trunc",
]
# fmt: on
# Methods of one tensor and what stands beside it: numbers or tensors, one for all or a list with one for each.
_OF_SEVERAL = ["add", "sub", "mul", "div", "pow", "lerp", "addcmul", "addcdiv", "clamp_min", "clamp_max"]
_METHODS = {name: name for name in (*_OF_ONE, *_OF_SEVERAL)} | {"maximum": "clamp_min", "minimum": "clamp_max"}
# Of which there is one form alone.
_ALONE: dict[str, Callable[..., Any]] = {
    "clone": Tensor.clone,
    "copy_": Tensor.copy_,
    "max": lambda x: x.max(),
    "mm": Tensor.mm,
    "norm": lambda x, ord=2, dtype=None: x.norm(ord, dtype=dtype),
    "powsum": lambda x, ord=2, dtype=None: (x if dtype is None else x.to(dtype)).abs().pow(ord).sum(),
    "zero_": Tensor.zero_,
}
_BY_KEYWORD = {"alpha", "dtype", "non_blocking", "ord"}  # of the ops, too; all other arguments have a place


def _made(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """torch._foreach_<name>: a tuple of results, or in place the list that it was given."""

    def each(self, *others: Any, **options: Any) -> Any:
        others += tuple(options.pop(key) for key in list(options) if key not in _BY_KEYWORD)
        if isinstance(self, int | float) and name == "pow":  # one base for all exponents
            return tuple(self**x for x in _tensors(name, others[0]))
        tensors = _tensors(name, self)
        beside = [_for_each(name, other, len(tensors)) for other in others]
        results = tuple(function(x, *(values[i] for values in beside), **options) for i, x in enumerate(tensors))
        return self if name.endswith("_") else results

    each.__name__ = each.__qualname__ = f"_foreach_{name}"
    each.__doc__ = f"Tensor.{name} of each tensor of a list."
    return each


def _tensors(name: str, tensors: Any) -> Any:
    if not isinstance(tensors, tuple | list):
        raise TypeError(
            f"_foreach_{name}(): argument 'self' (position 1) must be tuple of Tensors, not {type_name(tensors)}"
        )
    for i, x in enumerate(tensors):
        if not isinstance(x, Variable):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type_name(x)}")
    if not tensors:
        raise RuntimeError("Tensor list must have at least one tensor.")
    return tensors


def _for_each(name: str, other: Any, count: int) -> Any:
    """What of an argument goes to each of `count` tensors."""
    if isinstance(other, Tensor) and other.ndim:
        if name.rstrip("_") not in ("addcmul", "addcdiv"):
            raise RuntimeError(
                f"scalar tensor expected to be 0 dim but it has {other.ndim} dimensions and {other.numel()} elements."
            )
        other = other.tolist()
    if not isinstance(other, tuple | list):
        return [other] * count
    if len(other) != count:
        if isinstance(other[0] if other else None, Variable):
            raise RuntimeError(f"Tensor lists must have the same number of tensors, got {count} and {len(other)}")
        raise RuntimeError("Tensor list must have same number of elements as scalar list.")
    return other


def _method(name: str) -> Callable[..., Any]:
    method = getattr(Tensor, name)
    if name.startswith("addc"):
        return lambda x, a, b, value=1: method(x, a, b, value=value)
    return method


_FUNCTIONS = {f"_foreach_{name}": _made(name, function) for name, function in _ALONE.items()}
for _name, _of_tensor in _METHODS.items():
    for _form in ("", "_"):
        _FUNCTIONS[f"_foreach_{_name}{_form}"] = _made(_name + _form, _method(_of_tensor + _form))
globals().update(_FUNCTIONS)
