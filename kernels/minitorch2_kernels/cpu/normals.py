"""Normals of uniforms, and the C library's functions of many numbers, compiled by numba."""

from __future__ import annotations

import numpy as np

from ..reference.copying import ascontiguousarray
from . import jit

loops = jit.Loops("normal_loops")
available = jit.available


def standard_normals(uniforms: np.ndarray) -> np.ndarray:
    """float32 or float64 uniforms in [0, 1), shape (16 * k,) -> as many standard normals."""
    out = np.empty_like(uniforms)
    (loops.standard_normals if uniforms.dtype == np.float32 else loops.standard_normals_in_double)(uniforms, out)
    return out


def libm(name: str, x: np.ndarray) -> np.ndarray:
    """The C library's function of this name, one of those of normal_loops, of each number of x (float64, any shape)."""
    out = np.empty(x.size)
    getattr(loops, name)(ascontiguousarray(x).reshape(-1), out)
    return out.reshape(x.shape)


def scale(x: np.ndarray, factor, shift) -> None:
    """x = factor * x + shift, all float32 or all float64, in place and rounded once."""
    loops.scale(x.reshape(-1), factor, shift)
