"""torch.utils.swap_tensors: two tensors change places and stay the objects they were."""

import weakref

import pytest
from autograd_cases import leaf
from side_by_side import BOTH, outcome, same, values

import minitorch2 as mt


def test_everything_is_swapped():
    def run(lib):
        a, b = lib.nn.Parameter(lib.arange(3.0)), lib.zeros(2, 2, dtype=lib.float64)
        a.note, b.other, a.grad = "a's", "b's", lib.ones(3)
        lib.utils.swap_tensors(a, b)
        kinds = type(a) is lib.Tensor, type(b) is lib.nn.Parameter, a.requires_grad, b.requires_grad
        return a, b, kinds, b.note, a.other, hasattr(a, "note"), a.grad, b.grad

    same(run)


def test_who_holds_a_tensor_sees_the_other():
    def run(lib):
        net = lib.nn.Linear(2, 1)
        optimizer = lib.optim.SGD(net.parameters(), lr=1.0)
        lib.utils.swap_tensors(net.weight, lib.nn.Parameter(lib.ones(1, 2, dtype=lib.float64)))
        net.bias.data = lib.zeros(1, dtype=lib.float64)
        net(lib.ones(1, 2, dtype=lib.float64)).sum().backward()
        optimizer.step()
        return net.weight, optimizer.param_groups[0]["params"][0] is net.weight

    same(run)


def test_history_and_hooks_go_along():
    def run(lib):
        x, seen = leaf(lib), []
        x.register_hook(seen.append)
        y, z = x * 2, lib.zeros(1)
        lib.utils.swap_tensors(y, z)
        z.sum().backward()
        other = lib.ones(1, dtype=lib.float64, requires_grad=True)
        del y, z
        lib.utils.swap_tensors(x, other)
        (x * 3).sum().backward()
        (other * 3).sum().backward()
        lib.utils.swap_tensors(x, x)
        return seen, x, x.grad, other, other.grad

    same(run)


def test_detached_and_used_up():
    def run(lib):
        x = leaf(lib)
        alike = x.detach()
        (x * x).sum().backward()
        lib.utils.swap_tensors(x, lib.ones(1))
        return x, alike

    same(run)


@pytest.mark.parametrize("lib", BOTH)
def test_a_graph_from_before_has_no_way_back(lib):
    x = leaf(lib)
    y = x * 2
    lib.utils.swap_tensors(x, lib.ones(3))
    with pytest.raises(RuntimeError, match="poisoned by swap_tensors"):
        y.sum().backward()


def held_by_a_weak_reference(lib, x):
    return weakref.ref(x)


def held_by_a_view(lib, x):
    return x[:1]


def held_by_a_view_without_history(lib, x):
    with lib.no_grad():
        return x[:1]


def held_by_a_function(lib, x):
    class Own(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    return Own.apply(x)


def held_by_a_composed_op(lib, x):
    return lib.nn.functional.layer_norm(x, (3,))


HOLDERS = [held_by_a_weak_reference, held_by_a_view, held_by_a_function, held_by_a_composed_op]


@pytest.mark.parametrize("hold", [*HOLDERS, held_by_a_view_without_history])
def test_what_may_not_be_swapped(hold):
    def run(lib, first):
        x = leaf(lib)
        holder = hold(lib, x)
        pair = (x, lib.ones(3)) if first else (lib.ones(3), x)
        kind, text = outcome(lambda _: lib.utils.swap_tensors(*pair), lib)
        assert holder is not None and ("t1" if first else "t2") in text
        return kind, values(x)

    for first in (True, False):
        assert same(lambda lib, first=first: run(lib, first))[0] == "RuntimeError"


def test_what_was_saved_of_a_swapped_tensor_is_not_mistaken_for_the_other():
    """Torch refuses to swap these; here backward does."""
    x = leaf(mt)
    c = mt.ones(3, dtype=mt.float64)
    y = held_by_a_function(mt, x * c)
    mt.utils.swap_tensors(c, mt.zeros(3))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("lib", BOTH)
def test_no_tensor(lib):
    with pytest.raises(AttributeError, match="'int' object has no attribute"):
        lib.utils.swap_tensors(lib.ones(1), 3)
