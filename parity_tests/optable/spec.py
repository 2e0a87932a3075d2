"""OpSpec: one op of the table, and everything a test needs to know about it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from hypothesis import strategies as st

import minitorch2 as mt

from .calls import Call
from .drawing import FLOATING, FLOATS, Draw


@dataclass(frozen=True)
class Rounding:
    """How far two results may lie apart, in units of the dtype's eps.

    relative  times the element's own size
    absolute  times the largest element of the result (or 1): for what sums terms, whose rounding errors are
              proportional to the terms and not to their sum
    why       must say so where it is more than the default
    """

    relative: float = 4.0
    absolute: float = 0.0
    why: str = "each library's exp, sin, ... may be off by an ulp or two"


EXACT = Rounding(0.0, 0.0, "no arithmetic, or arithmetic that IEEE 754 defines to the last bit")
ROUNDED = Rounding()
SUMMED = Rounding(4.0, 8.0, "the libraries sum in different orders")
CHAINED = Rounding(16.0, 16.0, "a backward is a chain of roundings, in another order than torch's")


@dataclass(frozen=True)
class ErrorCase:
    """A call that both libraries must refuse, with the same exception type."""

    label: str
    call: Callable
    differs: str = ""  # why the types differ, where they do


@dataclass(frozen=True, repr=False)
class OpSpec:
    """One op of the table.

    name            as written behind `torch.`
    draw            a Draw -> the Call to make
    dtypes          dtypes whose values are compared
    differentiable  gradients are compared; second: those of the gradients, too
    ties            gradients agree also where values tie or stand on a kink (0 for relu)
    special         nan, infinity and huge values are drawn too
    rounding        of values; gradient: of first and second derivatives; half: of float16 and bfloat16 values
    inplace         None: compared if both libraries have name_; False (with its reason in `notes`) where the method
                    means something else
    method          likewise for x.name(...)
    view            the result shares the input's memory, with torch's strides
    contiguous      the result lies in memory as torch's does
    aliases         other public names of the same function
    run             how to call it, a function of (library, arguments ...), where that is not name(arguments ...)
    select          what to compare of the result, where some of it is unspecified
    errors          calls that must be refused
    notes           anything a reader must know
    """

    name: str
    draw: Callable[[Draw], Call]
    dtypes: tuple[str, ...] = FLOATING
    differentiable: bool = True
    second: bool = True
    ties: bool = True
    special: bool = True
    rounding: Rounding = ROUNDED
    gradient: Rounding = CHAINED
    half: Rounding = Rounding(1.0, 0.0, "both compute in float32 and round once: a float32 ulp may turn that over")
    inplace: bool | None = None
    method: bool | None = None
    view: bool = False
    contiguous: bool = False
    aliases: tuple[str, ...] = ()
    run: Callable | None = None
    select: Callable | None = None
    errors: tuple[ErrorCase, ...] = field(default=())
    notes: str = ""

    def __repr__(self) -> str:
        return self.name

    def function(self, lib) -> Callable:
        if self.run:
            return functools.partial(self.run, lib)
        found = lib
        for part in self.name.split("."):
            found = getattr(found, part)
        return found

    def _method_name(self, suffix: str, wanted: bool | None) -> str | None:
        name = self.name + suffix
        if "." in name or wanted is False:
            return None
        return name if hasattr(torch.Tensor, name) else None

    @property
    def method_name(self) -> str | None:
        return self._method_name("", self.method)

    @property
    def inplace_name(self) -> str | None:
        name = self._method_name("_", self.inplace)
        return name if name and hasattr(mt.Tensor, name) else None

    def calls(self, purpose: str, dtypes: tuple[str, ...]) -> st.SearchStrategy[Call]:
        """Calls for a purpose (see Draw), in one of the dtypes."""

        @st.composite
        def call(draw):
            # floating dtypes three times as often: they have the special values
            dtype = draw(st.sampled_from(dtypes + 2 * tuple(d for d in dtypes if "float" in d)))
            return self.draw(Draw(draw, dtype, purpose, self.ties, self.special))

        return call()

    def dtypes_among(self, wanted) -> tuple[str, ...]:
        return tuple(d for d in self.dtypes if d in wanted)

    @property
    def gradient_dtypes(self) -> tuple[str, ...]:
        return self.dtypes_among(FLOATS) if self.differentiable else ()
