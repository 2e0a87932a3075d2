"""The transforms as functions (torchvision.transforms.functional)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

import minitorch2.core.dtypes as dtypes
from minitorch2.creation import as_tensor, from_numpy
from minitorch2.tensor import Tensor

from .images import dimensions, is_array, is_pil, pillow
from .resampling import InterpolationMode, resize_tensor


def to_tensor(pic: Any) -> Tensor:
    """A PIL image or an array (H, W, C) or (H, W) as a tensor (C, H, W).

    8-bit values become the default float dtype in [0, 1]; other values stay what they are (PIL's modes I,
    I;16 and F become int32, int16 and float32; mode 1 counts as 8 bit). Raises TypeError and ValueError as
    torchvision does.
    """
    if is_pil(pic):
        kinds = {"I": np.int32, "F": np.float32, "I;16" if sys.byteorder == "little" else "I;16B": np.int16}
        array = np.array(pic, dtype=kinds.get(pic.mode))
        if pic.mode == "1":
            array = array.astype(np.uint8) * np.uint8(255)
    elif is_array(pic):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    planes = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)  # (C, H, W)
    if array.dtype != np.uint8:
        return from_numpy(planes.copy())  # in C order, and apart from the caller's array
    default = dtypes.get_default_dtype()
    storage = np.float32 if default is dtypes.bfloat16 else default.numpy  # holds 0..255 exactly
    return from_numpy(planes.astype(storage, order="C")).to(default).div_(255)


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A tensor (C, H, W) or (H, W), or an array (H, W, C) or (H, W), as a PIL image.

    Float tensors are taken as [0, 1] and become 8 bit unless `mode` is "F". Without a mode one channel gives
    L (uint8), I;16 (int16), I (int32) or F (float32); two give LA, three RGB, four RGBA.
    """
    if not (isinstance(pic, Tensor) or is_array(pic)):
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    if pic.ndim not in (2, 3):
        raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
    if isinstance(pic, Tensor):
        if pic.dtype.is_floating_point and mode != "F":
            pic = pic.detach().mul(255).to(dtypes.uint8)
        array = pic.detach().cpu().numpy()
        array = array[:, :, None] if array.ndim == 2 else array.transpose(1, 2, 0)
    else:
        array = pic[:, :, None] if pic.ndim == 2 else pic
    channels = array.shape[2]
    if channels > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {channels} channels.")
    if channels == 1:
        array = array[:, :, 0]
        allowed = [{"uint8": "L", "int16": "I;16", "int32": "I", "float32": "F"}.get(array.dtype.name)]
        if allowed == ["L"]:
            allowed.append("1")
    else:
        by_channels = {2: ["LA"], 3: ["RGB", "YCbCr", "HSV"], 4: ["RGBA", "CMYK", "RGBX"]}
        allowed = by_channels[channels] if array.dtype == np.uint8 else [None]
    if allowed[0] is None:
        raise TypeError(f"Input type {array.dtype} is not supported for {channels} channels")
    if mode is not None and mode not in allowed:
        raise ValueError(
            f"Incorrect mode ({mode}) supplied for input of {array.dtype} with {channels} channels. "
            f"Should be {' or '.join(map(str, allowed))}"
        )
    image_module = pillow()
    if image_module is None:
        raise ImportError("to_pil_image needs Pillow, which is not installed: pip install 'minitorch2[examples]'")
    if mode == "1":
        return image_module.fromarray(array).convert("1")
    return image_module.frombytes(mode or allowed[0], array.shape[1::-1], np.ascontiguousarray(array).tobytes())


def convert_image_dtype(image: Tensor, dtype: dtypes.dtype = dtypes.float32) -> Tensor:
    """A tensor image in another dtype, rescaled: floats are [0, 1], integers 0 to their greatest value.

    Raises RuntimeError for a float that an integer of so many bits cannot be made from without loss of its
    range.
    """
    if not isinstance(image, Tensor):
        raise TypeError(f"Input img should be Tensor Image, got {type(image)}")
    if image.dtype is dtype:
        return image
    if image.dtype.is_floating_point:
        if dtype.is_floating_point:
            return image.to(dtype)
        too_wide = image.dtype is dtypes.float32 and dtype in (dtypes.int32, dtypes.int64)
        if too_wide or (image.dtype is dtypes.float64 and dtype is dtypes.int64):
            raise RuntimeError(f"The cast from {image.dtype} to {dtype} cannot be performed safely.")
        # a little under one more than the greatest value: 1.0 does not overflow, all bins are equally wide
        return image.mul(_greatest(dtype) + 1.0 - 1e-3).to(dtype)
    old, new = _greatest(image.dtype), None if dtype.is_floating_point else _greatest(dtype)
    if new is None:
        return image.to(dtype) / old
    if old > new:
        return image.div((old + 1) // (new + 1), rounding_mode="floor").to(dtype)
    return image.to(dtype) * ((new + 1) // (old + 1))


def _greatest(dtype: dtypes.dtype) -> int:
    return 1 if dtype is dtypes.bool else int(np.iinfo(dtype.numpy).max)


def normalize(image: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Tensor:
    """(image - mean) / std, channel by channel, of a float tensor (..., C, H, W)."""
    if not isinstance(image, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(image)}")
    if not image.dtype.is_floating_point:
        raise TypeError(f"Input tensor should be a float tensor. Got {image.dtype}.")
    if image.ndim < 3:
        raise ValueError(
            f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {image.size()}"
        )
    mean_tensor = as_tensor(mean, dtype=image.dtype, device=image.device)
    std_tensor = as_tensor(std, dtype=image.dtype, device=image.device)
    if not all(std_tensor.flatten().tolist()):
        raise ValueError(f"std evaluated to zero after conversion to {image.dtype}, leading to division by zero.")
    if mean_tensor.ndim == 1:
        mean_tensor = mean_tensor.view(-1, 1, 1)
    if std_tensor.ndim == 1:
        std_tensor = std_tensor.view(-1, 1, 1)
    return (image.sub_(mean_tensor) if inplace else image.sub(mean_tensor)).div_(std_tensor)


def hflip(image: Any) -> Any:
    """The image with left and right exchanged."""
    dimensions(image)
    if is_pil(image):
        return image.transpose(pillow().Transpose.FLIP_LEFT_RIGHT)
    return image[:, ::-1].copy() if is_array(image) else image.flip(-1)


def crop(image: Any, top: int, left: int, height: int, width: int) -> Any:
    """The part of `height` x `width` from (top, left) on; what lies outside the image is zero."""
    _, image_height, image_width = dimensions(image)
    if is_pil(image):
        return image.crop((left, top, left + width, top + height))
    right, bottom = left + width, top + height
    if left < 0 or top < 0 or right > image_width or bottom > image_height:
        image = pad(image, (max(-left, 0), max(-top, 0), max(right - image_width, 0), max(bottom - image_height, 0)))
        left, top = max(left, 0), max(top, 0)
    if is_array(image):
        return image[top : top + height, left : left + width].copy()
    return image[..., top : top + height, left : left + width]


def center_crop(image: Any, output_size: int | Sequence[int]) -> Any:
    """The middle of the image; where it is smaller than `output_size`, zeros around it."""
    height, width = (output_size, output_size) if isinstance(output_size, int) else (output_size[0], output_size[-1])
    _, image_height, image_width = dimensions(image)
    more_width, more_height = max(width - image_width, 0), max(height - image_height, 0)
    if more_width or more_height:
        image = pad(image, (more_width // 2, more_height // 2, (more_width + 1) // 2, (more_height + 1) // 2))
        _, image_height, image_width = dimensions(image)
    top, left = round((image_height - height) / 2), round((image_width - width) / 2)
    return crop(image, top, left, height, width)


def pad(
    image: Any,
    padding: int | Sequence[int],
    fill: float | Sequence[float] | None = 0,
    padding_mode: str = "constant",
) -> Any:
    """Adds a border: `padding` is one width for all sides, (left and right, top and bottom), or (left, top,
    right, bottom); a negative width cuts off. The border holds `fill` (mode constant; a number, or one per
    channel), the edge's values (edge), or a mirror image without (reflect) or with (symmetric) the edge
    itself.
    """
    left, top, right, bottom = _sides(padding)
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    channels, height, width = dimensions(image)
    if min(left, top, right, bottom) < 0:
        cut_left, cut_top = max(-left, 0), max(-top, 0)
        height, width = height - cut_top - max(-bottom, 0), width - cut_left - max(-right, 0)
        image = crop(image, cut_top, cut_left, height, width)
        left, top, right, bottom = (max(side, 0) for side in (left, top, right, bottom))
    if padding_mode == "constant":
        if is_pil(image):
            from PIL import ImageOps

            colour: Any = fill or 0
            if channels > 1 and isinstance(colour, int | float):
                colour = (colour,) * channels
            return ImageOps.expand(image, border=(left, top, right, bottom), fill=colour)
        return _surround(image, (left, top, right, bottom), 0 if fill is None else fill, channels)
    # Padding the indices instead of the pixels serves every kind of image and keeps gradients.
    rows = np.pad(np.arange(height), (top, bottom), mode=padding_mode)
    columns = np.pad(np.arange(width), (left, right), mode=padding_mode)
    if is_pil(image):
        padded = pillow().fromarray(np.asarray(image)[rows][:, columns])
        if image.mode == "P":
            padded.putpalette(image.getpalette())
        return padded
    if is_array(image):
        return image[rows][:, columns]
    return image[..., from_numpy(rows), :][..., from_numpy(columns)]


def _sides(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    if isinstance(padding, int):
        return padding, padding, padding, padding
    if not isinstance(padding, (tuple, list)):
        raise TypeError(f"Got inappropriate padding arg: expected an int, tuple or list, got {type(padding).__name__}")
    if len(padding) not in (1, 2, 4):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple")
    left, top, right, bottom = (list(padding) * 4)[:4]
    return left, top, right, bottom


def _surround(image: Any, sides: tuple[int, int, int, int], fill: float | Sequence[float], channels: int) -> Any:
    left, top, right, bottom = sides
    _, height, width = dimensions(image)
    if not isinstance(fill, (int, float)) and len(fill) not in (1, channels):
        raise ValueError(f"fill must be a number or one number per channel ({channels}), got {len(fill)} of them")
    rows, columns = slice(top, top + height), slice(left, left + width)
    if is_array(image):
        padded = np.empty((height + top + bottom, width + left + right, *image.shape[2:]), image.dtype)
        padded[...] = fill
        padded[rows, columns] = image
        return padded
    values = as_tensor(fill, dtype=image.dtype, device=image.device)
    padded = image.new_empty((*image.shape[:-2], height + top + bottom, width + left + right))
    padded[...] = values.view(-1, 1, 1) if values.ndim else values
    padded[..., rows, columns] = image
    return padded


def resize(
    image: Any,
    size: int | Sequence[int],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """The image at `size` (height, width), or with its shorter side at the one number given and the longer in
    proportion, at most `max_size`. PIL images are resized by Pillow (always antialiased), arrays as tensors
    are.
    """
    if not isinstance(interpolation, InterpolationMode):
        raise TypeError(f"Argument interpolation should be an InterpolationMode, got {type(interpolation).__name__}")
    _, height, width = dimensions(image)
    sizes = [size] if isinstance(size, int) else list(size)
    if len(sizes) == 2 and max_size is not None:
        raise ValueError(
            "max_size should only be passed if size specifies the length of the smaller edge, i.e. size "
            "should be an int or a sequence of length 1"
        )
    new = (sizes[0], sizes[1]) if len(sizes) == 2 else _by_shorter_side(height, width, sizes[0], max_size)
    if new == (height, width):
        return image
    if min(height, width, *new) <= 0:
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input (H: {height}, W: {width}) "
            f"output (H: {new[0]}, W: {new[1]})"
        )
    if is_pil(image):
        if interpolation is InterpolationMode.NEAREST_EXACT:
            interpolation = InterpolationMode.NEAREST  # Pillow's nearest is the exact one
        return image.resize(new[::-1], pillow().Resampling[interpolation.name])
    if is_array(image):
        planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
        resized = resize_tensor(from_numpy(planes.copy()), new, interpolation, bool(antialias)).numpy()
        return resized[0] if image.ndim == 2 else np.ascontiguousarray(resized.transpose(1, 2, 0))
    return resize_tensor(image, new, interpolation, bool(antialias))


def _by_shorter_side(height: int, width: int, size: int, max_size: int | None) -> tuple[int, int]:
    short, long = min(height, width), max(height, width)
    new_short, new_long = size, int(size * long / max(short, 1))  # resize refuses an image without pixels
    if max_size is not None:
        if max_size <= size:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested size for the smaller "
                f"edge size = {size}"
            )
        if new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return (new_short, new_long) if height <= width else (new_long, new_short)
