"""torch.testing: what is close, what is not, and in which words; and the random tensors it makes."""

import collections
import math

import numpy as np
import pytest
import torch
from side_by_side import same

import minitorch2

nan = math.nan

# Two values, and options: each is compared, or refused, as torch does it.
COMPARED = [
    "1.0, 1.0 + 1e-9",
    "1.0, 1.1",
    "1, 2",
    "1.0, 1",
    "1.0, 1, check_dtype=False",
    "1.0, 0.0",
    "1e-9, 1e-10, rtol=0, atol=0",
    "1 + 1j, 1 + 2j",
    "nan, nan",
    "nan, nan, equal_nan=True",
    "inf, inf",
    "inf, 1.0",
    "True, True",
    "True, False",
    "None, None",
    "None, 1.0",
    "[None, 1.0], [None, 1.0]",
    "'a', 'a'",
    "'a', 'b'",
    "['a'], ['a']",
    "object, object",
    "T([1.0, 2.0]), T([1.0, 2.0])",
    "T([1.0, 2.0, 5.0]), T([1.0, 3.0, 4.5])",
    "T([0.0, 2.0]), T([1.0, 0.0])",
    "T([1.0, nan]), T([1.0, nan])",
    "T([1.0, nan]), T([1.0, nan]), equal_nan=True",
    "T([1.0, nan]), T([1.0, 2.0])",
    "T([inf, -inf]), T([inf, inf])",
    "T([1, 2]), T([1, 4])",
    "T([1, 2]), T([1, 4]), rtol=0.0, atol=1.0",
    "T([True, False]), T([True, True])",
    "T([1, 250], dtype=lib.uint8), T([1, 3], dtype=lib.uint8)",
    "T([[1.0, 2.0], [3.0, 4.0]]), T([[1.0, 2.0], [3.0, 7.0]]), rtol=0, atol=0",
    "T([1.0, 2.0]).half(), T([1.0, 2.5]).half()",
    "T([1.0, 2.0]).bfloat16(), T([1.0, 2.5]).bfloat16()",
    "T([1.0, 2.0]).double(), T([1.0, 2.0 + 1e-5]).double()",
    "T(1.0), T(2.0)",
    "T(1), T(0)",
    "T([1.0]), T([1.0]).double()",
    "T([1.0]), T([1.0]).double(), check_dtype=False",
    "T([1.0]), T([1.0, 2.0])",
    "T([]), T([])",
    "lib.ones(2, 3), lib.ones(3, 2).t(), check_stride=True",
    "lib.ones(2, 3), lib.ones(3, 2).t()",
    "T([1.0]), 1.0",
    "1.0, T(1.0)",
    "T([1.0]), [1.0]",
    "T([1.0]), np.array([1.0], np.float32)",
    "np.array([1.0]), np.array([1.0])",
    "np.array([1.0]), np.array([2.0])",
    "np.float32(1), np.float32(2)",
    "np.float64(1), 1.0",
    "np.bool_(True), False",
    "lib.nn.Parameter(T([1.0])), T([1.0])",
    "lib.nn.Parameter(T([1.0])), T([2.0])",
    "T([1.0], requires_grad=True), T([2.0], requires_grad=True)",
    "[T([1.0]), 2.0], (T([1.0]), 2.0)",
    "[T([1.0]), 2.0], [T([1.0]), 3.0]",
    "[[1.0], [T([1.0])]], [[1.0], [T([2.0])]]",
    "[1.0], [1.0, 2.0]",
    "[[1.0]], [[1.0, 2.0]]",
    "{'a': 1.0}, {'a': 1.0}",
    "{'a': 1.0, 'b': T([1.0])}, {'b': T([2.0]), 'a': 1.0}",
    "{'a': [1.0]}, {'a': [2.0]}",
    "{'a': 1.0, 'c': 1.0}, {'a': 1.0, 'b': 1.0}",
    "{'x': {'a': 1.0}}, {'x': {}}",
    "collections.OrderedDict(b=2.0, a=1.0), {'a': 1.0, 'b': 2.0}",
    "{'a': 1.0}, [1.0]",
    "1.0, 1.1, rtol=0.2",
    "1.0, 1.1, atol=0.2",
    "1.0, 1.1, rtol=0.2, atol=0.0",
    "1.0, 2.0, msg='mine'",
    "[1.0], [2.0], msg='mine'",
    "[1.0], [2.0], msg=lambda text: f'before\\n{text}\\nbehind'",
    "{'a': 1.0}, {'b': 1.0}, msg='mine'",
    "(1, 2), range(1, 3)",
]


def arguments(lib, text):
    names = {"lib": lib, "T": lib.tensor, "np": np, "nan": nan, "inf": math.inf, "collections": collections}
    return eval(f"(lambda *values, **options: (values, options))({text})", names)


@pytest.mark.parametrize("text", COMPARED)
def test_assert_close(text):
    def compare(lib):
        values, options = arguments(lib, text)
        return lib.testing.assert_close(*values, **options)

    outcome = same(lambda lib: named(lib, compare))
    assert outcome is None or outcome[0] in ("AssertionError", "TypeError", "ValueError")


def named(lib, compare):
    """compare(lib), with torch's place for its classes in the text of an error."""
    try:
        return compare(lib)
    except Exception as error:
        raise type(error)(str(error).replace("minitorch2.tensor.Tensor", "torch.Tensor")) from None


def test_subclasses():
    for lib in (torch, minitorch2):
        parameter = lib.nn.Parameter(lib.ones(2))
        lib.testing.assert_close(parameter, lib.ones(2))
        with pytest.raises(TypeError, match="No comparison pair was able to handle inputs of type"):
            lib.testing.assert_close(parameter, lib.ones(2), allow_subclasses=False)


@pytest.mark.parametrize("text", ["1.0, 1.00005", "1.0, 1.1", "T([1.0]), T([1.0]).double()", "[1.0, nan], [1.0, nan]"])
def test_assert_allclose(text):
    def compare(lib):
        values, options = arguments(lib, text)
        with pytest.warns(FutureWarning, match="assert_allclose.* is deprecated"):
            lib.testing.assert_allclose(*values, **options)

    same(compare)


MADE = [
    "(2, 3), dtype=lib.float32",
    "2, 3, dtype=lib.float64",
    "5, dtype=lib.float16",
    "5, dtype=lib.bfloat16, low=-1, high=1",
    "5, dtype=lib.int64",
    "5, dtype=lib.int8, low=-1000, high=1000",
    "5, dtype=lib.uint8",
    "(), dtype=lib.int32",
    "9, dtype=lib.bool",
    "40, dtype=lib.int64, low=-1, high=1.5, exclude_zero=True",
    "(3, 4), dtype=lib.float32, noncontiguous=True",
    "(1, 1), dtype=lib.float32, noncontiguous=True",
    "(2, 3, 4, 5), dtype=lib.float32, memory_format=lib.channels_last",
    "4, dtype=lib.float32, low=-3e38, high=3e38",
    "4, dtype=lib.float32, low=-1e50, high=1e50",
    "4, dtype=lib.float32, requires_grad=True",
    "(0, 3), dtype=lib.float32",
    "4, dtype=lib.int64, requires_grad=True",
    "4, dtype=lib.float32, low=2, high=1",
    "4, dtype=lib.int64, low=1, high=1",
    "4, dtype=lib.float32, low=nan",
    "4, dtype=lib.uint8, low=-5, high=-1",
    "(2, 3, 4, 5), dtype=lib.float32, noncontiguous=True, memory_format=lib.channels_last",
]


@pytest.mark.parametrize("text", MADE)
def test_make_tensor(text):
    def make(lib):
        sizes, options = arguments(lib, text)
        lib.manual_seed(7)
        x = lib.testing.make_tensor(*sizes, device="cpu", **options)
        return x, x.stride(), x.requires_grad

    same(make)


def test_make_tensor_of_one_number():
    for lib in (torch, minitorch2):
        with pytest.warns(FutureWarning, match="low==high"):
            assert lib.testing.make_tensor(3, dtype=lib.float32, device="cpu", low=2, high=2).tolist() == [2.0] * 3
        with pytest.raises(TypeError, match="is not supported by"):
            lib.testing.make_tensor(3, dtype="float32", device="cpu")
