"""Writing in place: versions of saved values, leaves, and the histories of views."""

import numpy as np
import pytest
import torch
from autograd_cases import leaf, same_error
from side_by_side import outcome, same

import minitorch2 as mt


@pytest.mark.parametrize("where", ["input", "output", "view of the input", "detached", "base of the input"])
def test_a_saved_value_written_in_place_is_an_error(where):
    def run(lib):
        x = leaf(lib)
        a = x * 1
        if where == "base of the input":
            y = (a[:2] ** 2).sum()
        else:
            y = a.exp() if where == "output" else a**2
        if where == "output":
            y.mul_(2)
        elif where == "detached":
            a.detach().mul_(2)
        elif where == "view of the input":
            a[0].mul_(2)
        else:
            a.mul_(2)
        y.sum().backward()

    phrases = "modified by an inplace operation", "torch.DoubleTensor [", "is at version", "expected version"
    assert same_error(run, *phrases) == "RuntimeError"


def test_a_version_counter_counts_writes_and_is_shared_by_views():
    def run(lib):
        x = lib.zeros(4)
        view, detached = x[:2], x.detach()
        versions = [x._version]
        for write in (lambda: x.add_(1), lambda: view.mul_(2), lambda: detached.zero_(), lambda: x.__setitem__(0, 5.0)):
            write()
            versions.append(x._version)
        return versions

    ours, theirs = ([v[0] if isinstance(v, list) else v for v in run(lib)] for lib in (mt, torch))
    assert ours == theirs


def test_data_is_not_watched():
    def run(lib):
        x = leaf(lib)
        y = (x**2).sum()
        x.data.mul_(10)
        y.backward()
        return x.grad, x

    same(run)


def test_leaves_and_their_views_may_not_be_written():
    for write in (
        lambda x: x.add_(1),
        lambda x: x[0].add_(1),
        lambda x: x.__setitem__(0, 1.0),
        lambda x: x.view(3).mul_(2),
        lambda x: x.zero_(),
    ):
        kind = same_error(lambda lib, write=write: write(leaf(lib)), "leaf Variable that requires grad")
        assert kind == "RuntimeError"


def test_without_grad_they_may():
    def run(lib):
        x = leaf(lib)
        with lib.no_grad():
            x.add_(1)
            x[0] = 7.0
        return x, x.requires_grad, x.is_leaf

    same(run)


VIEW_PROGRAMS = {
    "columns written in a loop": lambda lib, x, out: _columns(out, x),
    "a view written, the base read": lambda lib, x, out: (out[0].mul_(x), out)[1],
    "a view written, the view read": lambda lib, x, out: out[0].mul_(x),
    "a view of a view": lambda lib, x, out: (out[1:].t()[:, 0].add_(x), out)[1],
    "the base written, an older view read": lambda lib, x, out: _older_view(out, x),
    "a transposed base": lambda lib, x, out: (out.t().mul_(x.unsqueeze(1)), out)[1],
    "copy_ into a slice": lambda lib, x, out: (out[:, 1].copy_(x), out)[1],
    "a flat view": lambda lib, x, out: (out.view(9)[::4].mul_(x), out)[1],
    "written twice": lambda lib, x, out: (out[0].mul_(x), out[0].mul_(x), out)[2],
    "the same element by two views": lambda lib, x, out: (out[0].mul_(x), out[:, 0].mul_(x), out)[2],
    "a mask": lambda lib, x, out: (out.__setitem__(out > 4, 0.0), out * x)[1],
    "indices": lambda lib, x, out: (out.__setitem__(lib.tensor([0, 2]), x), out)[1],
    "in place on the whole": lambda lib, x, out: out.mul_(2).add_(x).exp_(),
    "fill_ and zero_": lambda lib, x, out: (out[0].zero_(), out[1].fill_(2.0), out * x)[2],
    "a diagonal": lambda lib, x, out: (out.diagonal().mul_(x), out)[1],
    "narrow": lambda lib, x, out: (out.narrow(0, 1, 2).mul_(x), out)[1],
    "unsqueezed": lambda lib, x, out: (out.unsqueeze(0)[0, 1].mul_(x), out)[1],
    "an expanded value": lambda lib, x, out: (out.copy_(x), out)[1],
}


def _columns(out, x):
    for i in range(3):
        out[:, i] = x * i
    return out


def _older_view(out, x):
    row = out[0]
    out.mul_(x)
    return row * 3


@pytest.mark.parametrize("program", VIEW_PROGRAMS)
@pytest.mark.parametrize("source", ["computed", "constant"])
def test_histories_of_views(program, source):
    """Value and gradients after writes through views; `constant`: into memory that had no history before."""

    def run(lib):
        x = leaf(lib)
        w = lib.arange(9, dtype=lib.float64).reshape(3, 3).requires_grad_()
        out = w * 1 if source == "computed" else lib.arange(9, dtype=lib.float64).reshape(3, 3) + 0
        y = VIEW_PROGRAMS[program](lib, x, out)
        weights = lib.arange(y.numel(), dtype=lib.float64).reshape(y.shape) * 0.1 + 1
        (y * weights).sum().backward()
        return y, x.grad, w.grad

    for a, b in zip(run(mt), run(torch), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12)


def test_pieces_of_split_may_not_be_written():
    def run(lib):
        x = leaf(lib) * 1
        x.unbind()[0].mul_(2)

    assert same_error(run, "is a view and is being modified inplace", "multiple views") == "RuntimeError"


@pytest.mark.parametrize("view", [lambda a: a[0:1], lambda a: a.unbind(0)[0], lambda a: a.view(3, 1)])
@pytest.mark.parametrize("of_leaf", [False, True])
@pytest.mark.parametrize("of_view", [False, True])
@pytest.mark.parametrize("recorded, writes_recorded", [(False, False), (False, True), (True, False), (True, True)])
def test_writes_to_views_made_without_gradients(view, of_leaf, of_view, recorded, writes_recorded):
    """What such a view takes in would be lost to its base's gradient without a word."""

    def action(lib):
        leaf = lib.ones(3, requires_grad=True)
        base = leaf if of_leaf else leaf * 1
        with lib.set_grad_enabled(recorded):
            seen = view(base)
        seen = seen[0:1] if of_view and seen.ndim else seen
        with lib.set_grad_enabled(writes_recorded):
            seen.mul_(5)
        base.sum().backward()
        return base, leaf.grad

    same(action)


def test_a_view_made_without_gradients_takes_none():
    def action(lib):
        base = lib.ones(3)
        with lib.no_grad():
            seen = base[0:1]
        before = seen.mul_(2).tolist()
        try:
            seen.add_(lib.ones(1, requires_grad=True))
        except RuntimeError as error:
            return before, str(error), base
        raise AssertionError("it did")

    same(action)


def test_detach_shares_memory_and_leaves_the_graph():
    def run(lib):
        x = leaf(lib)
        d = x.detach()
        d[0] = 10.0
        return x, d.requires_grad, d.is_leaf, d.grad_fn is None

    same(run)


def test_detach_in_place():
    def run(lib):
        x = leaf(lib)
        y = (x * 2).detach_()
        return y.requires_grad, y.is_leaf, y

    same(run)
    assert same_error(lambda lib: (leaf(lib) * 1)[0].detach_(), "Can't detach views in-place") == "RuntimeError"


@pytest.mark.parametrize("write", ["mul_", "relu_", "an element", "through a view"])
def test_retain_grad_follows_what_is_written(write):
    """It keeps the gradient of what the tensor is in the end; hooks see that of what it was."""

    def run(lib):
        x = lib.tensor([-1.0, 2.0], requires_grad=True)
        h, seen = x * 1, []
        h.retain_grad()
        h.register_hook(lambda g: seen.append(g.tolist()))
        if write == "mul_":
            h.mul_(2)
        elif write == "relu_":
            lib.nn.functional.relu_(h)
        elif write == "an element":
            h[0] = 5.0
        else:
            h[:1].mul_(3)
        (h * h).sum().backward()
        return h.grad, x.grad, seen

    same(run)


_ON_GPU = pytest.mark.cpu("on a GPU the targets are checked, which leaves a copy: what comes is right")
_LOSSES = [pytest.param(name, marks=_ON_GPU) for name in ("cross_entropy", "nll_loss")]


@pytest.mark.parametrize("op", ["where", "masked_fill", *_LOSSES, "max", "sort", "topk", "median"])
def test_masks_targets_and_indices_that_change_are_noticed(op):
    def run(lib):
        x = lib.tensor([[3.0, 1.0, 2.0], [1.0, 2.0, 5.0]], requires_grad=True)
        mask, target = lib.tensor([True, False, True]), lib.tensor([0, 1])
        if op in ("where", "masked_fill"):
            y = lib.where(mask, x, 0.0) if op == "where" else x.masked_fill(mask, 0.0)
            mask.logical_not_()
        elif op in ("cross_entropy", "nll_loss"):
            y = getattr(lib.nn.functional, op)(x, target)
            target.fill_(0)
        else:
            y, indices = x.topk(2) if op == "topk" else getattr(x, op)(1)
            indices.zero_()
        y.sum().backward()

    ours, theirs = outcome(run, mt), outcome(run, torch)
    assert ours[0] == theirs[0] == "RuntimeError" and "modified by an inplace operation" in ours[1]
