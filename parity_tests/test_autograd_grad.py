"""autograd.grad, higher derivatives, hooks and grad modes, each as torch has them."""

import threading
import warnings

import numpy as np
import pytest
import torch
from autograd_cases import leaf, same_error
from side_by_side import same

import minitorch2 as mt


def unused(lib, **options):
    x, z = leaf(lib), leaf(lib, 5.0)
    return lib.autograd.grad((x * x).sum(), [x, z], **options)


def test_grad_with_an_unused_input():
    same(lambda lib: unused(lib, allow_unused=True))
    same(lambda lib: unused(lib, materialize_grads=True))
    assert same_error(unused, "Set allow_unused=True") == "RuntimeError"
    contradiction = {"allow_unused": False, "materialize_grads": True}
    assert same_error(lambda lib: unused(lib, **contradiction), "materialize_grads") == "ValueError"


def test_grad_touches_no_grad():
    def run(lib):
        x = leaf(lib)
        g = lib.autograd.grad((x**3).sum(), x)
        return g, x.grad

    same(run)


def test_gradients_of_a_batch():
    def run(lib, **options):
        x, z = leaf(lib), leaf(lib, 4.0, 5.0, 6.0)
        y = x**3 * z
        batch = lib.arange(2.0 * y.numel(), dtype=y.dtype).reshape(2, *y.shape)
        first = lib.autograd.grad(y, (x, z), batch, is_grads_batched=True, retain_graph=True, create_graph=True)
        once_more = lib.autograd.grad(first[0].sum(), x, retain_graph=True)
        unused = lib.autograd.grad((y, z * 1), (x,), (batch, batch), is_grads_batched=True, **options)
        return first, once_more, unused

    same(run)
    same(lambda lib: run(lib, allow_unused=True, materialize_grads=True))
    with pytest.raises(RuntimeError, match="first dim"):
        mt.autograd.grad((leaf(mt) * 2).sum(), leaf(mt), mt.ones(()), is_grads_batched=True)


def test_grad_of_intermediates_and_outputs():
    def run(lib):
        x = leaf(lib)
        a = x * 2
        y = (a * a).sum()
        return lib.autograd.grad(y, [x, a, y])

    same(run)


def test_grad_of_several_outputs_with_given_gradients():
    def run(lib):
        x = leaf(lib)
        ys = [x * 2, x.exp()]
        return lib.autograd.grad(ys, x, [lib.ones(3, dtype=lib.float64), x.detach() * 0 + 2])

    same(run)


@pytest.mark.parametrize("mistake", ["no scalar", "wrong shape", "no grad", "integers", "not a tensor", "no inputs"])
def test_mistakes(mistake):
    def run(lib):
        x = leaf(lib)
        if mistake == "no scalar":
            (x * 2).backward()
        elif mistake == "wrong shape":
            (x * 2).backward(lib.ones(2, dtype=lib.float64))
        elif mistake == "no grad":
            lib.ones(1).backward()
        elif mistake == "integers":
            lib.ones(2, dtype=lib.int64, requires_grad=True)
        elif mistake == "not a tensor":
            (x * 2).backward(3.0)
        else:
            lib.autograd.grad((x * 2).sum(), [])

    same_error(run)


def test_backward_to_some_inputs_only():
    def run(lib):
        x, z = leaf(lib), leaf(lib)
        a = x * z
        (a * a).sum().backward(inputs=[x, a])
        return x.grad, z.grad, a.grad

    same(run)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_higher_derivatives(order):
    def run(lib):
        x = leaf(lib, 0.3, -0.7)
        y = (x.sin() * x**3).sum()
        for _ in range(order):
            (g,) = lib.autograd.grad(y, x, create_graph=True)
            y = g.sum()
        return y

    np.testing.assert_allclose(run(mt).item(), run(torch).item(), rtol=1e-12)


def test_a_gradient_penalty():
    def run(lib):
        w = lib.tensor([[0.5, -1.0], [2.0, 0.25]], dtype=lib.float64, requires_grad=True)
        x = leaf(lib, 1.0, 2.0)
        y = lib.tanh(w @ x).sum()
        (g,) = lib.autograd.grad(y, x, create_graph=True)
        (g.norm() - 1).pow(2).backward()
        return w.grad, x.grad

    for a, b in zip(run(mt), run(torch), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


def test_create_graph_leaves_gradients_with_a_history():
    def run(lib):
        x = leaf(lib)
        (x**3).sum().backward(create_graph=True)
        first = x.grad
        x.grad = None
        first.sum().backward()
        return first.requires_grad, first, x.grad

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch's, about the reference cycle; ours has none to warn of
        theirs = run(torch)
    ours = run(mt)
    assert ours[0] is theirs[0] is True
    assert [t.tolist() for t in ours[1:]] == [t.tolist() for t in theirs[1:]]


def test_hooks_run_in_order_and_may_replace_the_gradient():
    def run(lib):
        seen = []
        x = leaf(lib)
        y = x * 2
        y.register_hook(lambda g: seen.append(("y", g.tolist())))
        y.register_hook(lambda g: g * 10)
        y.register_hook(lambda g: seen.append(("y again", g.tolist())))
        x.register_hook(lambda g: seen.append(("x", g.tolist())))
        gone = x.register_hook(lambda g: g * 100)
        gone.remove()
        y.sum().backward()
        return seen, x.grad

    same(run)


def test_hooks_that_give_something_else():
    for give in (lambda g: 3.0, lambda g: g[:1]):

        def run(lib, give=give):
            x = leaf(lib)
            y = x * 2
            y.register_hook(give)
            y.sum().backward()

        same_error(run)


def test_hooks_see_the_sum_of_all_paths():
    def run(lib):
        seen = []
        x = leaf(lib)
        a = x * 1
        a.register_hook(lambda g: seen.append(g.tolist()))
        (a * 2 + a * 3).sum().backward()
        return seen

    same(run)


def test_retain_grad():
    def run(lib):
        x = leaf(lib)
        a = x * 2
        a.retain_grad()
        a.retain_grad()
        (a * a).sum().backward()
        return a.grad, a.retains_grad, x.retains_grad, x.grad

    same(run)


def test_the_grad_of_a_computed_tensor_is_none():
    x = leaf(mt)
    a = x * 2
    a.sum().backward()
    with pytest.warns(UserWarning, match="not a leaf"):
        assert a.grad is None


def test_post_accumulate_hooks_see_the_leaf():
    def run(lib):
        seen = []
        x = leaf(lib)
        handle = x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist()))
        (x * 2).sum().backward()
        (x * 3).sum().backward()
        handle.remove()
        (x * 3).sum().backward()
        return seen, x.grad

    same(run)


def mode_states(lib):
    seen = [lib.is_grad_enabled()]

    @lib.no_grad()
    def decorated():
        return lib.is_grad_enabled()

    @lib.no_grad
    def bare():
        return lib.is_grad_enabled()

    @lib.no_grad()
    def generator():
        received = yield lib.is_grad_enabled()
        yield lib.is_grad_enabled(), received
        return "end"

    with lib.no_grad():
        seen.append(lib.is_grad_enabled())
        with lib.enable_grad():
            seen.append(lib.is_grad_enabled())
        seen.append(lib.is_grad_enabled())
        with lib.set_grad_enabled(True):
            seen.append(lib.is_grad_enabled())
    seen += [decorated(), bare(), lib.is_grad_enabled()]
    lib.set_grad_enabled(False)
    seen.append(lib.is_grad_enabled())
    lib.set_grad_enabled(True)
    g = generator()
    seen += [next(g), lib.is_grad_enabled(), g.send("sent"), lib.is_grad_enabled(), list(g)]
    try:
        with lib.no_grad():
            raise ValueError
    except ValueError:
        seen.append(lib.is_grad_enabled())
    with lib.inference_mode():
        seen += [lib.is_grad_enabled(), lib.is_inference_mode_enabled(), lib.ones(1).is_inference()]
    with lib.inference_mode(False):
        seen += [lib.is_grad_enabled(), lib.is_inference_mode_enabled()]
    return seen


def test_grad_modes():
    same(mode_states)


def test_results_in_no_grad_have_no_history():
    def run(lib):
        x = leaf(lib)
        with lib.no_grad():
            y = x * 2
        return y.requires_grad, y.grad_fn is None, (x * y).requires_grad

    same(run)


def test_modes_are_per_thread():
    def run(lib):
        seen = []
        with lib.no_grad():
            thread = threading.Thread(target=lambda: seen.append(lib.is_grad_enabled()))
            thread.start()
            thread.join()
        return seen

    same(run)


def test_inference_tensors_may_not_enter_a_graph():
    def run(lib):
        with lib.inference_mode():
            a = lib.ones(3, dtype=lib.float64)
        return (leaf(lib) * a).sum()

    assert same_error(run, "Inference tensors cannot be saved for backward") == "RuntimeError"
