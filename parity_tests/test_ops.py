"""Every op of the table against torch: values, gradients, second derivatives, errors, in-place forms, half precision.

The table is optable/; a failing example ends in a program that shows the difference in either library.
"""

import contextlib
import inspect

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from optable import SPECS
from optable.calls import DType
from optable.comparing import EPS, assert_same, outcome, same_error, to_array
from optable.drawing import BOOL, FLOATS, HALVES, INTS

import minitorch2 as mt

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")

# There are some 300 specs and four properties: fewer examples of each than of a property that stands alone.
examples = settings(max_examples=max(10, settings().max_examples // 2))
WIDE = FLOATS + INTS + BOOL


def by_spec(specs):
    specs = tuple(specs)
    return pytest.mark.parametrize("spec", specs, ids=[s.name for s in specs])


def run(spec, built, lib):
    result = spec.function(lib)(*built.args, **built.kwargs)
    return spec.select(result) if spec.select else result


def is_missing_kernel(error) -> bool:
    """torch has not this op for this dtype on the CPU; whether we have it is not torch's to say."""
    return isinstance(error, NotImplementedError) and "not implemented for" in str(error)


@contextlib.contextmanager
def shown(spec, call):
    """A failure inside ends in a program that shows it."""
    try:
        yield
    except Exception as error:
        error.add_note(f"\n{call.snippet(spec.name)}\n")
        raise


def compare_values(spec, call, rounding):
    a, b = call.built(mt), call.built(torch)
    before = [to_array(t).copy() for t in a.leaves]
    ours, our_error = outcome(lambda: run(spec, a, mt))
    theirs, their_error = outcome(lambda: run(spec, b, torch))
    assume(not is_missing_kernel(their_error))
    if our_error is not None or their_error is not None:
        same_error(our_error, their_error)
        return
    assert_same(ours, theirs, rounding)
    for old, t in zip(before, a.leaves, strict=True):
        assert_array_equal(to_array(t), old, "an input was changed")
    if spec.contiguous:
        assert ours.is_contiguous() == theirs.is_contiguous()
    if spec.view:
        assert_same_view(ours, theirs, a, b)
    if spec.method_name and isinstance(a.args[0], mt.Tensor):
        result = getattr(a.args[0], spec.method_name)(*a.args[1:], **a.kwargs)
        result = spec.select(result) if spec.select else result
        assert_equal_here(result, ours, f"x.{spec.method_name}()")
    if spec.inplace_name and isinstance(a.args[0], mt.Tensor):
        compare_in_place(spec, call, rounding)


def assert_array_equal(a, b, what):
    assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), f"{what}: {b} became {a}"


def assert_equal_here(result, expected, what):
    if isinstance(expected, mt.Tensor):
        assert result.dtype is expected.dtype, what
        assert_array_equal(to_array(result), to_array(expected), what)
    elif isinstance(expected, tuple | list):
        for r, e in zip(result, expected, strict=True):
            assert_equal_here(r, e, what)
    else:
        assert result == expected, what


def assert_same_view(ours, theirs, a, b):
    """The strides that torch has (where they mean anything), and the same answer to: is it the input's memory?"""
    pairs = zip(ours, theirs, strict=True) if isinstance(theirs, tuple | list) else [(ours, theirs)]
    for our, their in pairs:
        if not their.numel():
            continue
        long = [i for i, n in enumerate(their.shape) if n > 1]
        strides = [[t.stride()[i] for i in long] for t in (our, their)]
        assert strides[0] == strides[1], f"strides: {strides[1]} in torch, {strides[0]} here"
        shares = np.may_share_memory(our._data, a.leaves[0]._data)
        there = their.untyped_storage().data_ptr() == b.leaves[0].untyped_storage().data_ptr()
        assert shares == there, f"shares memory with the input: {there} in torch, {shares} here"


def compare_in_place(spec, call, rounding):
    """x.op_() leaves in x what torch leaves there, returns x, and refuses what torch refuses."""
    a, b = call.built(mt), call.built(torch)
    returned, our_error = outcome(lambda: getattr(a.args[0], spec.inplace_name)(*a.args[1:], **a.kwargs))
    _, their_error = outcome(lambda: getattr(b.args[0], spec.inplace_name)(*b.args[1:], **b.kwargs))
    if is_missing_kernel(their_error):
        return
    if call.args[0].layout == "expanded" and "single memory location" in str(our_error):
        return  # torch refuses most writes to memory that several elements share, ours all of them
    if our_error is not None or their_error is not None:
        same_error(our_error, their_error)
        return
    assert returned is a.args[0], f"{spec.inplace_name} returns the tensor itself"
    assert_same(a.args[0], b.args[0], rounding, f"x.{spec.inplace_name}()")


@by_spec(s for s in SPECS if s.dtypes_among(WIDE))
@examples
@given(data=st.data())
def test_values(spec, data):
    """Value, shape, dtype; inputs left alone; x.op() and op(x) agree; x.op_() writes what op(x) gives."""
    call = data.draw(spec.calls("value", spec.dtypes_among(WIDE)))
    with shown(spec, call):
        compare_values(spec, call, spec.rounding)


@by_spec(s for s in SPECS if s.dtypes_among(HALVES))
@examples
@given(data=st.data())
def test_half_precision(spec, data):
    """float16 and bfloat16: within a rounding of torch's."""
    call = data.draw(spec.calls("value", spec.dtypes_among(HALVES)))
    with shown(spec, call):
        compare_values(spec, call, spec.half)


def differentiable_outputs(result) -> list:
    items = result if isinstance(result, tuple | list) else [result]
    return [y for y in items if isinstance(y, mt.Tensor | torch.Tensor) and y.requires_grad]


def upstream(outputs, seed) -> list[np.ndarray]:
    """A random gradient for every output: a wrong transpose or sum cannot hide behind ones."""
    rng = np.random.RandomState(seed)
    return [np.asarray(rng.standard_normal(tuple(y.shape))).astype(to_array(y).dtype) for y in outputs]


def first_gradients(spec, call, lib, seed, create_graph=False):
    """(gradients of the inputs, the inputs, the gradients of the outputs); None where an input is not used."""
    built = call.built(lib).with_gradients()
    outputs = differentiable_outputs(run(spec, built, lib))
    if not outputs or not built.wanted():
        return None, built.wanted(), None
    seeds = [lib.from_numpy(g).to(y.dtype).to(y.device) for g, y in zip(upstream(outputs, seed), outputs, strict=True)]
    if create_graph:
        seeds = [g.requires_grad_() for g in seeds]
    grads = lib.autograd.grad(outputs, built.wanted(), seeds, create_graph=create_graph, allow_unused=True)
    return grads, built.wanted(), seeds


def second_gradients(spec, call, lib, seed):
    """Gradients of sum(v * first gradients) with respect to the inputs and the upstream gradients."""
    grads, inputs, seeds = first_gradients(spec, call, lib, seed, create_graph=True)
    if grads is None:
        return None
    found = [g for g in grads if g is not None]
    vs = [lib.from_numpy(v).to(g.dtype).to(g.device) for v, g in zip(upstream(found, seed + 1), found, strict=True)]
    kept = [(g, v) for g, v in zip(found, vs, strict=True) if g.requires_grad]
    if not kept:
        return [None] * (len(inputs) + len(seeds))
    found, vs = zip(*kept, strict=True)
    return lib.autograd.grad(found, [*inputs, *seeds], vs, allow_unused=True)


def coarsest(call) -> float:
    """The eps that a call's gradients are good to: that of its least precise tensor."""
    dtypes = [t.dtype for t in call.tensors()] + [x.name for x in call.kwargs.values() if isinstance(x, DType)]
    return max((EPS.get(name, 0.0) for name in dtypes), default=0.0)


def assert_same_gradients(ours, theirs, rounding, what, eps):
    ours, theirs = (x or (None,) * len(ours or theirs or ()) for x in (ours, theirs))
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if b is None:  # zeros are as good
            b = a if a is None else torch.zeros(a.shape, dtype=getattr(torch, str(a.dtype).removeprefix("torch.")))
        if a is None:
            assert b is None or not b.numel(), f"{what} of input {i}: {b} in torch, none here"
        else:
            assert_same(a, b, rounding, f"{what} of input {i}", eps)


@by_spec(s for s in SPECS if s.gradient_dtypes)
@examples
@given(data=st.data(), seed=st.integers(0, 1000))
def test_gradients(spec, data, seed):
    """The gradients of a random projection of the outputs, in float32 and float64."""
    call = data.draw(spec.calls("gradient", spec.gradient_dtypes))
    with shown(spec, call):
        theirs, error = outcome(lambda: first_gradients(spec, call, torch, seed)[0])
        assume(error is None)  # a call that torch refuses is test_values' business
        ours = first_gradients(spec, call, mt, seed)[0]
        assert_same_gradients(ours, theirs, spec.gradient, "gradient", coarsest(call))


@by_spec(s for s in SPECS if s.gradient_dtypes and s.second)
@examples
@given(data=st.data(), seed=st.integers(0, 1000))
def test_second_derivatives(spec, data, seed):
    """Gradients of gradients; and the first ones are the same whether or not the backward pass was recorded."""
    call = data.draw(spec.calls("second", spec.dtypes_among(("float64",)) or spec.gradient_dtypes))
    with shown(spec, call):
        theirs, error = outcome(lambda: second_gradients(spec, call, torch, seed))
        assume(error is None)
        compare_modes(*(first_gradients(spec, call, mt, seed, create)[0] for create in (False, True)))
        ours = second_gradients(spec, call, mt, seed)
        assert_same_gradients(ours, theirs, spec.gradient, "second derivative", coarsest(call))


def compare_modes(plain, recorded):
    """Gradients computed on arrays, and on tensors while the backward pass is recorded."""
    for a, b in zip(plain or (), recorded or (), strict=True):
        assert (a is None) == (b is None), "an input's gradient is None in one of the two modes of backward"
        if a is not None:
            assert a.dtype is b.dtype, "the two modes of backward"
            # A fused op is differentiated as a composition when recorded: the same up to rounding, in float64.
            assert np.allclose(to_array(a), to_array(b), rtol=1e-12, atol=1e-12, equal_nan=True), (a, b)


ERRORS = [(spec, case) for spec in SPECS for case in spec.errors]


@pytest.mark.parametrize(("spec", "case"), ERRORS, ids=[f"{s.name}-{c.label}" for s, c in ERRORS])
def test_errors(spec, case):
    """What torch refuses is refused here, with the same type of exception."""
    ours, our_error = outcome(lambda: case.call(mt))
    _, their_error = outcome(lambda: case.call(torch))
    assert their_error is not None, "torch takes it: the case is wrong"
    if case.differs:
        assert our_error is not None, ours
        assert type(our_error) is not type(their_error), "the documented difference is gone"
    else:
        same_error(our_error, their_error)


ALIASES = [(spec, alias) for spec in SPECS for alias in spec.aliases]


@pytest.mark.parametrize(("spec", "alias"), ALIASES, ids=[alias for _, alias in ALIASES])
def test_aliases(spec, alias):
    """An alias is the very same function, here, and exists in torch."""
    assert inspect.unwrap(getattr(mt, alias)) is inspect.unwrap(getattr(mt, spec.name))
    assert hasattr(torch, alias) or hasattr(torch.Tensor, alias)
