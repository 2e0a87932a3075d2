"""The Mersenne Twister as torch's CPU generator runs it: order of words, widths of uniforms, saved form.

Source: Matsumoto and Nishimura, "Mersenne Twister: a 623-dimensionally equidistributed uniform pseudo-random
number generator", 1998. NumPy's RandomState is the same generator seeded alike; its 32-bit stream is frozen.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import numpy as np

from .permutation import shuffled

WORDS = 624  # 32-bit words of state, made anew together when the last has been handed out

_ENGINE = np.dtype(
    [
        ("initial_seed", "<u8"),
        ("left", "<i4"),
        ("seeded", "<i4"),
        ("next", "<u8"),
        ("words", "<u8", (WORDS,)),
        ("normal_x", "<f8"),
        ("normal_y", "<f8"),
        ("normal_rho", "<f8"),
        ("normal_is_valid", "<i4"),
    ],
    align=True,
)
# What torch.get_rng_state() returns, 5056 bytes: a C struct with the compiler's padding. normal_y and the
# float sample are normals drawn but not yet handed out.
SAVED_STATE = np.dtype([("engine", _ENGINE), ("float_normal", "<f4"), ("float_normal_is_valid", np.bool_)], align=True)

MANY = 1024  # numbers for which alone numba is imported: that takes as long as hundreds of thousands of them


@functools.cache
def _twister() -> Any:
    """One of the CPU's overrides, which importing this package does not wait for."""
    from minitorch2_kernels.cpu import twister

    return twister


@functools.cache
def one_by_one() -> Any:
    """The override that draws numbers one by one, for MersenneTwister.drawn_by."""
    from minitorch2_kernels.cpu import rejection

    return rejection


def by_loops(n: int) -> bool:
    """Whether n numbers are to be made by compiled loops."""
    return (n >= MANY or "numba" in sys.modules) and _twister().available


class MersenneTwister:
    """A stream of 32-bit words and the uniforms torch makes of them. Not safe for two threads at once."""

    def __init__(self, seed: int):
        self.reseed(seed)

    @functools.cached_property
    def _stream(self) -> np.random.RandomState:
        """The seed's stream, made when the first number is asked for: importing numpy.random takes 15 ms."""
        return np.random.RandomState(self.initial_seed & 0xFFFFFFFF)

    def reseed(self, seed: int) -> None:
        """Starts the stream of `seed`; only its low 32 bits choose the stream, all 64 are remembered."""
        self.initial_seed = seed
        self.__dict__.pop("_stream", None)
        self._untouched = True

    def _by_loops(self, n: int) -> bool:
        """Whether the next n numbers, which somebody is about to draw, are to be made by compiled loops."""
        if n:
            self._untouched = False
        return by_loops(n)

    def drawn_by(self, draw, *args):
        """draw(stream, *args), of a compiled loop that takes as many words as it comes to need, perhaps none."""
        before = self._key() if self._untouched else None
        try:
            return draw(self._stream, *args)
        finally:
            if before is not None:
                self._untouched = np.array_equal(before, self._key())

    def _key(self) -> np.ndarray:
        return self._stream.get_state(legacy=False)["state"]["key"]

    def shuffled(self, targets: np.ndarray) -> np.ndarray:
        """What range(n) becomes when the places i and targets[i] >= i are swapped, for each i in turn: int64 (n,)."""
        return (_twister().shuffled if by_loops(len(targets)) else shuffled)(targets)

    def words(self, n: int) -> np.ndarray:
        """The next n words: uint32, shape (n,)."""
        if self._by_loops(n):
            return _twister().fill("words", self._stream, n, np.uint32)
        return self._stream.randint(0, 1 << 32, n, dtype=np.uint32)

    def long_words(self, n: int) -> np.ndarray:
        """n 64-bit words: uint64, shape (n,). The word drawn first is the high half."""
        pairs = self.words(2 * n).reshape(n, 2).astype(np.uint64)
        return pairs[:, 0] << np.uint64(32) | pairs[:, 1]

    def floats(self, n: int) -> np.ndarray:
        """Uniforms in [0, 1) with 24 bits: float32, shape (n,)."""
        if self._by_loops(n):
            return _twister().fill("floats", self._stream, n, np.float32)
        return (self.words(n) & np.uint32(0xFFFFFF)).astype(np.float32) * np.float32(2.0**-24)

    def doubles(self, n: int) -> np.ndarray:
        """Uniforms in [0, 1) with 53 bits, the low ones of a 64-bit word: float64, shape (n,)."""
        if self._by_loops(n):
            return _twister().fill("doubles", self._stream, n, np.float64)
        pairs = self.words(2 * n).reshape(n, 2)
        return ((pairs[:, 0] & np.uint32(0x1FFFFF)) * 2.0**32 + pairs[:, 1]) * 2.0**-53

    def save(self, engine: np.ndarray) -> None:
        """Writes the position in the stream into the `engine` field of a SAVED_STATE record."""
        state = self._stream.get_state(legacy=False)["state"]
        # A stream not drawn from yet and one at the end of its words look alike to NumPy but not to torch.
        position = 0 if self._untouched else state["pos"]
        engine["initial_seed"] = self.initial_seed
        engine["seeded"] = 1
        engine["next"] = position
        engine["left"] = 1 if self._untouched else WORDS + 1 - position
        engine["words"] = state["key"]

    def load(self, engine: np.ndarray) -> None:
        """Takes up the position that `save` (or torch) wrote; RuntimeError where there is none."""
        left, position = int(engine["left"]), int(engine["next"])
        untouched = left == 1 and position == 0
        consistent = 1 <= position <= WORDS and left == WORDS + 1 - position
        if engine["seeded"] != 1 or not (untouched or consistent):
            raise RuntimeError("Invalid mt19937 state")
        self.initial_seed = int(engine["initial_seed"])
        self._untouched = untouched
        state = self._stream.get_state(legacy=False)
        state["state"] = {
            "key": engine["words"].astype(np.uint32),
            "pos": WORDS if untouched else position,
        }
        self._stream.set_state(state)
