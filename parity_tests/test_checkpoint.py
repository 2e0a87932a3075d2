"""minitorch2.utils.checkpoint: the gradients of the same program without checkpoints, bit for bit, and torch's.
(That memory is free meanwhile, and what is refused: test_checkpoint_memory.py, test_checkpoint_errors.py.)

Against torch the bound is a few float32 roundings, as for the layers themselves: products are summed in other orders.
"""

import contextlib

import numpy as np
import pytest
import torch
from checkpoint_cases import MODES, block, of
from hypothesis import given
from hypothesis import strategies as st
from side_by_side import same

import minitorch2 as mt
from minitorch2.utils.checkpoint import checkpoint


def train(lib, call, depth=3, dtype="float32", seed=0):
    """The gradients of a few blocks, each called by call(block, x), and where the random numbers then stand."""
    lib.manual_seed(seed)
    blocks = [block(lib).to(getattr(lib, dtype)) for _ in range(depth)]
    x = lib.randn(5, 6, dtype=getattr(lib, dtype), requires_grad=True)
    h = x
    for layer in blocks:
        h = call(layer, h)
    (h * h).sum().backward()
    found = [h, x.grad, *(p.grad for layer in blocks for p in layer.parameters()), lib.rand(4)]
    return [t.detach().numpy() for t in found]


@given(
    use_reentrant=st.booleans(),
    depth=st.integers(1, 3),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 99),
)
def test_the_gradients_of_no_checkpoint(use_reentrant, depth, dtype, seed):
    def call(layer, x):
        return checkpoint(layer, x, use_reentrant=use_reentrant)

    settings = {"depth": depth, "dtype": dtype, "seed": seed}
    np.testing.assert_equal(train(mt, call, **settings), train(mt, lambda layer, x: layer(x), **settings))


@pytest.mark.parametrize("use_reentrant", MODES)
def test_the_gradients_of_torch(use_reentrant):
    ours, theirs = (
        train(lib, lambda layer, x, lib=lib: of(lib).checkpoint(layer, x, use_reentrant=use_reentrant))
        for lib in (mt, torch)
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * np.abs(b).max())


@pytest.mark.parametrize("use_reentrant", MODES)
@pytest.mark.parametrize("preserve", [True, False])
def test_random_numbers(use_reentrant, preserve):
    """Preserved, the second run drops the same elements and leaves no trace; else it goes on with the stream."""

    def action(lib):
        lib.manual_seed(3)
        x = lib.ones(50, requires_grad=True)
        masks = []

        def drop(t):
            masks.append(lib.nn.functional.dropout(t, 0.5))
            return masks[-1] * t

        y = of(lib).checkpoint(drop, x, use_reentrant=use_reentrant, preserve_rng_state=preserve)
        y.sum().backward()
        assert len(masks) == 2 and (masks[0].tolist() == masks[1].tolist()) is preserve
        return [*masks, x.grad, lib.rand(2)]

    same(action)


@pytest.mark.parametrize("use_reentrant", MODES)
def test_sequential(use_reentrant):
    def action(lib, segments):
        lib.manual_seed(0)
        calls = []
        layers = [lib.nn.Linear(2, 2) for _ in range(5)]
        for i, layer in enumerate(layers):
            layer.register_forward_hook(lambda *args, i=i: calls.append(i))
        x = lib.ones(1, 2, requires_grad=True)
        functions = lib.nn.Sequential(*layers) if segments % 2 else layers
        y = of(lib).checkpoint_sequential(functions, segments, x, use_reentrant=use_reentrant)
        (3 * y).sum().backward()
        return calls, x.grad.shape

    for segments in (1, 2, 3, 5):
        same(lambda lib, segments=segments: action(lib, segments))


def test_keywords_nesting_of_results_and_captured_tensors():
    """What only use_reentrant=False can do: keyword tensors, nested results, no tensor among the arguments."""

    def action(lib):
        x, y, z = (lib.tensor(values, requires_grad=True) for values in ([1.0, 2.0], [3.0, 4.0], [5.0, 6.0]))
        inner = z * 2  # no leaf, and only captured

        def f(a, *, b, factor):
            return {"sum": [a * b * factor], "rest": ((a * inner).exp(), "text")}

        found = of(lib).checkpoint(f, x, b=y, factor=3, use_reentrant=False)
        (found["sum"][0].sum() + found["rest"][0].log().sum()).backward()
        nothing = of(lib).checkpoint(lambda: inner.detach() * y * y, use_reentrant=False)
        nothing.sum().backward()
        return found["rest"][1], x.grad, y.grad, z.grad

    same(action)


@pytest.mark.parametrize("early_stop", [True, False])
def test_second_derivatives(early_stop):
    def action(lib, wrapped=True):
        x = lib.tensor([0.5, 1.5], dtype=lib.float64, requires_grad=True)
        w = lib.tensor([2.0, 3.0], dtype=lib.float64, requires_grad=True)

        def f(t):
            return lib.nn.functional.layer_norm((t * w).sin() * t, (2,), eps=0.1).exp()

        y = of(lib).checkpoint(f, x, use_reentrant=False, early_stop=early_stop) if wrapped else f(x)
        first = lib.autograd.grad((y * y).sum(), (x, w), create_graph=True)
        second = lib.autograd.grad((first[0] * first[1]).sum(), (x, w))
        return [t.detach().numpy() for t in (*first, *second)]

    ours = action(mt)
    np.testing.assert_equal(ours, action(mt, wrapped=False))
    np.testing.assert_allclose(ours, action(torch), rtol=1e-12)


def test_gradcheck_twice():
    w = mt.tensor([[0.3, -0.2], [0.5, 0.7]], dtype=mt.float64, requires_grad=True)
    x = mt.tensor([[0.5, 1.5], [-0.3, 0.2]], dtype=mt.float64, requires_grad=True)

    def f(t, w):
        return checkpoint(
            lambda t: checkpoint(lambda s: (s @ w).tanh(), t * w, use_reentrant=False).exp(), t, use_reentrant=False
        )

    assert mt.autograd.gradcheck(f, (x, w))
    assert mt.autograd.gradgradcheck(f, (x, w))


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")  # the inner of two reentrant ones
@pytest.mark.parametrize("early_stop", [True, False])
@pytest.mark.parametrize("outer, inner", [(False, False), (True, False), (False, True), (True, True)])
def test_checkpoints_inside_checkpoints(outer, inner, early_stop):
    def action(lib, wrapped=True):
        lib.manual_seed(1)
        net = lib.nn.Sequential(*(block(lib, 4).double() for _ in range(3)))

        def step(f, x, use_reentrant):
            return of(lib).checkpoint(f, x, use_reentrant=use_reentrant) if wrapped else f(x)

        def two(x):
            return step(net[2], step(net[1], net[0](x).sin(), inner).cos(), inner)

        x = lib.linspace(-1, 1, 12, dtype=lib.float64).reshape(3, 4).requires_grad_()
        with of(lib).set_checkpoint_early_stop(early_stop):
            y = step(two, x, outer)
        (y * y).sum().backward()
        return [t.detach().numpy() for t in (y, x.grad, *(p.grad for p in net.parameters()), lib.rand(3))]

    ours = action(mt)
    np.testing.assert_equal(ours, action(mt, wrapped=False))
    for a, b in zip(ours, action(torch), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


class _Ctx:
    """An autograd.Function per library, for values that a user's own backward saves."""

    @staticmethod
    def make(lib):
        class Square(lib.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                y = x * x
                ctx.save_for_backward(x, y)
                return y

            @staticmethod
            def backward(ctx, g):
                x, y = ctx.saved_tensors
                return g * 2 * x + 0 * y

        return Square


@pytest.mark.parametrize("use_reentrant", MODES)
def test_functions_of_the_users(use_reentrant):
    def action(lib):
        square = _Ctx.make(lib)
        x = lib.tensor([1.0, 3.0], requires_grad=True)
        y = of(lib).checkpoint(lambda t: square.apply(square.apply(t * 2)), x, use_reentrant=use_reentrant)
        y.sum().backward()
        if use_reentrant:
            return y, x.grad
        y = of(lib).checkpoint(lambda t: square.apply(t * t), x, use_reentrant=False)
        (first,) = lib.autograd.grad(y.sum(), x, create_graph=True)
        return y, first, lib.autograd.grad(first.sum(), x)

    same(action)


def test_views_written_in_place_inside():
    def action(lib):
        x = lib.arange(6.0).reshape(2, 3).requires_grad_()

        def f(t):
            u = t * t
            u[0].mul_(3)
            v = u + 1
            v[:, 1:] = u[:, :2] * t[:, 1:]
            v.sigmoid_()
            return v * u

        of(lib).checkpoint(f, x / 3, use_reentrant=False).sum().backward()
        return x.grad.numpy()

    np.testing.assert_allclose(action(mt), action(torch), rtol=1e-5)


def test_two_passes_through_one_graph():
    def action(lib):
        x = lib.tensor([1.0, 2.0], requires_grad=True)
        y = of(lib).checkpoint(lambda t: t * t * x, x * 3, use_reentrant=False).sum()
        y.backward(retain_graph=True)
        y.backward()
        return x.grad

    same(action)


@pytest.mark.parametrize("use_reentrant", MODES)
def test_a_second_pass_without_the_graph_is_an_error(use_reentrant):
    def action(lib):
        x = lib.tensor([1.0, 2.0], requires_grad=True)
        y = of(lib).checkpoint(lambda t: t * t, x * 3, use_reentrant=use_reentrant).sum()
        y.backward()
        y.backward()

    assert same(action)[0] == "RuntimeError"


def test_a_backward_pass_inside():
    """A gradient penalty, all of it inside the checkpointed function."""

    def action(lib, wrapped=True):
        w = lib.tensor([0.5, 2.0], dtype=lib.float64, requires_grad=True)
        x = lib.tensor([1.0, 3.0], dtype=lib.float64, requires_grad=True)

        def penalty(t):
            y = (t * w).sin() * t
            (g,) = lib.autograd.grad(y.sum(), t, create_graph=True)
            return (g * g).sum() + y.exp().sum()

        loss = of(lib).checkpoint(penalty, x, use_reentrant=False, early_stop=False) if wrapped else penalty(x)
        loss.backward()
        return [x.grad.numpy(), w.grad.numpy()]

    for ours, theirs in zip(action(mt), action(torch, wrapped=False), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_early_stop_saves_the_rest_of_the_second_run():
    def action(lib):
        log = []

        def f(t):
            y = t * t
            log.append("after the product")
            return y + 1

        for early_stop in (True, False):
            x = lib.ones(2, requires_grad=True)
            of(lib).checkpoint(f, x, use_reentrant=False, early_stop=early_stop).sum().backward()
            log.append(early_stop)
        return log

    same(action)


def test_contexts_around_both_runs():
    def action(lib):
        log = []

        @contextlib.contextmanager
        def noted(name):
            log.append(f"{name} begins")
            yield
            log.append(f"{name} ends")

        x = lib.ones(2, requires_grad=True)
        y = of(lib).checkpoint(
            lambda t: t * t,
            x,
            use_reentrant=False,
            context_fn=lambda: (noted("first"), noted("second")),
            early_stop=False,
        )
        log.append("between")
        y.sum().backward()
        return log, x.grad

    same(action)


@pytest.mark.cpu("is about the CPU's autocast")
@pytest.mark.parametrize("use_reentrant", MODES)
def test_autocast_is_that_of_the_first_run(use_reentrant):
    def action(lib):
        lib.manual_seed(0)
        dtypes = []
        layer = lib.nn.Linear(4, 4)

        def f(t):
            y = layer(t)
            dtypes.append(str(y.dtype))
            return y * y

        x = lib.ones(2, 4, requires_grad=True)
        with lib.autocast("cpu", dtype=lib.bfloat16):
            y = of(lib).checkpoint(f, x, use_reentrant=use_reentrant)
        y.float().sum().backward()
        return dtypes, str(layer.weight.grad.dtype)

    same(action)


@pytest.mark.parametrize("use_reentrant", MODES)
def test_without_gradients_it_is_the_function(use_reentrant):
    def action(lib):
        calls = []
        x = lib.ones(2, requires_grad=True)
        with lib.no_grad():
            y = of(lib).checkpoint(lambda t: (calls.append(1), t * 2)[1], x, use_reentrant=use_reentrant)
        return y, y.requires_grad, len(calls)

    same(action)
