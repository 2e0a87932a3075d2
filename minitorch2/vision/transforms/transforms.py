"""The transforms as objects, to be put together with Compose (torchvision.transforms)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import minitorch2.core.dtypes as dtypes
from minitorch2.nn import Module
from minitorch2.random import rand, randint

from . import functional as F
from .images import dimensions
from .resampling import InterpolationMode


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    if not isinstance(size, (tuple, list)) or len(size) not in (1, 2):
        raise ValueError("Please provide only two dimensions (h, w) for size.")
    return size[0], size[-1]


class Compose:
    """Applies `transforms`, a list of callables, one after the other."""

    def __init__(self, transforms: Sequence[Callable]) -> None:
        self.transforms = transforms

    def __call__(self, image: Any) -> Any:
        for transform in self.transforms:
            image = transform(image)
        return image

    def __repr__(self) -> str:
        return "\n    ".join(["Compose(", *map(repr, self.transforms)]) + "\n)"


class ToTensor:
    """PIL image or array (H, W, C) of 0..255 to a float tensor (C, H, W) of 0..1: functional.to_tensor."""

    def __call__(self, pic: Any) -> Any:
        return F.to_tensor(pic)

    def __repr__(self) -> str:
        return "ToTensor()"


class ToPILImage:
    """Tensor (C, H, W) or array (H, W, C) to a PIL image; see functional.to_pil_image."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return F.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return "ToPILImage()" if self.mode is None else f"ToPILImage(mode={self.mode})"


class Lambda:
    """Applies any function of one argument."""

    def __init__(self, lambd: Callable) -> None:
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, image: Any) -> Any:
        return self.lambd(image)

    def __repr__(self) -> str:
        return "Lambda()"


class ConvertImageDtype(Module):
    """Tensor image to another dtype, rescaled; see functional.convert_image_dtype."""

    def __init__(self, dtype: dtypes.dtype) -> None:
        super().__init__()
        if not isinstance(dtype, dtypes.dtype):
            raise TypeError(f"Argument dtype should be of type torch.dtype, got {type(dtype).__name__}")
        self.dtype = dtype

    def forward(self, image: Any) -> Any:
        return F.convert_image_dtype(image, self.dtype)


class Normalize(Module):
    """(image - mean) / std per channel, of float tensors (..., C, H, W); `inplace` overwrites the image."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def forward(self, image: Any) -> Any:
        return F.normalize(image, self.mean, self.std, self.inplace)

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"


class Resize(Module):
    """To `size` (height, width), or, given one number, with the shorter side at it; see functional.resize."""

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        if not isinstance(size, (int, tuple, list)):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if not isinstance(size, int) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size = size
        self.interpolation = interpolation
        self.max_size = max_size
        self.antialias = antialias

    def forward(self, image: Any) -> Any:
        return F.resize(image, self.size, self.interpolation, self.max_size, self.antialias)

    def __repr__(self) -> str:
        return (
            f"Resize(size={self.size}, interpolation={self.interpolation.value}, max_size={self.max_size}, "
            f"antialias={self.antialias})"
        )


class CenterCrop(Module):
    """The middle of the image at `size`, a number or (height, width); zeros around a smaller image."""

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = _pair(size)

    def forward(self, image: Any) -> Any:
        return F.center_crop(image, self.size)

    def __repr__(self) -> str:
        return f"CenterCrop(size={self.size})"


class RandomCrop(Module):
    """A random part of `size`, after a border of `padding` was added (see functional.pad).

    `pad_if_needed` widens an image that is smaller than `size` on both sides by what is missing on one. The
    row is drawn first, then the column, with torch.randint each; nothing is drawn where the size fits
    already.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float | Sequence[float] = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = _pair(size)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(image: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """(top, left, height, width) of a random crop. Raises ValueError where the image is too small."""
        _, height, width = dimensions(image)
        new_height, new_width = output_size
        if height < new_height or width < new_width:
            raise ValueError(
                f"Required crop size {(new_height, new_width)} is larger than input image size {(height, width)}"
            )
        if (height, width) == (new_height, new_width):
            return 0, 0, height, width
        top = int(randint(0, height - new_height + 1, size=(1,)).item())
        left = int(randint(0, width - new_width + 1, size=(1,)).item())
        return top, left, new_height, new_width

    def forward(self, image: Any) -> Any:
        if self.padding is not None:
            image = F.pad(image, self.padding, self.fill, self.padding_mode)
        _, height, width = dimensions(image)
        if self.pad_if_needed and width < self.size[1]:
            image = F.pad(image, [self.size[1] - width, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and height < self.size[0]:
            image = F.pad(image, [0, self.size[0] - height], self.fill, self.padding_mode)
        return F.crop(image, *self.get_params(image, self.size))

    def __repr__(self) -> str:
        return f"RandomCrop(size={self.size}, padding={self.padding})"


class RandomHorizontalFlip(Module):
    """Exchanges left and right with probability `p`, drawn with torch.rand(1)."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, image: Any) -> Any:
        return F.hflip(image) if rand(1).item() < self.p else image

    def __repr__(self) -> str:
        return f"RandomHorizontalFlip(p={self.p})"
