"""The three kinds of image there are, and how the transforms tell them apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch2.tensor import Tensor


def pillow() -> Any:
    """PIL's Image module, or None where Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError:
        return None
    return Image


def is_pil(image: object) -> bool:
    # By the class's module first: an image of Pillow's cannot exist unless Pillow was imported already.
    return any(base.__module__ == "PIL.Image" for base in type(image).__mro__)


def is_array(image: object) -> bool:
    return isinstance(image, np.ndarray)


def dimensions(image: Any) -> tuple[int, int, int]:
    """(channels, height, width) of an image of any kind. Raises TypeError or ValueError for anything else."""
    if is_pil(image):
        width, height = image.size
        return len(image.getbands()), height, width
    if is_array(image):
        if image.ndim not in (2, 3):
            raise ValueError(f"an image as an array is (H, W) or (H, W, C), got shape {image.shape}")
        return (image.shape[2] if image.ndim == 3 else 1), image.shape[0], image.shape[1]
    if isinstance(image, Tensor):
        if image.ndim < 2:
            raise TypeError(f"Tensor is not a torch image: expected (..., H, W), got shape {tuple(image.shape)}")
        return (1 if image.ndim == 2 else image.shape[-3]), image.shape[-2], image.shape[-1]
    raise TypeError(f"Unexpected type {type(image)}: expected a PIL image, a NumPy array or a Tensor")
