"""Image data sets and transforms under torchvision's names (`from minitorch2.vision import datasets`); networks."""

from . import datasets, models, transforms

__all__ = ["datasets", "models", "transforms"]
