"""What all image data sets share: root folder, the two transforms, and the way they print (as torchvision's
do).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch2.utils.data.dataset import Dataset


class StandardTransform:
    """Applies one transform to the image and one to the target; exists for its repr."""

    def __init__(self, transform: Callable | None = None, target_transform: Callable | None = None) -> None:
        self.transform = transform
        self.target_transform = target_transform

    def __call__(self, image: Any, target: Any) -> tuple[Any, Any]:
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __repr__(self) -> str:
        lines = ["StandardTransform"]
        for head, transform in (
            ("Transform: ", self.transform),
            ("Target transform: ", self.target_transform),
        ):
            if transform is not None:
                lines.append(head + repr(transform).replace("\n", "\n" + " " * len(head)))
        return "\n".join(lines)


class VisionDataset(Dataset):
    """Base of the image data sets: `transform` acts on the image, `target_transform` on the target, or
    `transforms` on both. Giving both kinds raises ValueError.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        transforms: Callable | None = None,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
    ) -> None:
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        if transforms is not None and (transform is not None or target_transform is not None):
            raise ValueError("Only transforms or transform/target_transform can be passed as argument")
        self.transform = transform
        self.target_transform = target_transform
        if transform is not None or target_transform is not None:
            transforms = StandardTransform(transform, target_transform)
        self.transforms = transforms

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__: a VisionDataset subclass has to define it")

    def extra_repr(self) -> str:
        return ""

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if self.transforms is not None:
            body.append(repr(self.transforms))
        return "\n    ".join([f"Dataset {type(self).__name__}", *body])


def to_image(array: np.ndarray) -> Any:
    """A uint8 array of (H, W) or (H, W, 3) as what a data set hands out: a PIL image (mode L or RGB) as
    torchvision does, or, where Pillow is not installed, the array as (H, W, C). All our transforms take both.
    """
    try:
        from PIL import Image
    except ImportError:
        return array.copy() if array.ndim == 3 else array[:, :, None].copy()
    return Image.fromarray(array)
