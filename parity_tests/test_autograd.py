"""The engine: what backward() promises, and what it costs. Where torch can be asked, torch is."""

import gc
import threading
import time
import weakref

import numpy as np
import pytest
from autograd_cases import leaf
from side_by_side import BOTH, same

import minitorch2 as mt
import minitorch2_kernels as K


def chain(n):
    """(x, y): y = x after n additions."""
    x = mt.ones(1, requires_grad=True)
    y = x
    for _ in range(n):
        y = y + 1.0
    return x, y


@pytest.mark.parametrize("lib", BOTH)
def test_what_was_made_last_is_run_first(lib):
    """The hooks of the side branches of a loop, and the order in which a leaf's gradient is summed up: 1 is lost where
    it is added to 1e8 before -1e8 is."""
    order, w, h = [], lib.ones(1, requires_grad=True), lib.zeros(1)
    for t, factor in enumerate((1.0, 1e8, -1e8)):
        side = w * factor
        side.register_hook(lambda g, t=t: order.append(t))
        h = side + lib.ones(1, requires_grad=True) * h
    h.backward()
    assert order == [2, 1, 0] and w.grad.item() == 1.0


def test_a_chain_of_100_000_ops_needs_no_stack():
    x, y = chain(100_000)
    y.sum().backward()
    assert x.grad.item() == 1.0
    del y  # nor does letting go of the graph


@pytest.mark.slow
def test_time_is_linear_in_the_ops():
    """Eight times the ops take 8 times the time, somewhat more on a busy machine; a quadratic engine takes 64."""

    def cost(n):
        _, y = chain(n)
        start = time.process_time()
        y.sum().backward()
        return time.process_time() - start

    cost(2_000)
    gc.collect()
    gc.disable()  # its passes over the growing graph are not the engine's time
    try:
        few, many = (min(cost(n) for _ in range(5)) for n in (10_000, 80_000))
    finally:
        gc.enable()
    assert many < 24 * few


def test_a_node_runs_once_however_many_paths_lead_to_it():
    """2**60 paths through a ladder of 60 diamonds, 60 runs."""
    x = mt.ones((), dtype=mt.float64, requires_grad=True)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**60


@pytest.mark.parametrize("lib", BOTH)
def test_a_leaf_used_twice_gets_the_sum(lib):
    x = leaf(lib)
    y = x * x + x
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 5.0, 7.0]


def test_gradients_accumulate_over_calls():
    same(lambda lib: _twice(lib))


def _twice(lib):
    x = leaf(lib)
    (x * 2).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    return x.grad, first is x.grad


def test_saved_arrays_die_while_the_graph_is_walked():
    """A chain's backward holds a few gradients at a time, not all of them, and frees what was saved as it goes."""
    x = mt.ones(10, requires_grad=True)
    y, saved = x, []
    for _ in range(5):
        y = y.exp()
        saved.append(weakref.ref(y._data))
    alive_at = []
    x.register_hook(lambda g: alive_at.append([r() is not None for r in saved]))
    y = y.sum()
    y.backward()
    assert alive_at == [[False] * 5], "exp's results are gone before backward ends"


def test_retain_graph_keeps_them():
    def run(lib):
        x = leaf(lib)
        y = (x * x).sum()
        y.backward(retain_graph=True)
        y.backward()
        return x.grad

    same(run)


def test_a_second_backward_is_refused():
    def run(lib):
        x = leaf(lib)
        y = (x * x).exp().sum()
        y.backward()
        y.backward()

    kind, text = same(run)
    assert kind == "RuntimeError" and "retain_graph=True" in text


def test_a_second_backward_where_nothing_was_saved():
    def run(lib):
        x = leaf(lib)
        y = (x + x).sum()
        y.backward()
        y.backward()
        return x.grad

    same(run)


def test_a_gradient_that_nobody_else_holds_is_not_copied(monkeypatch):
    """What a kernel made for a parameter becomes its .grad as it is."""
    made = {}
    linear_grad = K.linear_grad

    def watched(*args):
        dx, dw, db = linear_grad(*args)
        made["weight"], made["bias"] = weakref.ref(dw), weakref.ref(db)
        return dx, dw, db

    monkeypatch.setattr(K, "linear_grad", watched)
    layer = mt.nn.Linear(3, 2)
    for x in (mt.ones(4, 3), mt.ones(4, 3, requires_grad=True)):
        layer.zero_grad()
        layer(x).sum().backward()
        assert made["weight"]() is layer.weight.grad._data
        assert made["bias"]() is layer.bias.grad._data
    twice = layer(mt.ones(4, 3)) + layer(mt.ones(4, 3))  # what waits for another gradient is not copied for it
    layer.zero_grad()
    twice.sum().backward()
    assert layer.weight.grad.equal(mt.full((2, 3), 8.0))


def test_gradients_share_no_memory():
    def run(lib):
        a, b = leaf(lib), leaf(lib)
        (a + b).sum().backward()
        a.grad.zero_()
        return b.grad

    same(run)
    a, b = leaf(mt), leaf(mt)
    seed = mt.ones(3, dtype=mt.float64)
    (a + b).backward(seed)
    assert not any(np.may_share_memory(p._data, q._data) for p, q in [(a.grad, b.grad), (a.grad, seed), (b.grad, seed)])


def test_a_given_gradient_is_not_changed():
    def run(lib):
        x, seed = leaf(lib), lib.ones(3, dtype=lib.float64)
        y = x * 1
        for _ in range(2):
            (y + y).backward(seed, retain_graph=True)
        return seed, x.grad

    same(run)


def graphs():
    x = mt.randn(50, 50, requires_grad=True)
    w = mt.nn.Linear(50, 50)
    y = w(x).relu().softmax(-1)
    y.retain_grad()
    y.register_hook(lambda g: None)
    z = (y * 1)[0]
    z.mul_(2)
    (z * z).sum().backward()
    return weakref.ref(x._data), weakref.ref(y._data), weakref.ref(z.grad_fn)


def test_no_cycle_keeps_a_dead_graph():
    """With the garbage collector off, everything is gone when the last name is."""
    gc.collect()
    gc.disable()
    try:
        assert [r() for r in graphs()] == [None, None, None]
    finally:
        gc.enable()


def test_a_graph_without_backward_dies_as_well():
    gc.collect()
    gc.disable()
    try:
        x = leaf(mt)
        y = x.exp()
        array = weakref.ref(y._data)
        z = (y * y).sum()
        del y
        assert array() is not None, "saved for backward"
        del z
        assert array() is None
    finally:
        gc.enable()


def test_a_failed_backward_leaves_the_mode_as_it_was():
    x = leaf(mt)
    y = x * 2
    y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        y.sum().backward()
    assert mt.is_grad_enabled()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0] * 3


@pytest.mark.cpu("threads have generators of the CPU")
def test_many_threads_at_once():
    """Graphs of their own, one shared leaf that is only read: every thread finds the gradient it would find alone."""
    shared = mt.randn(20, 20, dtype=mt.float64, generator=mt.Generator().manual_seed(0), requires_grad=True)
    found, errors = {}, []

    def work(number):
        try:
            for _ in range(20):
                x = mt.full((20,), float(number), dtype=mt.float64, requires_grad=True)
                y = ((shared @ x).tanh() ** 2).sum()
                (found[number],) = mt.autograd.grad(y, [x])
        except Exception as error:  # a thread's exception would only be printed
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    for number, g in found.items():
        x = mt.full((20,), float(number), dtype=mt.float64, requires_grad=True)
        (alone,) = mt.autograd.grad(((shared @ x).tanh() ** 2).sum(), [x])
        assert g.tolist() == alone.tolist()


@pytest.mark.parametrize("lib", BOTH)
@pytest.mark.parametrize("mode", ["no_grad", "inference_mode", "enable_grad"])
def test_threads_inside_one_decorated_function(lib, mode):
    """Whoever leaves first leaves with what it came with."""
    together, leave, found = threading.Barrier(2), threading.Event(), {}

    @getattr(lib, mode)()
    def inside(first):
        together.wait(10)
        if not first:
            assert leave.wait(10)

    def work(first):
        lib.set_grad_enabled(first)
        inside(first)
        found[first] = lib.is_grad_enabled(), lib.is_inference_mode_enabled()
        leave.set()

    threads = [threading.Thread(target=work, args=(first,)) for first in (True, False)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == {True: (True, False), False: (False, False)}


def test_a_backward_inside_a_backward():
    def run(lib):
        x = leaf(lib)

        def hook(g):
            z = leaf(lib, 2.0)
            with lib.enable_grad():
                (z * z).sum().backward()
            return g * z.grad

        y = x * 3
        y.register_hook(hook)
        y.sum().backward()
        return x.grad

    same(run)
