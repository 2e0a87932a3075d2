"""Resizing one axis as a matrix: new values are weighted sums of old ones."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np


def _triangle(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(distance), 0)


def _cubic(a: float) -> Callable[[np.ndarray], np.ndarray]:
    """Keys' cubic convolution kernel (1981) with slope `a` at distance 1."""

    def weights(distance: np.ndarray) -> np.ndarray:
        x = np.abs(distance)
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return np.where(x < 1, near, np.where(x < 2, far, 0))

    return weights


def _lanczos(distance: np.ndarray) -> np.ndarray:
    return np.where(np.abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), 0)


def axis_matrix(
    old: int, new: int, kind: str, antialias: bool, scale: float | None = None, aligned: bool = False
) -> np.ndarray:
    """float64 (new, old): row i holds the weights of the old values in new value i.

    kind: "bilinear", "bicubic", or with antialias "lanczos". scale: old elements per new one, old / new unless told.
    aligned: without antialias, the first new value is the first old one (align_corners); with it torch changes the
    scale alone.
    With antialias the kernel is widened by the scale where the image shrinks, is cut off at the edge and its
    weights are normalised; without, edge values are repeated. torch takes a = -0.5 for the first and -0.75
    for the second.
    """
    scale = old / new if scale is None else scale
    matrix = np.zeros((new, old))
    if antialias:
        kernel, reach = {"bilinear": (_triangle, 1), "bicubic": (_cubic(-0.5), 2), "lanczos": (_lanczos, 3)}[kind]
        stretch = max(scale, 1.0)
        for i in range(new):
            centre = scale * (i + 0.5)
            first = max(int(centre - reach * stretch + 0.5), 0)
            last = min(int(centre + reach * stretch + 0.5), old)
            weights = kernel((np.arange(first, last) - centre + 0.5) / stretch)
            matrix[i, first:last] = weights / weights.sum()
        return matrix
    kernel, reach = (_cubic(-0.75), 2) if kind == "bicubic" else (_triangle, 1)
    for i in range(new):
        centre = scale * i if aligned else scale * (i + 0.5) - 0.5
        taps = np.arange(math.floor(centre) - reach + 1, math.floor(centre) + reach + 1)
        np.add.at(matrix[i], taps.clip(0, old - 1), kernel(taps - centre))
    return matrix


def whole_weights(matrix: np.ndarray) -> tuple[np.ndarray, int]:
    """The matrix times 2**bits in whole numbers, and bits: as many as leave the largest weight below 2**15.

    What torch and Pillow take for bytes, in their rounding: halves away from zero.
    """
    largest = matrix.max(initial=0)
    bits = next((b for b in range(22) if int(0.5 + largest * (2 << b)) >= 1 << 15), 22)
    scaled = matrix * (1 << bits)
    return np.trunc(scaled + np.copysign(0.5, scaled)), bits
