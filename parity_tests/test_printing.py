"""repr(tensor) against torch's, letter by letter."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minitorch2 as mt
from minitorch2 import printing
from minitorch2_kernels.reference.cast import BFLOAT16

DTYPES = ["float32", "float64", "float16", "bfloat16", "uint8", "int8", "int16", "int32", "int64", "bool"]

# Decimal magnitudes around every switch of the format, and what has none.
TELLING = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-4, 9.9e-5, 1e-5, 999.0, 1000.0, 1001.0, 1e8, 1.1e8, 12345.678, 1e-45]
floats = st.one_of(
    st.sampled_from([*TELLING, float("inf"), float("-inf"), float("nan")]),
    st.floats(width=32),
    st.integers(-20, 20).map(float),
    st.floats(0.125, 10, width=32),
    st.floats(width=64),
)
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


def tensors(array, dtype):
    """The array in both libraries. torch converts it, so that equal bits are compared."""
    theirs = torch.from_numpy(array).to(getattr(torch, dtype))
    if dtype == "bfloat16":
        bits = theirs.view(torch.int16).numpy()
        return mt.Tensor._wrap(np.ascontiguousarray(bits).view(BFLOAT16).reshape(array.shape)), theirs
    return mt.Tensor._wrap(theirs.numpy().copy()), theirs


@st.composite
def arrays(draw, elements=floats, shape=shapes):
    shape = draw(shape)
    n = int(np.prod(shape))
    values = draw(st.lists(elements, min_size=n, max_size=n)) if n <= 30 else None
    if values is None:  # few different numbers are as telling as many, and drawn faster
        few = draw(st.lists(elements, min_size=1, max_size=6))
        values = np.resize(few, n)
    return np.array(values, np.float64).reshape(shape)


@pytest.fixture(autouse=True)
def default_options():
    yield
    for lib in (mt, torch):
        lib.set_printoptions(profile="default")


@given(arrays(), st.sampled_from(DTYPES[:4]))
def test_floats(array, dtype):
    ours, theirs = tensors(array, dtype)
    assert repr(ours) == repr(theirs)
    assert str(ours) == str(theirs)


@given(shapes.flatmap(lambda s: hnp.arrays(np.int64, s)), st.sampled_from(DTYPES[4:]))
def test_integers_and_bools(array, dtype):
    ours, theirs = tensors(array, dtype)
    assert repr(ours) == repr(theirs)


large_shapes = st.sampled_from(
    [
        (1001,),
        (1000,),
        (2000,),
        (40, 40),
        (1500, 2),
        (2, 1500),
        (7, 7, 30),
        (6, 200),
        (1, 1, 1002),
        (12, 9, 11),
    ]
)


@given(large_shapes, st.sampled_from(DTYPES), st.integers(0, 2**32 - 1))
def test_summaries(shape, dtype, seed):
    array = np.random.RandomState(seed).randn(*shape) * 10.0 ** (seed % 12 - 6)
    ours, theirs = tensors(array, dtype)
    assert repr(ours) == repr(theirs)


options = st.fixed_dictionaries(
    {},
    optional={
        "precision": st.integers(0, 12),
        "threshold": st.sampled_from([0, 1, 5, 20, 1000, float("inf")]),
        "edgeitems": st.integers(0, 4),
        "linewidth": st.integers(1, 130),
        "profile": st.sampled_from(["default", "short", "full"]),
        "sci_mode": st.sampled_from([None, True, False]),
    },
)


@given(arrays(), st.sampled_from(DTYPES[:5]), options)
def test_options(array, dtype, chosen):
    ours, theirs = tensors(array, dtype)
    for lib in (mt, torch):
        lib.set_printoptions(profile="default")
        lib.set_printoptions(**chosen)
    assert printing.get_printoptions() == torch._tensor_str.get_printoptions()
    assert repr(ours) == repr(theirs)


def test_options_for_a_block():
    x = mt.tensor([1.23456])
    with printing.printoptions(precision=2):
        assert repr(x) == "tensor([1.23])"
    assert repr(x) == "tensor([1.2346])"
    with pytest.raises(ValueError, match="profile must be one of default, short, full, got 'wide'"):
        mt.set_printoptions(profile="wide")


def both(make):
    assert repr(make(mt)) == repr(make(torch))


def test_history():
    both(lambda lib: lib.ones(2, requires_grad=True))
    both(lambda lib: lib.ones(2, requires_grad=True) * 2)
    both(lambda lib: (lib.ones(2, 3, requires_grad=True) * 2).sum())
    both(lambda lib: lib.zeros(0, 3, requires_grad=True))
    both(lambda lib: lib.arange(40.0).requires_grad_())
    for n in range(1, 30):  # the suffix moves to a line of its own where it no longer fits
        both(lambda lib: lib.arange(float(n)).requires_grad_() * 1)  # noqa: B023
        both(lambda lib: lib.arange(n, dtype=lib.int32))  # noqa: B023


def test_empty_tensors():
    for shape in ((0,), (0, 3), (2, 0, 1)):
        for dtype in DTYPES:
            both(lambda lib: lib.zeros(shape, dtype=getattr(lib, dtype)))  # noqa: B023


def test_the_default_dtype_is_not_named():
    try:
        for lib in (mt, torch):
            lib.set_default_dtype(lib.float64)
        for dtype in DTYPES:
            both(lambda lib: lib.zeros(2, dtype=getattr(lib, dtype)))  # noqa: B023
            both(lambda lib: lib.zeros(0, dtype=getattr(lib, dtype)))  # noqa: B023
    finally:
        for lib in (mt, torch):
            lib.set_default_dtype(lib.float32)


def test_parameters_and_subclasses():
    both(lambda lib: lib.nn.Parameter(lib.ones(2, 3)))
    both(lambda lib: lib.nn.Parameter(lib.arange(30.0), requires_grad=False))
    both(lambda lib: lib.nn.Buffer(lib.ones(2)))
    ours = mt.ones(3)
    ours.__class__ = type("Image", (mt.Tensor,), {})
    assert repr(ours) == repr(torch.ones(3).as_subclass(type("Image", (torch.Tensor,), {})))


def test_views_print_what_they_show():
    both(lambda lib: lib.arange(2000.0).reshape(40, 50).t())
    both(lambda lib: lib.arange(24).reshape(2, 3, 4).permute(2, 0, 1))
    both(lambda lib: lib.ones(1).expand(3, 4))
