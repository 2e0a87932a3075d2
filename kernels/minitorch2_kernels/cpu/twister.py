"""Many numbers of NumPy's Mersenne Twister at a time, compiled by numba: eight words at once, where NumPy makes one."""

from __future__ import annotations

import ctypes

import numpy as np

from . import jit

loops = jit.Loops("twister_loops")
available = jit.available

FEWEST = 1024  # numbers from which a call pays


def state_of(stream: np.random.RandomState) -> np.ndarray:
    """The memory of the stream's state, uint32 (625,): its words, and how many were handed out. NumPy documents the
    address, and the C struct is `uint32_t key[624]; int pos;`. Valid as long as the stream is."""
    address = stream._bit_generator.ctypes.state_address
    return np.frombuffer(memoryview((ctypes.c_uint32 * 625).from_address(address)), np.uint32)


def fill(kind: str, state: np.ndarray, n: int, dtype) -> np.ndarray:
    """The next n `kind`, "words", "floats" or "doubles", as an array of this dtype, theirs."""
    out = np.empty(n, dtype)
    getattr(loops, kind)(state, out)
    return out
