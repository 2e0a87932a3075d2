"""One image as each of the three kinds the transforms take, for their tests."""

import numpy as np
from PIL import Image

import minitorch2 as torch

KINDS = ("pil", "array", "tensor")


def pixels(height, width, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def as_kind(array, kind):
    """A uint8 array (H, W, C) as each of the three kinds of image."""
    if kind == "pil":
        return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    return array if kind == "array" else torch.from_numpy(array.transpose(2, 0, 1).copy())


def as_array(image):
    """Back to (H, W, C)."""
    if isinstance(image, torch.Tensor):
        return image.numpy().transpose(1, 2, 0)
    array = np.asarray(image)
    return array[:, :, None] if array.ndim == 2 else array
