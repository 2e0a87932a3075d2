"""An argument that is no tensor where one is needed: torch's TypeError, for all ops in one place."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from ..core import autocast
from ..core.variable import Variable, type_name
from ..core.warned import warn_once
from ._common import flags_of, require_flags
from ._out import into

# What torch's parser takes for an argument of any function: NumPy's names, and `input` for what is A in linalg's texts.
_OTHER_NAMES = {
    "dim": ("axis",),
    "keepdim": ("keepdims",),
    "input": ("x", "a", "x1"),
    "other": ("x2",),
    "A": ("input",),
    "B": ("b", "other"),
    "x": ("input",),
}


# Functions that torch has in Python, which ask of such an argument no more than whether it is true.
_TRUTHS = {"pca_lowrank", "svd_lowrank"}

autocast.WRAPPERS.add(__file__)

# Parameters that are one number each: torch takes a tensor without dims for one, unless it has a gradient to lose.
_NUMBERS = {"alpha", "atol", "beta", "correction", "delta", "eps", "fill_value", "label_smoothing", "lambd", "lower"}
_NUMBERS |= {"margin", "max_val", "maxnorm", "min_val", "momentum", "nan", "negative_slope", "neginf", "p", "posinf"}
_NUMBERS |= {"rtol", "threshold", "upper"}
_NUMBERS_OF = {"value": {"addcdiv", "addcmul", "pad"}, "mean": {"normal_"}, "std": {"normal_"}}
_NUMBERS_OF |= {"from_": {"uniform_"}, "to": {"uniform_"}}
# What torch has in Python, by operations that take tensors, or with tensors for tolerances.
_TENSORS_TOO = {"bernoulli_", "gaussian_nll_loss", "gumbel_softmax", "local_response_norm", "normalize"}
_TENSORS_TOO |= {"triplet_margin_with_distance_loss", "linalg_matrix_rank", "linalg_pinv", "matrix_rank", "pinv"}


def numbers_of(function, name: str) -> dict[str, int]:
    """The parameters that are one number each, with their positions."""
    return {
        argument: i
        for i, argument in enumerate(_parameters(function))
        if name not in _TENSORS_TOO and (argument in _NUMBERS or name in _NUMBERS_OF.get(argument, ()))
    }


def require_numbers(name: str, numbers: dict[str, int], args, kwargs) -> None:
    """TypeError where one of these arguments is a tensor that has a gradient, which would be lost without a word."""
    n = len(args)
    for argument, position in numbers.items():
        refuse_gradient(name, argument, args[position] if position < n else kwargs.get(argument))


def refuse_gradient(name: str, argument: str, value) -> None:
    if isinstance(value, Variable) and value.requires_grad:
        raise TypeError(
            f"{name}(): argument '{argument}' must be Number, not Tensor: its gradient would be lost; use .item() or "
            ".detach()"
        )


def one_number(name: str, argument: str, value: Any) -> Any:
    """The value, or what a tensor without dims holds."""
    refuse_gradient(name, argument, value)
    tensor: Any = value
    return tensor.item() if isinstance(value, Variable) else value


def names_arguments(function, name: str, is_method: bool = False, takes_out: bool = False):
    """`function` under this name, taking its arguments by torch's other names for them, too, and whose error for a list
    (or None, or a number) in a tensor's place names the argument.

    The ops do not ask each argument what it is; they find out when they look for its `_data`. That AttributeError is
    what is translated here, so that calls without a mistake pay for no check. Nor do they pay for autocast's
    wrapper while no region is open. takes_out: with out=, the result is written there (_out.py).
    """

    plain = function.__wrapped__ if hasattr(function, "outside_autocast") else function
    own = _parameters(function)
    names = {other: name for name in own for other in _OTHER_NAMES.get(name, ()) if other not in own}
    flags = {} if hasattr(function, "other_names") or name in _TRUTHS else flags_of(function)
    numbers = numbers_of(function, name)

    @functools.wraps(function)
    def call(*args, **kwargs):
        if takes_out and "out" in kwargs:
            out = kwargs.pop("out")
            return call(*args, **kwargs) if out is None else into(out, name, call, args, kwargs)
        if kwargs and not names.keys().isdisjoint(kwargs):
            kwargs = {names.get(name, name): value for name, value in kwargs.items()}
        if flags:
            require_flags(name, flags, args, kwargs)
        if numbers:
            require_numbers(name, numbers, args, kwargs)
        try:
            return (function if autocast.regions else plain)(*args, **kwargs)
        except AttributeError as error:
            culprit = _argument_of(function, args, kwargs, error.obj)
            if culprit is None:
                raise
            argument, position = culprit
            raise TypeError(
                f"{name}(): argument '{argument}' (position {position - is_method}) must be Tensor, not "
                f"{type_name(error.obj)}"
            ) from None

    call.__name__ = call.__qualname__ = name
    return call


def number_first(name: str, number, operands):
    """(operands, number) of a call in torch's old form, in which the number stood before them, with torch's warning."""
    if not isinstance(number, int | float):
        raise TypeError(f"{name}() takes one operand less, or a number before them; got {type_name(number)}")
    several = isinstance(operands, tuple)
    tensors, word = ("Tensor tensor1, Tensor tensor2", "value") if several else ("Tensor other", "alpha")
    warn_once(
        f"This overload of {name} is deprecated:"
        f"\n\t{name}(Tensor input, Number {word}, {tensors}, *, Tensor out = None)"
        "\nConsider using one of the following signatures instead:"
        f"\n\t{name}(Tensor input, {tensors}, *, Number {word} = 1, Tensor out = None)"
    )
    return operands, number


def _argument_of(function, args, kwargs, value):
    """(name, position from 1) of the argument that is `value`; None where that is a tensor, or no argument at all."""
    if isinstance(value, Variable):
        return None
    names = list(inspect.signature(function).parameters)
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    for position, name in enumerate(names, 1):
        if name in given and given[name] is value:
            return name, position
    return None


_TENSORS = frozenset(
    (
        "other",
        "index",
        "indices",
        "mask",
        "source",
        "src",
        "vec",
        "vec2",
        "mat1",
        "mat2",
        "batch1",
        "batch2",
        "tensor1",
        "tensor2",
        "end",
        "boundaries",
        "test_elements",
    )
)


def with_named_arguments(mixin: type) -> dict:
    """The methods of a mixin that take a second tensor, one number, or a dim under one name only, as names_arguments
    makes them."""

    def gains(name, method):
        own = _parameters(method)
        dim = "dim" in own and not hasattr(method, "other_names")
        return dim or _TENSORS.intersection(own) or numbers_of(method, name)

    return {
        name: names_arguments(method, name, is_method=True)
        for name, method in inspect.getmembers(mixin, inspect.isfunction)
        if not name.startswith("_") and gains(name, method)
    }


def _parameters(function) -> tuple[str, ...]:
    code = inspect.unwrap(function).__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
