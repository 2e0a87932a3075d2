"""torch.compile and torch.compiler. Nothing is compiled here: what a program hands over runs as it is written, with the
same results, and a warning says so. (A whole step on a GPU: torch.cuda.capture_step.)
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

COMPILES_NOTHING = "minitorch2: torch.compile compiles nothing here; the program runs as it is written"


def compile(model: Any = None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None, options=None) -> Any:
    """The module or function itself; without one, a decorator. The options are the compilers' and change nothing."""
    if model is None:
        return functools.partial(compile, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode)
    warnings.warn(COMPILES_NOTHING, stacklevel=2)
    return model


def is_compiling() -> bool:
    """False: nothing is ever compiled."""
    return False


is_dynamo_compiling = is_compiling


def as_it_is(fn: Any = None, *_, **__) -> Any:
    """The function itself, or a decorator that returns it."""
    return fn if callable(fn) else as_it_is


disable = allow_in_graph = assume_constant_result = as_it_is


def reset() -> None:
    """Nothing was compiled, so there is nothing to forget."""


def cudagraph_mark_step_begin() -> None:
    """Nothing: compiled graphs there are none. (torch.cuda.capture_step captures a step.)"""


class set_stance:
    """How a compiler is to go about its work: a function to call, a context or a decorator, none of which changes
    anything here."""

    def __init__(self, stance: str = "default", **options: Any) -> None:
        self.stance = stance

    def __call__(self, function: Any) -> Any:
        return function

    def __enter__(self) -> None: ...

    def __exit__(self, *exc: Any) -> None: ...


__all__ = [
    "allow_in_graph",
    "assume_constant_result",
    "compile",
    "cudagraph_mark_step_begin",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "reset",
    "set_stance",
]
