"""Calling a module, and the hooks around it, behave as torch's."""

import gc
import warnings
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


def test_the_node_of_a_backward_hook():
    def action(lib):
        layer = lib.nn.Linear(2, 2)
        layer.register_full_backward_hook(lambda *a: None)
        return layer(lib.ones(2)).grad_fn.name()

    assert same(action) == "BackwardHookFunctionBackward"


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


class Several:
    """Modules of one operation, and of more, with their inputs; `lib` is the library."""

    def __init__(self, lib):
        nn = lib.nn
        lib.manual_seed(0)
        x = lib.arange(6, dtype=lib.float64).reshape(2, 3).div(7).requires_grad_()
        conv = lib.arange(16, dtype=lib.float64).reshape(1, 1, 4, 4).cos()
        self.cases = {
            "tanh": (nn.Tanh(), x * 2),
            "tanh of a leaf": (nn.Tanh(), x),
            "softmax": (nn.Softmax(1), x * 2),
            "identity": (nn.Identity(), x.tanh()),
            "identity of a leaf": (nn.Identity(), x),
            "conv": (nn.Conv2d(1, 2, 3).double(), conv),
            "conv of one with a gradient": (nn.Conv2d(1, 2, 3).double(), conv.requires_grad_() * 2),
            "batch norm": (nn.BatchNorm1d(3).double(), x * 2),
            "sequential": (nn.Sequential(nn.Linear(3, 2), nn.Tanh()).double(), x * 2),
        }


@pytest.mark.parametrize("name", Several(mt).cases)
def test_the_older_backward_hook(name):
    """It sees the last operation's gradients; and warns where the module is not just that one."""

    def action(lib):
        module, x = Several(lib).cases[name]
        seen = []
        module.register_backward_hook(lambda m, inputs, outputs: seen.append((type(m).__name__, inputs, outputs)))
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            module(x).pow(2).sum().backward()
        told = [(w.category.__name__, str(w.message)[:90]) for w in told]
        return values(seen), told, values([p.grad for p in module.parameters()])

    ours, theirs = action(mt), action(torch)
    assert ours[1] == theirs[1]
    close(ours, theirs)


def test_the_older_backward_hook_of_a_linear_layer():
    """The gradients of the outputs; those of the inputs come in another order here than in torch's addmm."""

    def action(lib):
        lib.manual_seed(0)
        module, seen = lib.nn.Linear(3, 2).double(), []
        module.register_backward_hook(lambda m, inputs, outputs: seen.append((inputs, outputs)))
        with pytest.warns(FutureWarning, match="contains multiple autograd Nodes"):
            module(lib.ones(2, 3, dtype=lib.float64, requires_grad=True)).pow(2).sum().backward()
        ((inputs, outputs),) = seen
        return [sorted(float(g.sum()) for g in inputs), values(outputs)]

    close(action(mt), action(torch))


@pytest.mark.filterwarnings("ignore:Using:FutureWarning")
@pytest.mark.parametrize(
    "hook",
    [
        lambda m, i, o: (i[0] * 2,),
        lambda m, i, o: (None,),
        lambda m, i, o: i[0] * 2,
        lambda m, i, o: (i[0], i[0]),
        lambda m, i, o: 3,
        lambda m, i, o: (3,),
        lambda m, i, o: (i[0].float(),),
        lambda m, i, o: (i[0][:1],),
    ],
)
def test_what_the_older_backward_hook_returns(hook):
    def action(lib):
        module, x = lib.nn.Tanh(), lib.ones(2, dtype=lib.float64, requires_grad=True)
        module.register_backward_hook(hook)
        module.register_backward_hook(lambda m, i, o: (None if i[0] is None else i[0] + 1,))
        module(x * 2).sum().backward()
        return x.grad

    ours, theirs = outcome(action, mt), outcome(action, torch)
    if isinstance(theirs, tuple):  # an error, of which ours says more
        assert ours[0] == theirs[0] and ours[1].startswith(theirs[1])
    else:
        close(ours, theirs)


def test_the_older_backward_hook_of_other_results():
    def action(lib):
        class Returns(lib.nn.Module):
            def forward(self, x, how):
                return {"dict": {"n": 1, "y": x * x}, "list": [[x * x], x], "two": (x * x, x + x)}[how]

        found = []
        for how in ("dict", "list", "two"):
            module, x, seen = Returns(), lib.ones(2, requires_grad=True), []
            handle = module.register_backward_hook(lambda m, i, o, seen=seen: seen.append(values((i, o))))
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                y = module(x * 2, how)
            y = y["y"] if how == "dict" else y[0]
            (y[0] if how == "list" else y).sum().backward(retain_graph=True)
            handle.remove()
            module(x * 2, how)
            found += [seen, [str(w.message)[:80] for w in told], x.grad]
        return found

    same(action)


@pytest.mark.parametrize("lib", BOTH)
def test_one_kind_of_backward_hook_in_a_module(lib):
    for first, second in (("", "full_"), ("full_", "")):
        module = lib.nn.Tanh()
        getattr(module, f"register_{first}backward_hook")(lambda *a: None).remove()
        with pytest.raises(RuntimeError, match="Cannot use both regular backward hooks and full backward hooks"):
            getattr(module, f"register_{second}backward_hook")(lambda *a: None)


@pytest.mark.parametrize("lib", BOTH)
def test_the_older_backward_hook_of_all_modules(lib, monkeypatch):
    from importlib import import_module

    module = import_module(f"{lib.__name__}.nn.modules.module")
    # What is registered first decides for the whole process, and other tests decide otherwise.
    if lib is mt:
        monkeypatch.setattr(import_module("minitorch2.nn.modules._hooks"), "_global_is_full", None)
    else:
        monkeypatch.setattr(module, "_global_is_full_backward_hook", None)
    seen = []
    handle = module.register_module_backward_hook(lambda m, i, o: seen.append((type(m).__name__, values(i), values(o))))
    try:
        with pytest.raises(RuntimeError, match="global Module hook"):
            module.register_module_full_backward_hook(lambda *a: None)
        net = lib.nn.Tanh()
        net(lib.zeros(2, requires_grad=True) * 2).sum().backward()
    finally:
        handle.remove()
    assert seen == [("Tanh", [["torch.float32", [1.0, 1.0]]], [["torch.float32", [1.0, 1.0]]])]


def test_the_older_backward_hook_keeps_no_module():
    net, x = mt.nn.Tanh(), mt.ones(2, requires_grad=True) * 2
    net.register_backward_hook(lambda *a: None)
    y = net(x)
    watch = weakref.ref(net)
    del net
    gc.collect()
    assert watch() is None
    with pytest.raises(RuntimeError, match="hook of a dead Module"):
        y.sum().backward()


@pytest.mark.parametrize("write", [lambda y: y.relu_(), lambda y: y.add_(1), lambda y: y * 2])
def test_what_a_backward_hook_looks_at_is_not_written_to(write):
    def action(lib):
        layer, seen = lib.nn.ReLU(), []
        layer.register_full_backward_hook(lambda module, inputs, outputs: seen.append((inputs, outputs)))
        x = lib.tensor([1.0, -1.0], requires_grad=True)
        write(layer(x)).sum().backward()
        return seen, x.grad

    same(action)
