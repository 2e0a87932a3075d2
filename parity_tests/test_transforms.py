"""Transforms on PIL images, arrays and tensors. torchvision is no dependency of the tests: values are held to
torch's own operators and to Pillow, reprs and messages to torchvision's documented ones, draws to torch's.
"""

import sys

import numpy as np
import pytest
import torch as reference
from hypothesis import given
from hypothesis import strategies as st
from image_kinds import KINDS, as_array, as_kind, pixels
from PIL import Image

import minitorch2 as torch
from minitorch2.vision import transforms as T
from minitorch2.vision.transforms import functional as F

# ToTensor, ToPILImage, ConvertImageDtype


def test_to_tensor_divides_as_torch_does():
    every_value = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    expected = reference.from_numpy(every_value).permute(2, 0, 1).to(reference.float32).div(255)
    for kind in ("pil", "array"):
        result = T.ToTensor()(as_kind(every_value, kind))
        assert result.dtype is torch.float32 and tuple(result.shape) == (1, 16, 16)
        np.testing.assert_array_equal(result.numpy(), expected.numpy())


@pytest.mark.parametrize(
    ("mode", "shape", "dtype"),
    [
        ("RGB", (3, 4, 5), "torch.float32"),
        ("RGBA", (4, 4, 5), "torch.float32"),
        ("LA", (2, 4, 5), "torch.float32"),
        ("1", (1, 4, 5), "torch.float32"),
        ("I", (1, 4, 5), "torch.int32"),
        ("F", (1, 4, 5), "torch.float32"),
        ("I;16", (1, 4, 5), "torch.int16"),
    ],
)
def test_to_tensor_by_mode(mode, shape, dtype):
    image = Image.new(mode, (5, 4), color=1 if mode in ("1", "I", "F", "I;16") else None)
    result = T.ToTensor()(image)
    assert tuple(result.shape) == shape and repr(result.dtype) == dtype
    if mode in ("1", "I", "F", "I;16"):
        assert (result.numpy() == 1).all()


def test_to_tensor_leaves_other_arrays_unscaled_and_copies():
    floats = np.full((2, 3, 1), 7.0)
    result = T.ToTensor()(floats)
    assert result.dtype is torch.float64 and (result.numpy() == 7).all()
    floats[:] = 0
    assert (result.numpy() == 7).all()
    assert tuple(T.ToTensor()(np.zeros((2, 3), np.uint8)).shape) == (1, 2, 3)


def test_to_tensor_errors():
    with pytest.raises(TypeError, match=r"pic should be PIL Image or ndarray\. Got <class 'list'>"):
        T.ToTensor()([1])
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray"):
        T.ToTensor()(torch.zeros(1, 2, 2))
    with pytest.raises(ValueError, match=r"pic should be 2/3 dimensional\. Got 1 dimensions"):
        T.ToTensor()(np.zeros(3))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_to_pil_and_back(channels):
    array = pixels(4, 5, channels)
    for image in (T.ToPILImage()(array), T.ToPILImage()(as_kind(array, "tensor"))):
        assert image.mode == {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
        np.testing.assert_array_equal(as_array(image), array)
    floats = T.ToTensor()(array)
    # as torchvision: scaled and cut to a whole number, so that 8-bit values survive the round trip
    expected = reference.from_numpy(floats.numpy()).mul(255).byte().numpy().transpose(1, 2, 0)
    np.testing.assert_array_equal(as_array(T.ToPILImage()(floats)), expected)


def test_to_pil_modes_and_errors():
    assert T.ToPILImage("YCbCr")(pixels(2, 2)).mode == "YCbCr"
    assert T.ToPILImage()(np.ones((2, 2), np.int32)).mode == "I"
    image = T.ToPILImage("F")(torch.full((1, 2, 2), 0.25))
    assert image.mode == "F" and image.getpixel((0, 0)) == 0.25
    with pytest.raises(TypeError, match=r"pic should be Tensor or ndarray"):
        T.ToPILImage()("x")
    with pytest.raises(ValueError, match=r"pic should be 2/3 dimensional\. Got 4"):
        T.ToPILImage()(torch.zeros(1, 1, 2, 2))
    with pytest.raises(ValueError, match=r"pic should not have > 4 channels\. Got 5"):
        T.ToPILImage()(torch.zeros(5, 2, 2))
    with pytest.raises(ValueError, match=r"Incorrect mode \(L\)"):
        T.ToPILImage("L")(pixels(2, 2))
    with pytest.raises(TypeError, match="Input type int64 is not supported"):
        T.ToPILImage()(np.zeros((2, 2), np.int64))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("uint8", "float32"),
        ("uint8", "float64"),
        ("uint8", "int16"),
        ("int16", "uint8"),
        ("int32", "uint8"),
        ("float32", "uint8"),
        ("float32", "float64"),
        ("float64", "int32"),
        ("float32", "float32"),
    ],
)
def test_convert_image_dtype(old, new):
    if old.startswith("float"):
        values = np.linspace(0, 1, 24, dtype=old)
        expected = (
            values.astype(new)
            if new.startswith("float")
            else (values * values.dtype.type(np.iinfo(new).max + 1.0 - 1e-3)).astype(new)
        )
    else:
        values = np.linspace(0, np.iinfo(old).max, 24).astype(old)
        if new.startswith("float"):
            expected = values.astype(new) / np.dtype(new).type(np.iinfo(old).max)
        else:
            shift = (np.iinfo(old).max + 1) / (np.iinfo(new).max + 1)
            expected = (values // shift if shift > 1 else values.astype(new) * (1 / shift)).astype(new)
    result = T.ConvertImageDtype(getattr(torch, new))(torch.from_numpy(values.reshape(1, 4, 6)))
    assert repr(result.dtype) == f"torch.{new}"
    np.testing.assert_array_equal(result.numpy().ravel(), expected)


def test_convert_image_dtype_refuses_what_loses_range():
    with pytest.raises(RuntimeError, match=r"The cast from torch\.float32 to torch\.int64 cannot be performed safely"):
        T.ConvertImageDtype(torch.int64)(torch.zeros(1, 2, 2))
    with pytest.raises(TypeError, match=r"dtype should be of type torch\.dtype"):
        T.ConvertImageDtype("float32")


# Normalize


def test_normalize():
    values = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    expected = reference.from_numpy(values).clone()
    expected.sub_(reference.tensor(mean).view(-1, 1, 1)).div_(reference.tensor(std).view(-1, 1, 1))
    image = torch.from_numpy(values.copy())
    result = T.Normalize(mean, std)(image)
    np.testing.assert_array_equal(result.numpy(), expected.numpy())
    np.testing.assert_array_equal(image.numpy(), values)
    assert T.Normalize(mean, std, inplace=True)(image) is image
    np.testing.assert_array_equal(image.numpy(), expected.numpy())


def test_normalize_errors():
    with pytest.raises(TypeError, match=r"img should be Tensor Image\. Got <class 'PIL\.Image\.Image'>"):
        T.Normalize((0.5,), (0.5,))(Image.new("L", (2, 2)))
    with pytest.raises(TypeError, match=r"Input tensor should be a float tensor\. Got torch\.uint8"):
        T.Normalize((0.5,), (0.5,))(torch.zeros(1, 2, 2, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"Expected tensor to be a tensor image of size \(\.\.\., C, H, W\)"):
        T.Normalize((0.5,), (0.5,))(torch.zeros(2, 2))
    with pytest.raises(ValueError, match=r"std evaluated to zero after conversion to torch\.float32"):
        T.Normalize((0.5,), (1e-60,))(torch.zeros(1, 2, 2))


# Flip, crop, pad


@pytest.mark.parametrize("kind", KINDS)
def test_hflip(kind):
    array = pixels(3, 4)
    np.testing.assert_array_equal(as_array(F.hflip(as_kind(array, kind))), array[:, ::-1])


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(-3, 6), st.integers(-3, 6), st.integers(1, 9), st.integers(1, 9))
def test_crop(kind, top, left, height, width):
    array = pixels(5, 6)
    wide = np.zeros((40, 40, 3), np.uint8)
    wide[10:15, 10:16] = array
    expected = wide[10 + top : 10 + top + height, 10 + left : 10 + left + width]
    np.testing.assert_array_equal(as_array(F.crop(as_kind(array, kind), top, left, height, width)), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(2, 3), (5, 6), (8, 9), (2, 9), (8, 3), 4])
def test_center_crop(kind, size):
    array = pixels(5, 6)
    height, width = (size, size) if isinstance(size, int) else size
    wide = np.zeros((45, 46, 3), np.uint8)
    wide[20:25, 20:26] = array
    # a smaller image gets the odd pixel of its border at the right and below; Python rounds halves to even
    top = 20 - (height - 5) // 2 if height > 5 else 20 + round((5 - height) / 2)
    left = 20 - (width - 6) // 2 if width > 6 else 20 + round((6 - width) / 2)
    result = T.CenterCrop(size)(as_kind(array, kind))
    np.testing.assert_array_equal(as_array(result), wide[top : top + height, left : left + width])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
@pytest.mark.parametrize("padding", [2, (1, 2), [1], (1, 0, 3, 2), (-1, 2, 1, -2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_pad(kind, mode, padding, channels):
    array = pixels(5, 6, channels)
    sides = [padding] * 4 if isinstance(padding, int) else (list(padding) * 4)[:4]
    left, top, right, bottom = sides
    cut = array[max(-top, 0) : 5 - max(-bottom, 0), max(-left, 0) : 6 - max(-right, 0)]
    widths = [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0)), (0, 0)]
    expected = np.pad(cut, widths, mode=mode, **({"constant_values": 9} if mode == "constant" else {}))
    result = F.pad(as_kind(array, kind), padding, fill=9, padding_mode=mode)
    np.testing.assert_array_equal(as_array(result), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_pad_with_a_colour(kind):
    array = pixels(2, 2)
    result = as_array(F.pad(as_kind(array, kind), 1, fill=(1, 2, 3)))
    assert result[0, 0].tolist() == [1, 2, 3] and result[3, 2].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(result[1:3, 1:3], array)


def test_pad_keeps_a_palette():
    image = Image.fromarray(pixels(4, 4)).convert("P")
    for mode in ("constant", "reflect"):
        padded = F.pad(image, 1, padding_mode=mode)
        assert padded.mode == "P" and padded.getpalette() == image.getpalette()
        np.testing.assert_array_equal(np.asarray(padded)[1:5, 1:5], np.asarray(image))


def test_gradients_flow_through_tensor_transforms():
    def through(library, image):
        if library is torch:
            padded = F.pad(F.hflip(image), 1, padding_mode="reflect")
            return F.normalize(F.crop(padded, 1, 2, 3, 3), [0.5], [0.25])
        padded = reference.nn.functional.pad(image.flip(-1), (1, 1, 1, 1), mode="reflect")
        return (padded[..., 1:4, 2:5] - 0.5) / 0.25

    values = np.random.default_rng(0).normal(size=(1, 4, 5)).astype(np.float32)
    gradients = []
    for library in (torch, reference):
        image = library.from_numpy(values.copy()).requires_grad_()
        through(library, image).pow(2).sum().backward()
        gradients.append(image.grad.numpy())
    np.testing.assert_allclose(*gradients, rtol=1e-6)


def test_pad_errors():
    image = pixels(2, 2)
    with pytest.raises(ValueError, match="Padding must be an int or a 1, 2, or 4 element tuple, not a 3 element tuple"):
        F.pad(image, (1, 2, 3))
    with pytest.raises(TypeError, match="Got inappropriate padding arg"):
        F.pad(image, "1")
    with pytest.raises(ValueError, match="Padding mode should be either constant, edge, reflect or symmetric"):
        F.pad(image, 1, padding_mode="wrap")
    with pytest.raises(ValueError, match="one number per channel"):
        F.pad(image, 1, fill=(1, 2))
    with pytest.raises(TypeError, match="Unexpected type <class 'str'>"):
        F.hflip("image")


# Random transforms draw what torchvision draws from torch's generator


@pytest.mark.parametrize("kind", KINDS)
def test_random_crop_draws(kind):
    array = pixels(8, 9)
    crop = T.RandomCrop(6, padding=2, padding_mode="reflect")
    padded = np.pad(array, [(2, 2), (2, 2), (0, 0)], mode="reflect")
    torch.manual_seed(3)
    reference.manual_seed(3)
    for _ in range(20):
        top = reference.randint(0, 12 - 6 + 1, size=(1,)).item()
        left = reference.randint(0, 13 - 6 + 1, size=(1,)).item()
        np.testing.assert_array_equal(as_array(crop(as_kind(array, kind))), padded[top : top + 6, left : left + 6])


def test_random_crop_that_fits_draws_nothing():
    torch.manual_seed(0)
    first = torch.rand(1).item()
    torch.manual_seed(0)
    array = pixels(4, 5)
    np.testing.assert_array_equal(T.RandomCrop((4, 5))(array), array)
    assert torch.rand(1).item() == first


def test_random_crop_pads_if_needed():
    array = pixels(3, 3)
    torch.manual_seed(0)
    assert T.RandomCrop((5, 6), pad_if_needed=True, fill=7)(array).shape == (5, 6, 3)
    with pytest.raises(ValueError, match=r"Required crop size \(5, 6\) is larger than input image size \(3, 3\)"):
        T.RandomCrop((5, 6))(array)
    with pytest.raises(ValueError, match=r"Please provide only two dimensions \(h, w\) for size"):
        T.RandomCrop((1, 2, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_random_flip_draws(kind):
    array = pixels(3, 4)
    torch.manual_seed(5)
    reference.manual_seed(5)
    flip = T.RandomHorizontalFlip(p=0.3)
    flipped = 0
    for _ in range(40):
        expected = array[:, ::-1] if reference.rand(1) < 0.3 else array
        flipped += expected is not array
        np.testing.assert_array_equal(as_array(flip(as_kind(array, kind))), expected)
    assert 0 < flipped < 40


# The objects themselves


def test_reprs():
    assert repr(T.Compose([T.ToTensor(), T.Normalize((0.1307,), (0.3081,))])) == (
        "Compose(\n    ToTensor()\n    Normalize(mean=(0.1307,), std=(0.3081,))\n)"
    )
    assert repr(T.RandomCrop(32, padding=4)) == "RandomCrop(size=(32, 32), padding=4)"
    assert repr(T.RandomHorizontalFlip()) == "RandomHorizontalFlip(p=0.5)"
    assert repr(T.CenterCrop(10)) == "CenterCrop(size=(10, 10))"
    assert repr(T.Resize(8)) == "Resize(size=8, interpolation=bilinear, max_size=None, antialias=True)"
    assert repr(T.Lambda(abs)) == "Lambda()"
    assert repr(T.ToPILImage()) == "ToPILImage()" and repr(T.ToPILImage("L")) == "ToPILImage(mode=L)"


def test_lambda_and_compose():
    assert T.Compose([T.Lambda(lambda x: x + 1), T.Lambda(lambda x: x * 2)])(3) == 8
    with pytest.raises(TypeError, match="Argument lambd should be callable, got 'int'"):
        T.Lambda(3)


def test_tensor_transforms_are_modules():
    transform = torch.nn.Sequential(T.CenterCrop(4), T.Normalize((0.5,), (0.5,)))
    assert tuple(transform(torch.zeros(2, 1, 6, 6)).shape) == (2, 1, 4, 4)


def test_arrays_and_tensors_need_no_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    transform = T.Compose(
        [
            T.RandomCrop(4, padding=1),
            T.RandomHorizontalFlip(),
            T.Resize(6),
            T.CenterCrop(3),
            T.ToTensor(),
        ]
    )
    assert tuple(transform(pixels(4, 4)).shape) == (3, 3, 3)
    with pytest.raises(ImportError, match="to_pil_image needs Pillow"):
        T.ToPILImage()(pixels(2, 2))
