"""Image data sets and transforms under torchvision's names: `from minitorch2.vision import datasets`."""

from . import datasets, transforms

__all__ = ["datasets", "transforms"]
