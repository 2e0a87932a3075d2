"""Many numbers of NumPy's Mersenne Twister at a time, and what is shuffled by them, compiled by numba: eight words at
once, where NumPy makes one."""

from __future__ import annotations

import ctypes

import numpy as np

from . import jit

loops = jit.Loops("twister_loops")
available = jit.available


def state_of(stream: np.random.RandomState) -> np.ndarray:
    """The memory of the stream's state, uint32 (625,): its words, and how many were handed out. NumPy documents the
    address, and the C struct is `uint32_t key[624]; int pos;`. Valid as long as the stream is."""
    address = stream._bit_generator.ctypes.state_address
    return np.frombuffer(memoryview((ctypes.c_uint32 * 625).from_address(address)), np.uint32)


def fill(kind: str, stream: np.random.RandomState, n: int, dtype) -> np.ndarray:
    """The stream's next n `kind`, "words", "floats" or "doubles", as an array of this dtype, theirs."""
    out = np.empty(n, dtype)
    getattr(loops, kind)(state_of(stream), out)
    return out


def shuffled(targets: np.ndarray) -> np.ndarray:
    """range(n) after swaps of i and targets[i], int64 (n,), as minitorch2's core/permutation.py has it."""
    out = np.empty(len(targets), np.int64)
    loops.shuffle(targets, out)
    return out
