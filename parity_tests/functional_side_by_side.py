"""A function of both libraries on the same arrays: values, first and second derivatives, errors, warnings."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

import minitorch2 as mt

# In units of the dtype's eps and of the largest value: sums and exponentials are rounded in another order.
ULPS = 64


def floats(shape, low=-3.0, high=3.0, dtype="float64"):
    """Arrays of a shape (or of a strategy of shapes), values spread evenly between low and high in a random order."""

    def make(shape_and_seed):
        shape, seed = shape_and_seed
        rng, size = np.random.default_rng(seed), int(np.prod(shape))
        values = low + (high - low) * (rng.permutation(size) + rng.uniform(0.1, 0.9, size)) / max(size, 1)
        return values.reshape(shape).astype(dtype)

    shapes = st.just(shape) if isinstance(shape, tuple) else shape
    return st.tuples(shapes, st.integers(0, 2**16)).map(make)


def shapes(min_dims=1, max_dims=3, min_size=1, max_size=5):
    return st.lists(st.integers(min_size, max_size), min_size=min_dims, max_size=max_dims).map(tuple)


def outputs_and_gradients(lib, action, arrays, order, seed=0):
    """What the action gives, then the first, then the second derivatives of random projections, as arrays; the dtypes;
    and which of them are not there (zeros stand for them)."""
    tensors = [lib.from_numpy(np.array(a)) for a in arrays]
    leaves = [t.requires_grad_() for t in tensors if t.is_floating_point()] if order else []
    lib.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        result = action(lib, lib.nn.functional, *tensors)
    outputs = list(result) if isinstance(result, tuple) else [result]
    found, missing = list(outputs), [False] * len(outputs)
    rows = [y for y in outputs if y.requires_grad]
    for level in range(1, order + 1):
        rng, total, grads = np.random.default_rng(level), 0, [None] * len(leaves)
        for y in rows:
            total = total + (y * lib.from_numpy(np.asarray(rng.normal(size=tuple(y.shape)))).to(y.dtype)).sum()
        if rows:
            grads = lib.autograd.grad(total, leaves, create_graph=level < order, allow_unused=True)
        missing += [g is None and leaf.numel() > 0 for g, leaf in zip(grads, leaves, strict=True)]
        found += [lib.zeros_like(leaf) if g is None else g for g, leaf in zip(grads, leaves, strict=True)]
        rows = [g for g in grads if g is not None and g.requires_grad]
    return [as_array(t) for t in found], [str(t.dtype) for t in found], missing


def as_array(t):
    t = t.detach().float() if t.element_size() == 2 else t.detach()
    return t.numpy(force=True) if isinstance(t, torch.Tensor) else t.numpy()


def check(action, *arrays, order=2, ulps=ULPS, linear=False):
    """action(lib, F, *tensors) gives the same values and derivatives up to `order` in both libraries.

    linear: the gradient is a constant here, where torch has it depend on the input with a slope of 0.
    """
    both = (outputs_and_gradients(lib, action, arrays, order) for lib in (mt, torch))
    (ours, our_types, our_missing), (theirs, types, missing) = both
    assert our_types == types
    lacking = any(a > b for a, b in zip(our_missing, missing, strict=True))
    assert linear or not lacking, "torch has a gradient that is missing here"
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert a.shape == b.shape, f"array {i}: {a.shape} here, {b.shape} in torch"
        if b.dtype.kind != "f":
            np.testing.assert_array_equal(a, b)
            continue
        eps = {"torch.float16": 2.0**-10, "torch.bfloat16": 2.0**-7}.get(types[i], np.finfo(b.dtype).eps)
        size = np.max(np.abs(b[np.isfinite(b)]), initial=1.0)
        np.testing.assert_allclose(a, b, rtol=ulps * eps, atol=ulps * eps * size, err_msg=f"array {i}")


def check_error(action, *arrays):
    """Both libraries refuse the call, with the same type of exception."""
    errors = []
    for lib in (torch, mt):
        tensors = [lib.from_numpy(np.array(a)) for a in arrays]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(Exception) as caught:
                action(lib, lib.nn.functional, *tensors)
        errors.append(caught)
    theirs, ours = errors
    assert ours.type is theirs.type, f"torch: {theirs.value!r}\nminitorch2: {ours.value!r}"


def check_warning(action, *arrays):
    """Both libraries warn in the same words."""
    texts = []
    for lib in (torch, mt):
        with pytest.warns(UserWarning) as caught:
            action(lib, lib.nn.functional, *[lib.from_numpy(np.array(a)) for a in arrays])
        texts.append([str(w.message).replace("minitorch2", "torch") for w in caught])
    assert texts[0] == texts[1]
