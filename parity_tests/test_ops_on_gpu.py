"""Every op of the table on the GPU: on a real one against torch on the same, else on the stand-in for CuPy against
torch on the CPU, which shows that the code keeps to CuPy's rules and that no array leaves the GPU by itself."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from on_gpu import REAL, gpu
from optable import SPECS, calls
from optable.comparing import assert_same, outcome, same_error
from optable.drawing import BOOL, FLOATS, HALVES, INTS
from test_ops import (
    assert_same_gradients,
    by_spec,
    coarsest,
    first_gradients,
    is_missing_kernel,
    run,
    second_gradients,
    shown,
)

import minitorch2 as mt

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")
ASKS_WHERE = ("Tensor.get_device", "Tensor.type", "get_device", "typename")  # whose answer is what differs
HERE = [s for s in SPECS if s.name not in ASKS_WHERE]
few = settings(max_examples=max(4, settings().max_examples // 6))


@pytest.fixture(autouse=True)
def on_gpu():
    with gpu():
        calls.DEVICES.update(minitorch2="cuda", torch="cuda" if REAL else "cpu")
        try:
            yield
        finally:
            calls.DEVICES.update(minitorch2="cpu", torch="cpu")


def tensors(result):
    return [y for y in (result if isinstance(result, tuple | list) else [result]) if isinstance(y, mt.Tensor)]


def has_subnormals(call) -> bool:
    """Whether a float32 or bfloat16 number is below the normal ones: CuPy compiles with -ftz=true, which makes it 0."""
    sizes = [abs(t.values) for t in call.tensors() if t.dtype in ("float32", "bfloat16")]
    return any(((x > 0) & (x < np.finfo("float32").tiny)).any() for x in sizes)


def compare(spec, call, rounding):
    if REAL and spec.name == "topk":  # torch 2.11 gives memory that nobody wrote for the first 0 of no dims
        assume(call.args[0].values.ndim)
    assume(not REAL or not has_subnormals(call))
    ours, our_error = outcome(lambda: run(spec, call.built(mt), mt))
    theirs, their_error = outcome(lambda: run(spec, call.built(torch), torch))
    assume(not is_missing_kernel(their_error))
    if our_error is not None or their_error is not None:
        same_error(our_error, their_error)
        return
    assert_same(ours, theirs, rounding)
    if tensors(call.built(mt).leaves):
        assert all(y.is_cuda for y in tensors(ours)), "a result left the GPU"


@by_spec(s for s in HERE if s.dtypes_among(FLOATS + INTS + BOOL))
@few
@given(data=st.data())
def test_values(spec, data):
    call = data.draw(spec.calls("value", spec.dtypes_among(FLOATS + INTS + BOOL)))
    with shown(spec, call):
        compare(spec, call, spec.rounding)


@by_spec(s for s in HERE if s.dtypes_among(HALVES))
@few
@given(data=st.data())
def test_half_precision(spec, data):
    call = data.draw(spec.calls("value", spec.dtypes_among(HALVES)))
    with shown(spec, call):
        compare(spec, call, spec.half)


@by_spec(s for s in HERE if s.gradient_dtypes)
@few
@given(data=st.data(), seed=st.integers(0, 1000))
def test_gradients(spec, data, seed):
    """First and, where there are any, second derivatives: those away from kinks, as in test_ops.py."""
    call = drawn(spec, data, "gradient", spec.gradient_dtypes)
    with shown(spec, call), warnings.catch_warnings():
        theirs, error = outcome(lambda: first_gradients(spec, call, torch, seed)[0])
        assume(error is None)
        ours = first_gradients(spec, call, mt, seed)[0]
        assert_same_gradients(ours, theirs, spec.gradient, "gradient", coarsest(call))
    if not spec.second:
        return
    call = drawn(spec, data, "second", spec.dtypes_among(("float64",)) or spec.gradient_dtypes)
    with shown(spec, call), warnings.catch_warnings():
        theirs, error = outcome(lambda: second_gradients(spec, call, torch, seed))
        assume(error is None)
        ours = second_gradients(spec, call, mt, seed)
        assert_same_gradients(ours, theirs, spec.gradient, "second derivative", coarsest(call))


def drawn(spec, data, use, dtypes):
    call = data.draw(spec.calls(use, dtypes))
    if REAL and spec.name == "index_fill":  # torch's backward reads with the negative index: an assertion on the GPU
        assume((call.args[2].values >= 0).all())
    return call
