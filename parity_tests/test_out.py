"""out=: what is written where, and what is refused, in both libraries."""

import warnings

import pytest
import torch
from side_by_side import BOTH, outcome, same, values

import minitorch2 as mt

CALLS = {
    "add": lambda lib, x, **out: lib.add(x, 2 * x, alpha=3, **out),
    "sub": lambda lib, x, **out: lib.sub(x, 1, **out),
    "mul": lambda lib, x, **out: lib.mul(x, x, **out),
    "div": lambda lib, x, **out: lib.div(x, 3, **out),
    "exp": lambda lib, x, **out: lib.exp(x, **out),
    "pow": lambda lib, x, **out: lib.pow(x, 2, **out),
    "clamp": lambda lib, x, **out: lib.clamp(x, 0, 1, **out),
    "where": lambda lib, x, **out: lib.where(x > 0, x, -x, **out),
    "matmul": lambda lib, x, **out: lib.matmul(x, x.T, **out),
    "mm": lambda lib, x, **out: lib.mm(x, x.T, **out),
    "addmm": lambda lib, x, **out: lib.addmm(lib.ones(2, 2), x, x.T, beta=2, **out),
    "sum": lambda lib, x, **out: lib.sum(x, 1, keepdim=True, **out),
    "mean": lambda lib, x, **out: lib.mean(x, (0, 1), **out),
    "prod": lambda lib, x, **out: lib.prod(x, 0, **out),
    "std": lambda lib, x, **out: lib.std(x, 1, **out),
    "norm": lambda lib, x, **out: lib.norm(x, 2, 1, **out),
    "logsumexp": lambda lib, x, **out: lib.logsumexp(x, 1, **out),
    "argmax": lambda lib, x, **out: lib.argmax(x, 1, **out),
    "any": lambda lib, x, **out: lib.any(x > 0, 1, **out),
    "eq": lambda lib, x, **out: lib.eq(x, 0, **out),
    "isin": lambda lib, x, **out: lib.isin(x, x[0], **out),
    "cumsum": lambda lib, x, **out: lib.cumsum(x, 1, **out),
    "cat": lambda lib, x, **out: lib.cat([x, x], 1, **out),
    "stack": lambda lib, x, **out: lib.stack([x, x], **out),
    "gather": lambda lib, x, **out: lib.gather(x, 1, lib.tensor([[0, 0], [1, 2]]), **out),
    "index_select": lambda lib, x, **out: lib.index_select(x, 1, lib.tensor([2, 0]), **out),
    "masked_select": lambda lib, x, **out: lib.masked_select(x, x > 0, **out),
    "nonzero": lambda lib, x, **out: lib.nonzero(x > 0, **out),
    "tril": lambda lib, x, **out: lib.tril(x, **out),
    "maximum": lambda lib, x, **out: lib.maximum(x, -x, **out),
    "special.entr": lambda lib, x, **out: lib.special.entr(x.abs(), **out),
    "special.expit": lambda lib, x, **out: lib.special.expit(x, **out),
    "linalg.norm": lambda lib, x, **out: lib.linalg.norm(x, **out),
    "linalg.inv": lambda lib, x, **out: lib.linalg.inv(x @ x.T, **out),
    "zeros": lambda lib, x, **out: lib.zeros(2, 3, **out),
    "ones": lambda lib, x, **out: lib.ones((3,), **out),
    "full": lambda lib, x, **out: lib.full((3,), 7, **out),
    "eye": lambda lib, x, **out: lib.eye(3, **out),
    "arange": lambda lib, x, **out: lib.arange(1, 9, 2, **out),
    "linspace": lambda lib, x, **out: lib.linspace(0, 1, 5, **out),
    "rand": lambda lib, x, **out: lib.rand(3, **out),
    "randn": lambda lib, x, **out: lib.randn(2, 3, **out),
    "randint": lambda lib, x, **out: lib.randint(9, (4,), **out),
    "randperm": lambda lib, x, **out: lib.randperm(6, **out),
    "bernoulli": lambda lib, x, **out: lib.bernoulli(lib.full((5,), 0.5), **out),
    "multinomial": lambda lib, x, **out: lib.multinomial(lib.ones(5), 3, **out),
}
SEVERAL = {
    "max": lambda lib, x, **out: lib.max(x, 1, **out),
    "sort": lambda lib, x, **out: lib.sort(x, 1, **out),
    "topk": lambda lib, x, **out: lib.topk(x, 2, **out),
    "kthvalue": lambda lib, x, **out: lib.kthvalue(x, 2, **out),
    "cummax": lambda lib, x, **out: lib.cummax(x, 1, **out),
    "aminmax": lambda lib, x, **out: lib.aminmax(x, dim=1, **out),
    "linalg.slogdet": lambda lib, x, **out: lib.linalg.slogdet(x @ x.T, **out),
}


def matrix(lib):
    lib.manual_seed(0)
    return lib.tensor([[0.5, -1.0, 2.0], [3.0, 0.25, -0.5]])


def numbers(x):
    return values(x.double() if x.is_floating_point() else x)


def close(ours, theirs):
    assert type(ours) is type(theirs)
    if isinstance(ours, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            close(a, b)
    else:
        assert ours == (pytest.approx(theirs, rel=1e-5, abs=1e-6) if isinstance(theirs, float) else theirs)


@pytest.mark.parametrize("name", CALLS)
def test_one_tensor(name):
    """Filled in place, whether it has the shape, is empty or is a piece of a larger one; and returned itself."""
    results = []
    for lib in (mt, torch):
        call, x = CALLS[name], matrix(lib)
        expected = call(lib, x)
        fitting = lib.empty_like(expected)
        large = lib.zeros((*expected.shape, 2), dtype=expected.dtype)
        empty = lib.empty(0, dtype=expected.dtype)
        for out in (fitting, large[..., 1], empty):
            memory = out.data_ptr()
            assert call(lib, matrix(lib), out=out) is out
            assert out is empty or out.data_ptr() == memory
        assert call(lib, x, out=None).shape == expected.shape
        results.append([numbers(t) for t in (fitting, large, empty)])
    close(*results)


@pytest.mark.parametrize("name", SEVERAL)
def test_several_tensors(name):
    results = []
    for lib in (mt, torch):
        call, x = SEVERAL[name], matrix(lib)
        out = tuple(lib.empty(0, dtype=part.dtype) for part in call(lib, x))
        back = call(lib, x, out=out)
        assert all(a is b for a, b in zip(back, out, strict=True))
        results.append([numbers(t) for t in out])
    close(*results)


@pytest.mark.parametrize("lib", BOTH)
def test_another_shape_is_resized_with_a_warning(lib):
    out = lib.ones(5)
    with pytest.warns(UserWarning, match=r"was resized since it had shape \[5\], which does not match"):
        lib.add(matrix(lib), 1, out=out)
    assert out.shape == (2, 3) and out.tolist() == (matrix(lib) + 1).tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lib.add(lib.ones(2), 1, out=lib.empty(0))


REFUSED = {
    "a gradient of an input": lambda lib: lib.add(lib.ones(2, requires_grad=True), 1, out=lib.empty(2)),
    "a gradient of out": lambda lib: lib.add(lib.ones(2), 1, out=lib.empty(2, requires_grad=True)),
    "integers for floats": lambda lib: lib.add(lib.ones(2), 1, out=lib.empty(2, dtype=lib.int64)),
    "masks for integers": lambda lib: lib.add(lib.ones(2, dtype=lib.int64), 1, out=lib.empty(2, dtype=lib.bool)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case):
    same(REFUSED[case])
    assert outcome(REFUSED[case], torch)[0] == "RuntimeError"


def test_kinds_of_out():
    for lib in (mt, torch):
        for out in ([1.0], "x"):
            with pytest.raises(TypeError):
                lib.add(lib.ones(2), 1, out=out)
        with pytest.raises(TypeError):
            lib.max(lib.ones(2, 2), 1, out=lib.empty(2))
        with pytest.raises(TypeError):  # views have none
            lib.transpose(lib.ones(2, 2), 0, 1, out=lib.empty(2, 2))


def test_without_gradients():
    def run(lib):
        w, out = lib.ones(2, requires_grad=True), lib.empty(2, dtype=lib.float64)
        with lib.no_grad():
            lib.mul(w, 3, out=out)
        return out, out.requires_grad, out._version

    same(run)


def test_the_graph_notices_the_write():
    def run(lib):
        x, kept = lib.ones(2, requires_grad=True), lib.ones(2)
        y = x * kept
        lib.add(kept, 1, out=kept)
        y.sum().backward()

    assert "has been modified by an inplace operation" in outcome(run, mt)[1] and outcome(run, mt)[0] == "RuntimeError"
    assert outcome(run, torch)[0] == "RuntimeError"


def test_views_are_not_resized():
    with pytest.raises(RuntimeError, match="a view of shape"), pytest.warns(UserWarning):
        mt.add(mt.ones(3), 1, out=mt.ones(4)[:2])
