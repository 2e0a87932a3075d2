"""What CuPy's own functions compute otherwise than torch does, so that minitorch2 must not leave it to them."""

import numpy as np
import pytest
import torch
from on_gpu import gpu

import minitorch2 as mt

FLOATS = [0.0, -0.0, 1.0, -1.0, 5.0, -5.0, 0.1, -0.3, 2.5, -7.5, 1e20, -1e20, np.inf, -np.inf, np.nan]
INTS = [2**62 + 1, -(2**62) - 1, 2**53 + 3, 7, -7, 0, 5]


@pytest.fixture(autouse=True)
def on_gpu():
    with gpu():
        yield


def check(name, a, b):
    expected = getattr(torch, name)(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    found = getattr(mt, name)(mt.from_numpy(a).cuda(), mt.from_numpy(b).cuda()).cpu().numpy()
    np.testing.assert_array_equal(found, expected)
    kept = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[kept]), np.signbit(expected[kept]))


@pytest.mark.parametrize("name", ["remainder", "fmod", "floor_divide"])
def test_division_with_a_rest(name):
    for dtype in (np.float32, np.float64):
        check(name, *(x.ravel() for x in np.meshgrid(np.array(FLOATS, dtype), np.array(FLOATS, dtype))))
        draw = np.random.default_rng(0)
        check(name, (draw.normal(size=999) * 100).astype(dtype), draw.choice([0.1, 0.3, -7.0, 1e-3], 999).astype(dtype))
    check(name, *(x.ravel() for x in np.meshgrid(np.array(INTS), np.array([3, -7, 5, -(2**40)]))))


@pytest.mark.parametrize("name", ["remainder", "fmod", "floor_divide"])
def test_division_by_a_number(name):
    x = np.array(FLOATS, np.float32)
    for number in (0.3, -2, 0.0, np.inf):
        expected = getattr(torch, name)(torch.from_numpy(x), number)
        np.testing.assert_array_equal(getattr(mt, name)(mt.from_numpy(x).cuda(), number).cpu().numpy(), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_largest_of_a_bag_is_found_in_all_its_bits(dtype):
    weight = 1 + np.random.default_rng(0).normal(size=(9, 4)).astype(dtype) * np.finfo(dtype).eps * 8
    weight[4] = -weight[3]
    index, offsets = np.array([0, 5, 8, 2, 3, 4, 4, 1]), np.array([0, 3, 3, 6])
    results = []
    for lib, where in ((torch, "cpu"), (mt, "cuda")):
        given = (lib.from_numpy(x).to(where) for x in (index, weight, offsets))
        results.append(lib.nn.functional.embedding_bag(*given, mode="max").cpu().numpy())
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_floats_below_0_as_bytes(dtype):
    """Not what is beyond 64 bits, of which torch says nothing."""
    numbers = [-1.5, -3.0, -300.0, 0.7, 255.5, 300.0]
    expected = torch.tensor(numbers, dtype=getattr(torch, dtype)).to(torch.uint8)
    assert mt.tensor(numbers, dtype=getattr(mt, dtype), device="cuda").to(mt.uint8).tolist() == expected.tolist()
