"""Calling a module, and the hooks around it, behave as torch's."""

import gc
import weakref

import pytest
import torch
from side_by_side import BOTH, outcome, same, values

import minitorch2 as mt


def test_call_passes_arguments():
    class Echo(mt.nn.Module):
        def forward(self, *args, **kwargs):
            return args, kwargs

    assert Echo()(1, 2, a=3) == ((1, 2), {"a": 3})


def log_hooks(lib, register, seen):
    """A small network with some hooks; what they saw goes to ``seen``."""
    lib.manual_seed(1)
    net = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.Tanh(), lib.nn.Linear(4, 2)).double()
    for layer in net:
        register(layer, seen)
    x = lib.arange(6, dtype=lib.float64).reshape(2, 3).div(7).requires_grad_()
    y = net(x)
    y.pow(2).sum().backward()
    return y, x.grad, [p.grad for p in net.parameters()]


def forward_hooks(layer, seen):
    layer.register_forward_pre_hook(lambda m, args: (args[0] * 2,))
    layer.register_forward_pre_hook(lambda m, args: args[0] + 1)
    layer.register_forward_pre_hook(lambda m, args: seen.append(("pre", m, args)), prepend=True)
    layer.register_forward_hook(lambda m, args, out: out * 3)
    layer.register_forward_hook(lambda m, args, out: seen.append(("post", m, args, out)))
    layer.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs), with_kwargs=True, prepend=True)


def backward_hooks(layer, seen):
    layer.register_full_backward_pre_hook(lambda m, grads: (grads[0] * 2,))
    layer.register_full_backward_pre_hook(lambda m, grads: seen.append(("pre", m, grads)), prepend=True)
    layer.register_full_backward_hook(lambda m, inputs, outputs: (inputs[0] + 1,))
    layer.register_full_backward_hook(lambda m, inputs, outputs: seen.append(("post", m, inputs, outputs)))


def removed_hooks(layer, seen):
    with layer.register_forward_hook(lambda *a: seen.append("never")):
        pass
    handle = layer.register_full_backward_hook(lambda *a: seen.append("never"))
    handle.remove()
    handle.remove()
    layer.register_forward_hook(lambda *a: seen.append("once"))


@pytest.mark.parametrize("register", [forward_hooks, backward_hooks, removed_hooks])
def test_hooks(register):
    logs = {}
    for lib in (mt, torch):
        seen = []
        results = log_hooks(lib, register, seen)
        logs[lib.__name__] = (values(results), values(seen))
    ours, theirs = logs["minitorch2"], logs["torch"]
    assert len(ours[1]) == len(theirs[1]) > 0
    close(ours, theirs)


def close(ours, theirs):
    if isinstance(ours, (list, tuple)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            close(a, b)
    elif isinstance(ours, float):
        # float64, but the matrix products sum in another order.
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)
    else:
        assert ours == theirs


def test_pre_hook_with_kwargs():
    def action(lib):
        class Scale(lib.nn.Module):
            def forward(self, x, factor=1):
                return x * factor

        layer = Scale()
        layer.register_forward_pre_hook(lambda m, a, k: (a, {"factor": k["factor"] + 1}), with_kwargs=True)
        first = layer(lib.ones(2), factor=3)
        layer.register_forward_pre_hook(lambda m, a, k: a, with_kwargs=True)
        return first, outcome(lambda _: layer(lib.ones(2), factor=3), lib)

    ours, theirs = outcome(action, mt), outcome(action, torch)
    assert ours[0] == theirs[0]
    assert "forward pre-hook must return None or a tuple of (new_args, new_kwargs)" in ours[1][1]


@pytest.mark.parametrize("lib", BOTH)
def test_always_call_hooks_run_on_error(lib):
    seen = []

    class Fails(lib.nn.Module):
        def forward(self, x):
            raise ValueError("boom")

    net = Fails()
    net.register_forward_hook(lambda m, a, out: seen.append("normal"))
    net.register_forward_hook(lambda m, a, out: seen.append(("always", out)), always_call=True)
    net.register_forward_hook(lambda m, a, out: 1 / 0, always_call=True)
    with pytest.raises(ValueError, match="boom"), pytest.warns(UserWarning, match="always_call=True"):
        net(1)
    assert seen == [("always", None)]


def test_global_hooks():
    def action(lib):
        from importlib import import_module

        module = import_module(f"{lib.__name__}.nn.modules.module")
        seen = []
        handles = [
            module.register_module_forward_pre_hook(lambda m, a: seen.append(["pre", type(m).__name__])),
            module.register_module_forward_hook(lambda m, a, o: seen.append(["post", type(m).__name__])),
            module.register_module_full_backward_pre_hook(lambda m, g: seen.append(["bpre", type(m).__name__])),
            module.register_module_full_backward_hook(lambda m, i, o: seen.append(["bpost", type(m).__name__])),
        ]
        net = lib.nn.Sequential(lib.nn.Tanh(), lib.nn.Identity())
        x = lib.ones(2, requires_grad=True)
        try:
            net(x).sum().backward()
        finally:
            for handle in handles:
                handle.remove()
        net(x).sum().backward()
        return seen

    assert len(same(action)) == 12


def test_backward_hook_argument_forms():
    """Inputs that are no tensors, need no gradient or are not used; several outputs, one of them not used."""

    def action(lib):
        class Many(lib.nn.Module):
            def forward(self, x, flag, y, unused):
                return x * y, x + y

        seen = []
        net = Many()
        net.register_full_backward_hook(lambda m, inputs, outputs: seen.append((inputs, outputs)))
        x, unused = lib.ones(2, requires_grad=True), lib.ones(2, requires_grad=True)
        first, _ = net(x, "flag", lib.full((2,), 3.0), unused)
        first.sum().backward()
        return seen, x.grad

    same(action)


@pytest.mark.parametrize(
    "hook",
    [lambda m, i, o: (i[0], i[0]), lambda m, i, o: (None,)],
)
def test_backward_hook_wrong_number(hook):
    def action(lib):
        net = lib.nn.Tanh()
        net.register_full_backward_hook(hook)
        x = lib.ones(2, requires_grad=True)
        net(x).sum().backward()
        return x.grad

    same(action)


@pytest.mark.parametrize("lib", BOTH)
def test_backward_hook_without_input_gradients(lib):
    lib.manual_seed(0)
    net = lib.nn.Linear(2, 1)
    seen = []
    net.register_full_backward_hook(lambda m, inputs, outputs: seen.append((inputs, values(outputs))))
    with pytest.warns(UserWarning, match="no inputs require gradients"):
        net(lib.ones(1, 2)).sum().backward()
    assert seen == [((None,), [["torch.float32", [[1.0]]]])]
    assert net.weight.grad.tolist() == [[1.0, 1.0]]


def test_hooks_do_not_keep_modules_alive():
    net = mt.nn.Tanh()
    handle = net.register_forward_hook(lambda *a: None)
    watch = weakref.ref(net)
    del net
    gc.collect()
    assert watch() is None
    handle.remove()
