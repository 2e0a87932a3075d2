"""Numbers that are drawn until one is accepted, compiled by numba: some 50 ns each, where Python takes 20 to 120 us."""

from __future__ import annotations

import math

import numpy as np

from . import jit
from .twister import state_of

loops = jit.Loops("rejection_loops")
available = jit.available


def draw(stream: np.random.RandomState, spare: float | None, kind: str, *parameters: np.ndarray):
    """Numbers of the stream, one for each place of the parameters, which are flat and of one dtype, theirs as well;
    and the normal left over then, as `spare` was before, or None. kind: "poisson", "binomial" or "gamma"."""
    out, left = np.empty_like(parameters[0]), np.array([math.nan if spare is None else spare])
    getattr(loops, kind)(state_of(stream), left, *map(np.ascontiguousarray, parameters), out)
    return out, None if math.isnan(left[0]) else float(left[0])
