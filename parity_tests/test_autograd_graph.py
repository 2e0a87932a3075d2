"""torch.autograd.graph: hooks on saved tensors change what is kept, not what is computed."""

import numpy as np
import pytest
import torch
from autograd_cases import leaf, same_error
from side_by_side import BOTH, same

import minitorch2 as mt


def network(lib):
    lib.manual_seed(0)
    return lib.nn.Sequential(
        lib.nn.Conv2d(1, 3, 3),
        lib.nn.BatchNorm2d(3),
        lib.nn.ReLU(),
        lib.nn.MaxPool2d(2),
        lib.nn.Flatten(),
        lib.nn.Linear(3 * 3 * 3, 4),
        lib.nn.Softmax(1),
    ).double()


def gradients(lib, hooks, within=False):
    net, x = network(lib), lib.arange(128.0, dtype=lib.float64).reshape(2, 1, 8, 8).sin()
    with hooks(lib):
        loss = (net(x) ** 2).sum()
        if within:
            loss.backward()
    if not within:
        loss.backward()
    return [p.grad for p in net.parameters()]


def plain(lib):
    return lib.enable_grad()


def through_numpy(lib):
    return lib.autograd.graph.saved_tensors_hooks(lambda x: x.numpy().copy(), lib.from_numpy)


@pytest.mark.cpu("it goes through NumPy")
def test_gradients_are_the_same():
    expected = gradients(mt, plain)
    for hooks in (through_numpy, lambda lib: lib.autograd.graph.save_on_cpu()):
        for a, b in zip(gradients(mt, hooks), expected, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
    for a, b in zip(expected, gradients(torch, through_numpy), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-12)


def test_what_the_hooks_give_is_what_counts():
    """Halved when it is packed: so is the slope."""

    def run(lib):
        x = leaf(lib)
        with lib.autograd.graph.saved_tensors_hooks(lambda t: t / 2, lambda t: t):
            y = x * x
        (g,) = lib.autograd.grad(y.sum(), x)
        return g

    same(run)


def cube_of(lib):
    """A function of one's own that saves its input and its result."""

    class Cube(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x**3
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return 3 * g * y / x

    return Cube


def test_second_derivatives_of_ops_and_of_functions_of_ones_own():
    def run(lib):
        Cube = cube_of(lib)
        x = leaf(lib)
        with lib.autograd.graph.saved_tensors_hooks(lambda t: t * 1, lambda t: t * 1):
            y = Cube.apply(x * 2) * x.exp()
        (g,) = lib.autograd.grad(y.sum(), x, create_graph=True)
        return g, *lib.autograd.grad((g * x).sum(), x)

    same(run)


def test_nothing_is_kept_but_what_was_packed():
    kept = []

    def pack(t):
        kept.append(t.shape)
        return len(kept)

    def unpack(n):
        return mt.ones(kept[n - 1], dtype=mt.float64)

    x = leaf(mt)
    with mt.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = (x * x).sin()
        inner = y.grad_fn
    assert kept and not inner.held().get("_saved")
    y.sum().backward()
    np.testing.assert_allclose(x.grad.cpu().numpy(), [2 * np.cos(1.0)] * 3)


def test_blocks_in_blocks():
    def run(lib):
        seen = []

        def hooks(name):
            return lib.autograd.graph.saved_tensors_hooks(lambda t: (seen.append(name), t)[1], lambda t: t)

        x = leaf(lib)
        with hooks("outer"):
            y = x.exp()
            with hooks("inner"):
                z = y.sin()
            z = z.exp()
        z.sum().backward()
        return list(dict.fromkeys(seen)), x.grad

    same(run)


def test_checkpoints_inside():
    def run(lib):
        x = leaf(lib)
        with lib.autograd.graph.saved_tensors_hooks(lambda t: t * 1, lambda t: t * 1):
            y = lib.utils.checkpoint.checkpoint(lambda t: t.exp().sin() * t, x, use_reentrant=False) * x
        y.sum().backward()
        return x.grad

    import torch.utils.checkpoint  # noqa: F401

    import minitorch2.utils.checkpoint  # noqa: F401

    same(run)


def test_a_second_backward_is_still_refused():
    def run(lib, retain):
        x = leaf(lib)
        with lib.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
            y = (x * x).sum()
        y.backward(retain_graph=retain)
        y.backward()
        return x.grad

    same(lambda lib: run(lib, True))
    assert same_error(lambda lib: run(lib, False), "backward through the graph a second time") == "RuntimeError"


def test_disabled():
    def run(lib):
        graph = lib.autograd.graph
        with graph.disable_saved_tensors_hooks("not here"), graph.saved_tensors_hooks(lambda t: t, lambda t: t):
            return leaf(lib) * leaf(lib)

    assert same_error(run, "not here") == "RuntimeError"


def test_what_an_unpack_hook_may_not_give():
    def run(lib, given):
        x = leaf(lib)
        with lib.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: given):
            y = (x * x).sum()
        y.backward()

    assert same_error(lambda lib: run(lib, 3), "unpack_hook expected to be a Tensor") == "TypeError"
    with pytest.raises(RuntimeError, match="unpack_hook made a tensor of shape"):
        run(mt, mt.ones(7))


@pytest.mark.parametrize("lib", BOTH)
def test_edges(lib):
    x = leaf(lib)
    y = x * 2
    edge = lib.autograd.graph.get_gradient_edge(y)
    assert edge.node is y.grad_fn and edge.output_nr == 0
    assert lib.autograd.graph.get_gradient_edge(x).node is edge.node.next_functions[0][0]
    assert isinstance(y.grad_fn, lib.autograd.graph.Node)
    with pytest.raises(RuntimeError, match="does not require gradients"):
        lib.autograd.graph.get_gradient_edge(lib.ones(1))


def test_a_write_that_is_told():
    def run(lib):
        x, w = leaf(lib), lib.ones(3, dtype=lib.float64)
        y = (x * w).sum()
        lib.autograd.graph.increment_version(w)
        y.backward()

    assert same_error(run, "modified by an inplace operation") == "RuntimeError"


INDEXED = {
    "gather": lambda lib, x, i: x.gather(0, i),
    "index": lambda lib, x, i: x[i],
    "index_select": lambda lib, x, i: x.index_select(0, i),
    "embedding": lambda lib, x, i: lib.nn.functional.embedding(i, x[:, None]),
    "index_add": lambda lib, x, i: lib.zeros(3, dtype=lib.float64).index_add(0, i, x),
    "index_put": lambda lib, x, i: lib.zeros(3, dtype=lib.float64).index_put((i,), x * 2),
    "scatter": lambda lib, x, i: lib.zeros(3, dtype=lib.float64).scatter(0, i, x),
    "cross_entropy": lambda lib, x, i: lib.nn.functional.cross_entropy(x.expand(3, 3), i, reduction="none"),
    "where": lambda lib, x, i: lib.where(i > 0, x, 2 * x),
}


@pytest.mark.parametrize("name", INDEXED)
def test_indices_that_change_before_backward(name):
    def run(lib):
        x, i = leaf(lib), lib.tensor([0, 2, 1])
        with lib.autograd.graph.allow_mutation_on_saved_tensors():
            y = INDEXED[name](lib, x, i)
            i.fill_(1)
            (y.flatten() * lib.arange(3.0, dtype=lib.float64)).sum().backward()
        return [round(g, 12) for g in x.grad.tolist()]

    same(run)


def test_saved_tensors_that_change_before_backward():
    def run(lib):
        Cube = cube_of(lib)
        x = leaf(lib)
        with lib.autograd.graph.allow_mutation_on_saved_tensors():
            a, w = x * 2, lib.ones(3, dtype=lib.float64)
            b = a * w  # saves both
            c = b.sqrt()  # saves its result
            d = Cube.apply(c) * a[:2].sum()
            e = lib.nn.functional.layer_norm(d, (3,), w, w)  # composed of others where it is differentiated twice
            f = e.mul_(a)
            for changed in (a, w, b, c, d):
                changed.mul_(7)
            with lib.no_grad():
                x.fill_(5)
                f.zero_()
            (g,) = lib.autograd.grad((e * 0 + f + e * c.detach() ** 0).sum() + (d * e).sum(), x, create_graph=True)
            g.pow(2).sum().backward()
        return g, x.grad

    ours, theirs = run(mt), run(torch)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.detach().cpu().numpy(), b.detach().cpu().numpy(), rtol=1e-9, atol=1e-12)


def test_gradients_are_the_same_where_saved_tensors_may_change():
    allowed = gradients(mt, lambda lib: lib.autograd.graph.allow_mutation_on_saved_tensors(), within=True)
    for a, b in zip(allowed, gradients(mt, plain), strict=True):
        np.testing.assert_array_equal(a.cpu().numpy(), b.cpu().numpy())


@pytest.mark.parametrize("lib", BOTH)
def test_blocks_that_allow_mutation(lib):
    allow = lib.autograd.graph.allow_mutation_on_saved_tensors
    with allow(), pytest.raises(RuntimeError, match="contexts cannot be nested"), allow():
        pass
    x = leaf(lib)
    with allow():
        y = x * x
    with pytest.raises(AssertionError, match="Trying to backward outside of the 'allow_mutation_on_saved_tensors'"):
        y.sum().backward()
    y = x * 1
    z = y * y
    y.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_what_nodes_keep():
    def run(lib):
        x, w = leaf(lib), leaf(lib)
        nodes = [(x * w).grad_fn, (x**w).grad_fn, x.exp().grad_fn]
        kept = [nodes[0]._saved_self, nodes[0]._saved_other, nodes[1]._saved_exponent, nodes[2]._saved_result]
        nodes[0].metadata["mine"] = 1
        return kept, kept[0] is x, kept[3].grad_fn is nodes[2], nodes[0].metadata, nodes[1].metadata

    same(run)
    with pytest.raises(AttributeError, match="keeps no 'self'"):
        leaf(mt).exp().grad_fn._saved_self  # noqa: B018
