"""Data sets with torchvision's names, arguments and folders; fetched only where download=True asks for it."""

from .cifar import CIFAR10
from .mini import MiniMNIST, load_or_mini
from .mnist import MNIST, FashionMNIST
from .vision_dataset import StandardTransform, VisionDataset

__all__ = [
    "MNIST",
    "FashionMNIST",
    "CIFAR10",
    "MiniMNIST",
    "load_or_mini",
    "VisionDataset",
    "StandardTransform",
]
