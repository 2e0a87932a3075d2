"""Normals of uniforms, and the C library's functions of many numbers, compiled by numba."""

from __future__ import annotations

import numpy as np

from ..reference.copying import ascontiguousarray
from . import jit

loops = jit.Loops("normal_loops")
available = jit.available
LIBM = ("log", "log1p", "sin", "cos", "tan")


def standard_normals(uniforms: np.ndarray) -> np.ndarray:
    """float32 uniforms in [0, 1), shape (16 * k,) -> as many standard normals."""
    out = np.empty_like(uniforms)
    loops.standard_normals(uniforms, out)
    return out


def libm(name: str, x: np.ndarray) -> np.ndarray:
    """The C library's function of this name, one of LIBM, of each number of x (float64, any shape)."""
    out = np.empty(x.size)
    getattr(loops, name)(ascontiguousarray(x).reshape(-1), out)
    return out.reshape(x.shape)


def scale(x: np.ndarray, factor: np.float32, shift: np.float32) -> None:
    """x = factor * x + shift, float32, in place and rounded once."""
    loops.scale(x.reshape(-1), factor, shift)
