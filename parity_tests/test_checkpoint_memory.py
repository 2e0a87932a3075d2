"""minitorch2.utils.checkpoint: between forward and backward, what the function computed inside is not held."""

import gc
import weakref

import numpy as np
import pytest

import minitorch2 as mt
from minitorch2.core.function import Function as Op
from minitorch2.utils.checkpoint import checkpoint


def held_bytes(y):
    """What the nodes behind y hold for backward."""
    seen, stack, memory = set(), [y.grad_fn], {}
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        for value in getattr(node, "_saved", None) or ():
            if isinstance(value, np.ndarray):
                memory[id(value)] = value.nbytes
        stack += [edge[0] for edge in node.edges if edge is not None]
    return sum(memory.values())


class Watched(mt.autograd.Function):
    """tanh, which leaves weak references to what it made."""

    made: list = []  # noqa: RUF012

    @staticmethod
    def forward(ctx, x):
        y = x.tanh()
        ctx.save_for_backward(y)
        Watched.made.append(weakref.ref(y._data))
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * (1 - y * y)


@pytest.mark.parametrize("how", ["no checkpoint", "plain", "reentrant", "nested"])
def test_intermediate_values_are_not_held(how):
    def layers(t):
        for _ in range(4):
            t = Watched.apply(t) * 1.5
        return t

    def call(x):
        if how == "no checkpoint":
            return layers(x)
        if how == "nested":
            inner = lambda t: checkpoint(layers, t * 2, use_reentrant=False) + 1  # noqa: E731
            return checkpoint(inner, x, use_reentrant=False)
        return checkpoint(layers, x, use_reentrant=how == "reentrant")

    Watched.made.clear()
    x = mt.ones(1000, requires_grad=True)
    gc.disable()  # reference counting alone must do it
    try:
        y = call(x)
        alive = [made() is not None for made in Watched.made]
        assert alive == [how == "no checkpoint"] * 4
        (y * y).sum().backward()
        del y
        assert not any(made() is not None for made in Watched.made)
        assert len(Watched.made) == (4 if how == "no checkpoint" else 8)  # the outer second run stops at the inner call
    finally:
        gc.enable()


def test_ordinary_ops_hold_nothing_either():
    w = mt.randn(64, 64, requires_grad=True)
    x = mt.randn(100, 64, requires_grad=True)

    def layers(t):
        for _ in range(5):
            t = mt.nn.functional.layer_norm(mt.nn.functional.gelu(t @ w), (64,))
        return t

    without, within = layers(x), checkpoint(layers, x, use_reentrant=False)
    assert held_bytes(without) > 10 * x.nbytes
    assert held_bytes(within) == 0
    inside = checkpoint(lambda t: checkpoint(layers, t.sin(), use_reentrant=False).cos(), x, use_reentrant=False)
    assert held_bytes(inside) == 0


def test_a_graph_without_backward_is_freed():
    x = mt.ones(3, requires_grad=True)
    kept = {"anything": mt.ones(3)}
    reference = weakref.ref(kept["anything"])
    y = checkpoint(lambda t, d: t * d["anything"] * t, x, kept, use_reentrant=False)
    del kept
    assert reference() is not None
    gc.disable()
    try:
        del y
        assert reference() is None
    finally:
        gc.enable()


def test_what_ops_keep_is_what_a_checkpoint_drops():
    """Arrays that an op kept in an attribute of its own would stay: Op.holds must name them all."""
    x = mt.randn(3, 4, 5, 5, requires_grad=True)
    w = mt.randn(4, 4, 3, 3, requires_grad=True)
    F = mt.nn.functional
    found = [F.conv2d(x, w), F.max_pool2d(x, 2), F.batch_norm(x, None, None, training=True), F.softmax(x, 1)]
    found += [
        F.cross_entropy(x.flatten(1), mt.tensor([1, 2, 3])),
        F.dropout(x, 0.5),
        x.cumprod(1),
        x.std(),
        x.sort()[0],
    ]
    for y in found:
        node = y.grad_fn
        large = [
            name
            for name, value in vars(node).items()
            if name not in Op.holds
            for item in (value if isinstance(value, tuple | list) else [value])
            if isinstance(item, np.ndarray | mt.Tensor)
        ]
        assert not large, (node, large)
