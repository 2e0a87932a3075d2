"""x[...] and x[...] = value against torch: every kind of index, alone and mixed, with gradients; and torch's
refusals.

The functions around it (gather, scatter, index_add ...) stand in the table of ops, optable/placing.py.
"""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from index_drawing import filled, given_to, shapes_and_indices

import minitorch2 as mt

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")


def outcome(action):
    """(what it gives, None), or (None, the type of its error)."""
    try:
        return action(), None
    except Exception as error:
        return None, error


def assert_alike(ours, theirs):
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype) == str(theirs.dtype)
    assert ours.tolist() == theirs.tolist()


def assert_same_error(ours, theirs):
    assert ours is not None, f"torch raises {theirs!r}, minitorch2 does not"
    assert theirs is not None, f"minitorch2 raises {ours!r}, torch does not"
    assert type(ours) is type(theirs), (ours, theirs)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int64", "bool"])
@given(case=shapes_and_indices())
def test_reading(dtype, case):
    shape, index = case
    ours, error = outcome(lambda: filled(mt, shape, dtype)[given_to(mt, index)])
    theirs, their_error = outcome(lambda: filled(torch, shape, dtype)[given_to(torch, index)])
    if error or their_error:
        assert_same_error(error, their_error)
    else:
        assert_alike(ours, theirs)


@given(case=shapes_and_indices(advanced=False))
def test_a_basic_index_is_a_view(case):
    """The same part of the same memory, with torch's strides."""
    shape, index = case
    x, y = filled(mt, shape), filled(torch, shape)
    ours, theirs = x[index], y[index]
    if theirs.numel():
        long = [d for d, n in enumerate(theirs.shape) if n > 1]
        assert [ours.stride()[d] for d in long] == [theirs.stride()[d] for d in long]
        assert ours.storage_offset() == theirs.storage_offset()
        ours.mul_(10)
        theirs.mul_(10)
        assert_alike(x, y)


def gradients(lib, shape, index):
    """First derivatives of a weighted sum of cubes, and the derivatives of a weighted sum of those."""
    x = filled(lib, shape, requires_grad=True)
    y = x[given_to(lib, index)]
    (g,) = lib.autograd.grad((y**3 * filled(lib, y.shape)).sum(), x, create_graph=True)
    (second,) = lib.autograd.grad((g * filled(lib, shape)).sum(), x)
    return g.detach(), second


@given(case=shapes_and_indices())
def test_gradients_of_reading(case):
    shape, index = case
    theirs, error = outcome(lambda: gradients(torch, shape, index))
    if error is None:
        for a, b in zip(gradients(mt, shape, index), theirs, strict=True):
            assert_alike(a, b)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gradients_in_half_precision(dtype):
    """A repeated element adds up in half precision, too."""
    grads = []
    for lib in (mt, torch):
        x = filled(lib, (4, 3), dtype).requires_grad_()
        (x[lib.tensor([0, 2, 2, 0])] * 2).sum().backward()
        grads.append(x.grad)
    assert_alike(*grads)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gradients_of_writing_in_half_precision(dtype):
    grads = []
    for lib in (mt, torch):
        x, v = (filled(lib, (3,), dtype).requires_grad_() for _ in range(2))
        y = x * 1
        y[0:2] = v[:2] * 2
        y[lib.tensor([2])] = v[:1]
        y[0] = 5.0
        z = y.clone()
        z.copy_(v)
        (y.sum() + z.sum()).backward()
        grads.append([x.grad.tolist(), v.grad.tolist()])
    assert grads[0] == grads[1]


def test_names_of_the_graph():
    """The last step of an index names the node, as torch's printed tensors show it."""
    for index in (
        0,
        slice(None),
        slice(0, 1),
        ...,
        None,
        (0, slice(0, 1)),
        (slice(0, 1), 0),
        (slice(None), 0),
        (0, None),
        (None, 0),
        (),
        (slice(None), slice(None)),
        [0],
        ([0], 0),
        True,
    ):
        ours, theirs = (filled(lib, (2, 3), requires_grad=True)[index].grad_fn.name() for lib in (mt, torch))
        assert ours == theirs, index


def written_shape(case):
    """The shape of what the index reads in torch, or None where it reads nothing at all."""
    shape, index = case
    result, error = outcome(lambda: filled(torch, shape)[given_to(torch, index)])
    return None if error else tuple(result.shape)


@st.composite
def writings(draw, unique=False):
    """(shape, index, shape of the value or None for a number)."""
    case = draw(shapes_and_indices())
    target = written_shape(case)
    if target is None:
        return (*case, None)
    cut = target[draw(st.integers(0, len(target))) :]
    part = tuple(1 if draw(st.integers(0, 3)) == 0 else n for n in cut)
    leading = (1,) * draw(st.integers(0, 1))
    return (*case, draw(st.sampled_from([None, part, target, leading + target])))


def repeats(shape, index):
    """Whether the index names an element twice: which value stays is then open."""
    numbers, error = outcome(lambda: filled(torch, shape)[given_to(torch, index)])
    return error is None and numbers.numel() != numbers.unique().numel()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int64", "bool"])
@given(case=writings())
def test_writing(dtype, case):
    shape, index, part = case
    if repeats(shape, index):
        part = None

    def write(lib):
        x = filled(lib, shape, dtype)
        version = x._version
        x[given_to(lib, index)] = -7 if part is None else -filled(lib, part).to(getattr(lib, dtype))
        return x, x._version > version

    ours, error = outcome(lambda: write(mt))
    theirs, their_error = outcome(lambda: write(torch))
    if error or their_error:
        assert_same_error(error, their_error)
    else:
        assert_alike(ours[0], theirs[0])
        assert ours[1], "the version counter must see the write"


def written_gradients(lib, shape, index, part):
    """x**2, written into, cubed and summed: gradients and second derivatives of x and of the value."""
    x = filled(lib, shape, requires_grad=True)
    y = x**2
    wanted = [x]
    value = 3.0
    if part is not None:
        value = filled(lib, part, requires_grad=True)
        wanted.append(value)
    y[given_to(lib, index)] = value * 2
    firsts = lib.autograd.grad((y**3 * filled(lib, shape)).sum(), wanted, create_graph=True)
    seconds = lib.autograd.grad(sum((g * filled(lib, g.shape)).sum() for g in firsts), wanted)
    return [g.detach() for g in (*firsts, *seconds)]


@given(case=writings())
def test_gradients_of_writing(case):
    shape, index, part = case
    if repeats(shape, index):
        part = None
    theirs, error = outcome(lambda: written_gradients(torch, shape, index, part))
    if error is None:
        for a, b in zip(written_gradients(mt, shape, index, part), theirs, strict=True):
            assert_alike(a, b)


def test_writing_through_a_view_reaches_the_base():
    for lib, seen in ((mt, []), (torch, [])):
        base = filled(lib, (3, 4), requires_grad=True)
        y = base * 1
        row = y[1]
        row[lib.tensor([0, 3])] = filled(lib, (2,), requires_grad=True)
        y[:, 0] = y[:, 1] * 2
        (y.sum() + row.sum()).backward()
        seen.append([y.tolist(), row.tolist(), base.grad.tolist()])
        if lib is mt:
            ours = seen
    assert ours == seen


def test_a_saved_value_that_is_written_is_noticed():
    for lib in (mt, torch):
        x = filled(lib, (3,), requires_grad=True)
        y = x * 1
        z = y**2
        y[lib.tensor([0])] = 5.0
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            z.sum().backward()


def test_index_put_adds_up_what_repeats():
    results = []
    for lib in (mt, torch):
        x = filled(lib, (3, 2), requires_grad=True)
        v = filled(lib, (4, 2), requires_grad=True)
        y = x.index_put((lib.tensor([0, 2, 0, 0]),), v, accumulate=True)
        (y**2).sum().backward()
        z = filled(lib, (3,))
        z.index_put_((lib.tensor([1, 1]),), lib.tensor(1.0, dtype=lib.float64), accumulate=True)
        results.append([y.tolist(), x.grad.tolist(), v.grad.tolist(), z.tolist()])
    assert results[0] == results[1]


def test_second_derivative_of_a_scattered_product():
    """torch has none where a place gets more than one zero; by finite differences of the first it is this."""
    x = mt.zeros(2, dtype=mt.float64)
    src = mt.tensor([0.0, 0.0, 3.0, 5.0], dtype=mt.float64, requires_grad=True)
    y = x.scatter_reduce(0, mt.tensor([0, 0, 0, 1]), src, "prod", include_self=False)
    (g,) = mt.autograd.grad(y.sum(), src, create_graph=True)
    assert g.tolist() == [0.0, 0.0, 0.0, 1.0]
    (second,) = mt.autograd.grad(g[0], src)  # d/d src of (src1 * src2)
    assert second.tolist() == [0.0, 3.0, 0.0, 0.0]


def test_in_place_forms():
    """Those whose out-of-place forms the table compares, on tensors that can be written."""
    for call in (
        lambda lib, x: x.index_fill_(1, lib.tensor([0, -1]), 9),
        lambda lib, x: x.index_copy_(0, lib.tensor([2]), lib.ones(1, 3, dtype=lib.float64)),
        lambda lib, x: x.tril_(),
        lambda lib, x: x.triu_(1),
        lambda lib, x: x.masked_fill_(x > 4, 0.5),
        lambda lib, x: x[1:].cumsum_(0),
        lambda lib, x: x.scatter_(1, lib.tensor([[0], [1]]), 7.0, reduce="multiply"),
    ):
        ours, theirs = filled(mt, (3, 3)), filled(torch, (3, 3))
        call(mt, ours)
        call(torch, theirs)
        assert_alike(ours, theirs)


REFUSED = {
    "int out of range": lambda lib, x: x[5],
    "negative int out of range": lambda lib, x: x[-3],
    "second int out of range": lambda lib, x: x[0, 3],
    "array out of range": lambda lib, x: x[lib.tensor([0, 2])],
    "negative array out of range": lambda lib, x: x[:, [0, -4]],
    "arrays out of range": lambda lib, x: x[[0, 1], [0, 3]],
    "too many": lambda lib, x: x[0, 0, 0],
    "too many, with None": lambda lib, x: x[None, 0, 0, :],
    "of a 0-d tensor": lambda lib, x: x[0, 0][0],
    "slice of a 0-d tensor": lambda lib, x: x[0, 0][:],
    "negative step": lambda lib, x: x[::-1],
    "zero step": lambda lib, x: x[::0],
    "mask of another shape": lambda lib, x: x[lib.tensor([True, False, True])],
    "mask too long behind": lambda lib, x: x[0, lib.tensor([True, False])],
    "arrays that do not broadcast": lambda lib, x: x[[0, 1], [0, 1, 2]],
    "float": lambda lib, x: x[1.0],
    "dict": lambda lib, x: x[{}],
    "float tensor": lambda lib, x: x[lib.tensor([0.0])],
    "int16 tensor": lambda lib, x: x[lib.tensor([0, 1], dtype=lib.int16)],
    "float slice": lambda lib, x: x[0.5:],
    "numpy bool": lambda lib, x: x[np.bool_(True)],
    "write a list": lambda lib, x: x.__setitem__(0, [1.0, 2.0, 3.0]),
    "write an array": lambda lib, x: x.__setitem__(0, np.ones(3)),
    "write None": lambda lib, x: x.__setitem__(0, None),
    "write out of range": lambda lib, x: x.__setitem__(lib.tensor([7]), 1.0),
    "value too long": lambda lib, x: x.__setitem__(0, lib.ones(4)),
    "value of too many dims": lambda lib, x: x.__setitem__((0, 0), lib.ones(2)),
    "array value too long": lambda lib, x: x.__setitem__([0, 1], lib.ones(3, 1)),
    "mask value too long": lambda lib, x: x.__setitem__(x > 4, lib.ones(3)),
    "value of another dtype": lambda lib, x: x.__setitem__([0], lib.ones(3, dtype=lib.int64)),
    "overlapping memory": lambda lib, x: x[:, :1].expand(2, 3).__setitem__(slice(None), 1.0),
    "leaf": lambda lib, x: x.requires_grad_().__setitem__(0, 1.0),
    "leaf by array": lambda lib, x: x.requires_grad_().__setitem__([0], 1.0),
    "too large for the dtype": lambda lib, x: x.to(lib.int8).__setitem__(0, 200),
    "infinity into integers": lambda lib, x: x.to(lib.int64).__setitem__(0, float("inf")),
}


@pytest.mark.cpu("an index out of range is not looked for on a GPU, where torch ends the process")
@pytest.mark.parametrize("label", REFUSED)
def test_refusals(label):
    """The same type of error, and torch's sentence."""
    refused = REFUSED[label]
    ours, theirs = (outcome(lambda lib=lib: refused(lib, filled(lib, (2, 3), "float32")))[1] for lib in (mt, torch))
    assert_same_error(ours, theirs)
    assert str(ours).split(" (got")[0] == str(theirs).split(" (got")[0]


def test_warnings_for_old_forms():
    """A list of sequences is still a tuple of indices, a uint8 tensor still a mask: both with a warning,
    as in torch."""
    for index in ([[0, 1], [1, 2]], lambda lib: lib.tensor([1, 0], dtype=lib.uint8)):
        results = []
        for lib in (mt, torch):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                results.append(filled(lib, (2, 3))[index(lib) if callable(index) else index].tolist())
            assert [w.category for w in caught] == [UserWarning] or (lib is torch and not caught)  # torch warns once
        assert results[0] == results[1]
