"""Image transforms with torchvision's names, arguments, reprs and random draws.

They take PIL images, uint8 arrays of (H, W, C) or (H, W) (what the data sets hand out without Pillow), and
tensors of (..., C, H, W), and give back the kind they were given.
"""

from . import functional
from .resampling import InterpolationMode
from .transforms import (
    CenterCrop,
    Compose,
    ConvertImageDtype,
    Lambda,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    Resize,
    ToPILImage,
    ToTensor,
)

__all__ = [
    "Compose",
    "ToTensor",
    "ToPILImage",
    "ConvertImageDtype",
    "Normalize",
    "Resize",
    "CenterCrop",
    "RandomCrop",
    "RandomHorizontalFlip",
    "Lambda",
    "InterpolationMode",
    "functional",
]
