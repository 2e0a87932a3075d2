"""A small real piece of MNIST that ships with the package, and the choice between it and all of MNIST."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable

from .mnist import MNIST


class MiniMNIST(MNIST):
    """6,000 of MNIST's images: the first 500 of each digit to train and the first 100 of each to test.

    Everything is as in MNIST but the number of images. `root` and `download` are there so that it can stand
    in for MNIST and change nothing: the files are inside the package, complete. See mini/README.md for source
    and licence.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(None, train=train, transform=transform, target_transform=target_transform)

    @property
    def raw_folder(self) -> str:
        return os.path.join(os.path.dirname(__file__), "mini")


def load_or_mini(
    root: str | os.PathLike[str] = "data",
    train: bool = True,
    transform: Callable | None = None,
    target_transform: Callable | None = None,
    download: bool = True,
) -> MNIST:
    """MNIST where it is in `root` or can be downloaded, else MiniMNIST after a UserWarning that says why."""
    try:
        return MNIST(root, train, transform, target_transform, download)
    except (RuntimeError, OSError) as error:
        warnings.warn(
            f"Using the package's small MNIST ({'5,000' if train else '1,000'} images), so results will be "
            f"worse than with the full one, which could not be loaded: {error}",
            stacklevel=2,
        )
        return MiniMNIST(root, train, transform, target_transform)
