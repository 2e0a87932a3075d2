"""Resize: on tensors torch's F.interpolate, on PIL images Pillow's, and close to each other."""

import numpy as np
import pytest
import torch as reference
from hypothesis import given
from hypothesis import strategies as st
from image_kinds import KINDS, as_array, as_kind, pixels

import minitorch2 as torch
from minitorch2.ops.resampling import axis_matrix
from minitorch2.vision import transforms as T
from minitorch2.vision.transforms import functional as F


def torchs_resize(values, size, mode, antialias):
    """F.interpolate of a float array (C, H, W)."""
    image = reference.from_numpy(values)[None]
    options = {"align_corners": False, "antialias": antialias} if mode in ("bilinear", "bicubic") else {}
    if antialias and size[1] == 1:
        # torch 2.13 repeats the first row where it resizes a single column, so it is given two equal ones
        image = reference.nn.functional.interpolate(image, size=(image.shape[2], 1), mode=mode, **options)
        image, size = image.expand(-1, -1, -1, 2).contiguous(), (size[0], 2)
        return reference.nn.functional.interpolate(image, size=size, mode=mode, **options)[0, :, :, :1].numpy()
    return reference.nn.functional.interpolate(image, size=size, mode=mode, **options)[0].numpy()


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest", "nearest-exact"])
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_resize_tensor_is_torchs_interpolate(antialias, mode, height, width, new_height, new_width):
    size = (new_height, new_width)
    values = np.random.default_rng(height * 10 + width).random((2, height, width)).astype(np.float32)
    result = T.Resize(size, T.InterpolationMode(mode), antialias=antialias)(torch.from_numpy(values))
    # torch computes the weights themselves in float32; sums of a few of them differ in the last bits
    tolerance = 2e-6 if mode in ("bilinear", "bicubic") else 0
    np.testing.assert_allclose(result.numpy(), torchs_resize(values, size, mode, antialias), rtol=0, atol=tolerance)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(7, 5), (20, 30), (13, 9)])
def test_resize_is_close_to_pillows(mode, size):
    # 64..191, so that no cubic overshoot leaves 8 bits: Pillow clips it after the first axis, torch does not
    array = pixels(13, 17) // 2 + 64
    expected = as_array(T.Resize(size, T.InterpolationMode(mode))(as_kind(array, "pil"))).astype(int)
    for kind in ("array", "tensor"):
        result = as_array(T.Resize(size, T.InterpolationMode(mode))(as_kind(array, kind)))
        assert result.dtype == np.uint8
        # Pillow rounds to 8 bits after each of the two axes, we once at the end
        assert np.abs(result.astype(int) - expected).max() <= 2


def test_resize_uint8_rounds_and_clips_as_torch():
    array = pixels(6, 6)  # to (8, 10): no new pixel lies midway between two old ones, so no exact halves
    array[array > 150] = 255
    array[array < 100] = 0
    values = reference.from_numpy(array.transpose(2, 0, 1).copy())[None].float()
    for mode in ("bilinear", "bicubic"):
        expected = reference.nn.functional.interpolate(values, size=(8, 10), mode=mode, antialias=True)[0]
        expected = expected.round().clamp(0, 255).byte().numpy()
        result = T.Resize((8, 10), T.InterpolationMode(mode))(as_kind(array, "tensor")).numpy()
        # a value near a half may be rounded the other way, by the last bit of the sum
        assert np.abs(result.astype(int) - expected).max() <= 1 and (result == expected).mean() > 0.97


def test_resize_gradient():
    values = np.random.default_rng(0).normal(size=(1, 5, 6)).astype(np.float32)
    ours = torch.from_numpy(values.copy()).requires_grad_()
    T.Resize((3, 8))(ours).pow(2).sum().backward()
    theirs = reference.from_numpy(values.copy()).requires_grad_()
    reference.nn.functional.interpolate(theirs[None], size=(3, 8), mode="bilinear", antialias=True).pow(
        2
    ).sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_antialias_weights_sum_to_one():
    for mode in (T.InterpolationMode.BILINEAR, T.InterpolationMode.BICUBIC):
        for antialias in (True, False):
            np.testing.assert_allclose(axis_matrix(11, 4, mode.value, antialias).sum(1), 1, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("size", "max_size", "expected"),
    [(3, None, (3, 6)), ([3], None, (3, 6)), (3, 5, (2, 5)), ((2, 9), None, (2, 9)), (5, None, (5, 10))],
)
def test_resize_sizes(kind, size, max_size, expected):
    image = as_kind(pixels(5, 10), kind)
    result = T.Resize(size, max_size=max_size)(image)
    assert as_array(result).shape == (*expected, 3)
    if expected == (5, 10):
        assert result is image


def test_resize_of_a_grey_array_and_modes_of_pillow():
    assert F.resize(pixels(4, 4)[:, :, 0], (2, 3)).shape == (2, 3)
    image = as_kind(pixels(8, 8), "pil")
    for mode in T.InterpolationMode:
        assert F.resize(image, (3, 3), mode).size == (3, 3)
    with pytest.raises(ValueError, match="works on PIL images only"):
        F.resize(as_kind(pixels(4, 4), "tensor"), (2, 2), T.InterpolationMode.LANCZOS)


@pytest.mark.parametrize("image", [torch.zeros(3, 0, 4), np.zeros((5, 0, 3), np.uint8), torch.zeros(3, 3, 4)])
@pytest.mark.parametrize("size", [(4, 0), 0])
def test_an_image_without_pixels_is_neither_resized_nor_made(image, size):
    with pytest.raises(RuntimeError, match="Input and output sizes should be greater than 0"):
        T.Resize(size)(image)
    if 0 in image.shape:
        with pytest.raises(RuntimeError, match="Input and output sizes should be greater than 0"):
            T.Resize(2)(image)


def test_resize_errors():
    with pytest.raises(TypeError, match="Size should be int or sequence"):
        T.Resize(3.5)
    with pytest.raises(ValueError, match="If size is a sequence, it should have 1 or 2 values"):
        T.Resize((1, 2, 3))
    with pytest.raises(ValueError, match="max_size = 3 must be strictly greater than the requested size"):
        T.Resize(3, max_size=3)(pixels(4, 4))
    with pytest.raises(ValueError, match="max_size should only be passed if size specifies the length"):
        T.Resize((3, 3), max_size=5)(pixels(4, 4))
    with pytest.raises(TypeError, match="interpolation should be an InterpolationMode"):
        F.resize(pixels(4, 4), 2, "bilinear")
