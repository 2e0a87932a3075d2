"""In which order results lie in memory: as torch's, so that a view that torch allows is allowed, and that what is drawn
for them from one seed lands on the same elements (dropout behind a softmax of transposed heads, for instance).

Not so here: results of two operands that lie in different orders (torch takes the first one's).
"""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import minitorch2

BOTH = (torch, minitorch2)
LAYOUTS = {
    "as it is": lambda x: x,
    "two dims exchanged": lambda x: x.transpose(1, 2),
    "backwards": lambda x: x.permute(3, 2, 1, 0),
    "last two exchanged": lambda x: x.transpose(2, 3),
    "channels last": lambda x: x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2),
    "expanded in front": lambda x: x[:1].expand(3, 3, 4, 5),
    "expanded inside": lambda x: x[:, :1].expand(2, 4, 4, 5),
    "every second": lambda x: x[:, :, ::2],
    "a matrix, transposed": lambda x: x[0, 0].T,
}


def functional(lib):
    return lib.nn.functional


def drawn(lib, make):
    lib.manual_seed(3)
    return make()


def attend(lib, x):
    if x.ndim == 2:
        return x
    return drawn(lib, lambda: functional(lib).scaled_dot_product_attention(x, x, x, dropout_p=0.3))


OPS = {
    "softmax": lambda lib, x: x.softmax(-1),
    "log_softmax": lambda lib, x: x.log_softmax(0),
    "masked_fill": lambda lib, x: x.masked_fill(x > 3, 0.0),
    "cumsum": lambda lib, x: x.cumsum(0),
    "cumprod": lambda lib, x: x.cumprod(-1),
    "logcumsumexp": lambda lib, x: x.logcumsumexp(0),
    "cummax": lambda lib, x: x.cummax(0)[0],
    "cummin, indices": lambda lib, x: x.cummin(-1)[1],
    "roll": lambda lib, x: x.roll(1, 0),
    "roll, two dims": lambda lib, x: x.roll((1, 2), (0, 1)),
    "flip": lambda lib, x: x.contiguous().flip(0) if 0 in x.stride() else x.flip(0),
    "tril": lambda lib, x: x.tril(),
    "sum": lambda lib, x: x.sum(0),
    "sum, keepdim": lambda lib, x: x.sum(-1, keepdim=True),
    "mean": lambda lib, x: x.mean(1),
    "var": lambda lib, x: x.var(0),
    "std": lambda lib, x: x.std(-1),
    "amax": lambda lib, x: x.amax(0),
    "max": lambda lib, x: x.max(-1)[0],
    "any": lambda lib, x: (x > 3).any(0),
    "all, keepdim": lambda lib, x: (x > 3).all(0, keepdim=True),
    "count_nonzero": lambda lib, x: x.count_nonzero(0),
    "topk": lambda lib, x: x.topk(2, 0)[1],
    "topk, values": lambda lib, x: x.topk(2, -1)[0],
    "kthvalue": lambda lib, x: x.kthvalue(2, 0)[0],
    "kthvalue, indices": lambda lib, x: x.kthvalue(2, 0)[1].zero_(),  # of equals any may be the second
    "kthvalue, keepdim": lambda lib, x: x.kthvalue(2, 1, keepdim=True)[1].zero_(),
    "median": lambda lib, x: x.median(0)[1],
    "mode": lambda lib, x: (x > 1).int().mode(0)[0],
    "sort": lambda lib, x: x.sort(0)[0],
    "sort, indices": lambda lib, x: x.sort(-1, descending=True)[1],
    "argsort": lambda lib, x: x.argsort(1),
    "gather": lambda lib, x: x.gather(0, lib.zeros_like(x, dtype=lib.int64)),
    "take_along_dim": lambda lib, x: x.take_along_dim(x.argsort(0), 0),
    "index_select": lambda lib, x: x.index_select(1, lib.tensor([1, 0])),
    "repeat_interleave": lambda lib, x: x.repeat_interleave(2, 1),
    "renorm": lambda lib, x: x.renorm(2, 0, 1.0),
    "norm": lambda lib, x: x.norm(dim=0),
    "prod": lambda lib, x: x.prod(0),
    "logsumexp": lambda lib, x: x.logsumexp(0),
    "a list as index": lambda lib, x: x[:, [0, 1]],
    "a list in front": lambda lib, x: x[[0, 1]],
    "a list at the end": lambda lib, x: x[..., [0, 1]],
    "clone": lambda lib, x: x.clone(),
    "to": lambda lib, x: x.to(lib.float64),
    "bfloat16": lambda lib, x: x.bfloat16() * 2,
    "zeros_like": lambda lib, x: lib.zeros_like(x),
    "exp": lambda lib, x: x.exp(),
    "where": lambda lib, x: lib.where(x > 3, x, lib.zeros(())),
    "logsigmoid": lambda lib, x: functional(lib).logsigmoid(x),
    "linear": lambda lib, x: functional(lib).linear(x, lib.ones(3, x.shape[-1])),
    "matmul": lambda lib, x: x @ x.transpose(-1, -2),
    "index_fill": lambda lib, x: x.index_fill(0, lib.tensor([0]), 1.0),
    "attention with dropout": attend,
    "rand_like": lambda lib, x: drawn(lib, lambda: lib.rand_like(x)),
    "normal_": lambda lib, x: drawn(lib, lambda: lib.empty_like(x).normal_()),
    "dropout": lambda lib, x: drawn(lib, lambda: functional(lib).dropout(x, 0.5)),
    "dropout of a softmax": lambda lib, x: drawn(lib, lambda: functional(lib).dropout(x.softmax(-1), 0.5)),
    "multinomial": lambda lib, x: drawn(lib, lambda: (x + 1).multinomial(2)) if x.ndim == 2 else x,
}


def strides(x):
    """Of the dims that have more than one element: the others' mean nothing."""
    return [stride for n, stride in zip(x.shape, x.stride(), strict=True) if n > 1]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", OPS)
def test_strides_and_numbers(op, layout):
    theirs, ours = (OPS[op](lib, LAYOUTS[layout](lib.arange(120.0).reshape(2, 3, 4, 5) / 50)) for lib in BOTH)
    assert strides(ours) == strides(theirs)
    theirs, ours = theirs.double().numpy(), ours.double().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


LETTERS = dict(zip("abcdef", (2, 3, 4, 2, 3, 5), strict=True))


@given(st.data())
def test_einsum(data):
    """Of two operands and a shared letter to sum over: it is a product of matrices, and lies as one does."""
    names = [data.draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True)) for _ in range(2)]
    shared = sorted(set(names[0]) & set(names[1]))
    assume(shared)
    inner = data.draw(st.sampled_from(shared))
    rest = sorted({*names[0], *names[1]} - {inner})
    output = data.draw(st.permutations(rest))
    equation = f"{''.join(names[0])},{''.join(names[1])}->{''.join(output)}"
    arrays = [np.random.default_rng(0).standard_normal([LETTERS[c] for c in n]) for n in names]
    theirs, ours = (lib.einsum(equation, *map(lib.from_numpy, arrays)) for lib in BOTH)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12, atol=1e-12)
    assert strides(ours) == strides(theirs), equation


@given(st.data())
def test_indexing(data):
    """Arrays of indices, of one shape or broadcasting, among slices, into a tensor whose dims are in any order."""
    sizes = data.draw(st.lists(st.integers(2, 4), min_size=1, max_size=4))
    order = data.draw(st.permutations(range(len(sizes))))
    shapes = data.draw(
        st.lists(st.sampled_from([None, None, (2,), (3, 2), (2, 3, 2)]), min_size=1, max_size=len(sizes))
    )
    assume(any(shapes) and len({s for s in shapes if s and len(s) > 1}) < 2)
    rng = np.random.default_rng(0)
    array = rng.standard_normal(sizes)
    arrays = [s and rng.integers(0, 2, s) for s in shapes]

    def run(lib):
        index = tuple(slice(None) if a is None else lib.from_numpy(a) for a in arrays)
        return lib.from_numpy(array).permute(order)[index]

    theirs, ours = map(run, BOTH)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    assert strides(ours) == strides(theirs)


def test_one_operand_of_einsum_is_a_view():
    """What is written to it is written to the operand, and the operand's gradient knows."""
    for lib in BOTH:
        x = lib.arange(6.0).reshape(2, 3)
        lib.einsum("ij->ji", x).zero_()
        assert x.sum().item() == 0
        y = lib.ones(2, 3, requires_grad=True)
        z = y * 2
        lib.einsum("ij->ji", z).mul_(3)
        z.sum().backward()
        assert y.grad.tolist() == [[6.0] * 3] * 2


def test_topk_keeps_no_more_than_its_indices():
    for n, k in ((20, 3), (1000, 3), (1000, 500)):
        indices = minitorch2.arange(2.0 * n).reshape(2, n).topk(k).indices
        assert indices._data.flags.c_contiguous and indices.untyped_storage().nbytes() == 8 * 2 * k


def test_a_view_of_what_torch_makes_contiguous():
    for lib in BOTH:
        x = lib.ones(2, 3, 4, 5).transpose(1, 2)
        for y in (x.softmax(-1), x.masked_fill(x > 2, 0.0), x.cumsum(1), x.mean(-1, keepdim=True), x[:, [0, 1]]):
            assert y.view(2, -1).shape[0] == 2
