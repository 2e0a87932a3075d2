"""Drawing arguments with hypothesis: shapes, layouts, dtypes, values.

Values come from a drawn seed rather than element by element: a tensor costs two draws, and 25 examples of a few
hundred ops run in seconds. They are rounded to two decimals, which keeps a printed failing example readable.
"""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from .calls import CARRIERS, TensorArg

FLOATS = ("float32", "float64")
HALVES = ("float16", "bfloat16")
INTS = ("int64", "int32", "int16", "int8", "uint8")
BOOL = ("bool",)
FLOATING = FLOATS + HALVES
NUMBERS = FLOATING + INTS
ALL = NUMBERS + BOOL

SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -0.5, 1e-3, 1e-5, -1e-5, 30.0, -30.0, 100.0)
HUGE = {"float16": 6e4, "bfloat16": 3e38, "float32": 3e38, "float64": 1e308}
TINY = {"float16": 6e-8, "bfloat16": 1e-40, "float32": 1e-45, "float64": 5e-324}


class Draw:
    """What a spec draws its arguments with.

    dtype    the dtype under test, that of every tensor unless another is asked for
    purpose  "value": anything goes, nan and infinity included; "gradient": finite, ties where the spec has `ties`;
             "second": distinct values away from 0
    """

    def __init__(self, draw, dtype: str, purpose: str = "value", ties: bool = True, special: bool = True):
        self.draw, self.dtype, self.purpose, self.ties, self.special = draw, dtype, purpose, ties, special

    def of(self, *choices):
        return self.draw(st.sampled_from(choices))

    def int(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def bool(self) -> bool:
        return self.draw(st.booleans())

    @property
    def for_gradient(self) -> bool:
        return self.purpose != "value"

    @property
    def floating(self) -> bool:
        return "float" in self.dtype

    def number(self, low=-3.0, high=3.0, integer: bool | None = None):
        """A Python number: of the dtype's kind, or (floats only in gradients) of another."""
        if integer is None:
            integer = not self.floating
        if integer:
            return self.int(int(np.ceil(low)), int(high))
        return self.draw(st.integers(round(low * 4), round(high * 4))) / 4

    def shape(self, min_dims=0, max_dims=3, min_size=0, max_size=4) -> tuple[int, ...]:
        sizes = st.integers(max(min_size, 1), max_size)
        if min_size == 0:  # zero-size dims, but not in most of the examples
            sizes = st.one_of(sizes, sizes, sizes, sizes, st.integers(0, max_size))
        ndim = max(min_dims, max_dims - self.int(0, max_dims))
        return tuple(self.draw(sizes) for _ in range(ndim))

    def dim(self, ndim: int) -> int:
        """A dim of a tensor, counted from either end."""
        bound = max(ndim, 1)
        return self.int(-bound, bound - 1)

    def dims(self, ndim: int, min_size=0) -> tuple[int, ...]:
        """Different dims, in any order, counted from either end."""
        dims = st.integers(0, max(ndim, 1) - 1)
        chosen = self.draw(st.lists(dims, unique=True, min_size=min_size, max_size=ndim or 1))
        return tuple(d - max(ndim, 1) if self.bool() else d for d in chosen)

    def part_of(self, shape) -> tuple[int, ...]:
        """A shape that broadcasts to `shape`: dims of size 1, leading dims missing."""
        kept = shape[self.int(0, len(shape)) :] if self.bool() else shape
        return tuple(1 if self.int(0, 3) == 0 else n for n in kept)

    def two_shapes(self, **limits):
        """Two shapes that broadcast against each other."""
        shape = self.shape(**limits)
        first, second = (self.part_of(shape), shape) if self.bool() else (shape, self.part_of(shape))
        return first, second

    def tensor(self, shape=None, low=-4.0, high=4.0, dtype=None, special=True, layout=None, ties=True) -> TensorArg:
        shape = self.shape() if shape is None else tuple(shape)
        dtype = dtype or self.dtype
        rng = np.random.RandomState(self.int(0, 2**16))
        if dtype == "bool":
            values = rng.randint(0, 2, shape).astype(bool)
        elif "int" in dtype:
            values = rng.randint(max(int(low), 0 if dtype == "uint8" else -100), int(high) + 1, shape).astype(dtype)
        else:
            values = self._floats(rng, shape, low, high, dtype, special, ties)
        values = np.asarray(values)
        layout = layout or self._layout(shape)
        if layout == "expanded":
            values = np.broadcast_to(values[:1], shape).copy()
        return TensorArg(values, dtype, layout)

    def _floats(self, rng, shape, low, high, dtype, special, ties):
        size = int(np.prod(shape))
        carrier = CARRIERS.get(dtype, dtype)
        # Distinct values, evenly spread, in random order and none at 0 or at an integer, where kinks are.
        values = low + (high - low) * (rng.permutation(size) + rng.uniform(0.2, 0.8, size)) / max(size, 1)
        values = np.round(values, 2)
        if self.purpose != "gradient" or not self.ties or not ties:
            values = np.where(values * 2 == np.round(values * 2), values + 0.03, values)
        style = "plain"
        if self.purpose == "value":
            style = rng.choice(["plain", "ties", "small", "special" if special and self.special else "plain"])
        elif self.purpose == "gradient" and self.ties and ties:
            style = rng.choice(["plain", "plain", "ties"])
        if style == "ties":
            values = np.clip(rng.choice([-1.0, 0.0, 1.0, 2.0], size), low, high)
        elif style == "small":
            values = values * 1e-4
        elif style == "special":
            chosen = rng.randint(0, 3, size) == 0
            values = np.where(chosen, rng.choice([*SPECIAL, HUGE[dtype], -HUGE[dtype], TINY[dtype]], size), values)
        return values.astype(carrier).reshape(shape)

    def _layout(self, shape) -> str:
        choices = ["contiguous", "contiguous"]
        if shape:
            choices += ["strided", "offset"]
        if len(shape) > 1:
            choices.append("transposed")
        if shape and shape[0] > 1 and 0 not in shape and not self.for_gradient:
            choices.append("expanded")
        return self.of(*choices)

    def partner_dtype(self) -> str:
        """The dtype of a second operand: mostly the same one."""
        if self.for_gradient:
            return self.of(self.dtype, self.dtype, *FLOATS)
        return self.of(self.dtype, self.dtype, self.dtype, *(ALL if self.dtype not in HALVES else (self.dtype,)))

    def pair(self, low=-4.0, high=4.0, number=True, low2=None, high2=None, promote=True, **limits):
        """Two operands that broadcast; the second may be of another dtype, or a Python number."""
        first, second = self.two_shapes(**limits)
        low2, high2 = low if low2 is None else low2, high if high2 is None else high2
        a = self.tensor(first, low, high)
        if number and self.int(0, 3) == 0:
            return a, self.number(low2, high2, None if self.for_gradient or self.bool() else self.bool())
        return a, self.tensor(second, low2, high2, dtype=self.partner_dtype() if promote else None)
