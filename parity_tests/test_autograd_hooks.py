"""Hooks of nodes and of several tensors at once, and what hooks see where no gradient comes."""

import gc
import weakref

import pytest
import torch
from autograd_cases import leaf, same_error
from side_by_side import same

import minitorch2 as mt


def chain(lib):
    x = leaf(lib)
    y = x * 2
    return x, y, y.exp()


@pytest.mark.parametrize("mode", ["all", "any"])
def test_a_hook_of_several_gradients(mode):
    def run(lib):
        x, y, z = chain(lib)
        unused, seen = leaf(lib), []
        handle = lib.autograd.graph.register_multi_grad_hook((x, z, unused, y), seen.append, mode=mode)
        passes = [
            lambda: z.sum().backward(retain_graph=True),
            lambda: (z * y).sum().backward(retain_graph=True),
            lambda: lib.autograd.grad(z.sum(), y, retain_graph=True),
            lambda: lib.autograd.grad(z.sum(), [y, z], retain_graph=True),
            lambda: z.sum().backward(inputs=[x], retain_graph=True),
            lambda: y.sum().backward(retain_graph=True),
            lambda: unused.sum().backward(),
        ]
        for each in passes:
            each()
            seen.append("end")
        handle.remove()
        z.sum().backward()
        return seen, x.grad

    assert len(same(run)[0]) == 14


@pytest.mark.parametrize("mode", ["all", "any"])
def test_a_hook_of_several_gradients_where_some_do_not_come(mode):
    def run(lib):
        class Cut(lib.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 1

            @staticmethod
            def backward(ctx, g):
                return None

        x, seen = leaf(lib), []
        a, b, c = x.unbind()
        y = x * 2
        z = Cut.apply(y)
        register = lib.autograd.graph.register_multi_grad_hook
        register((a, b, x), seen.append, mode=mode)
        register((b,), lambda g: seen.append("b"), mode=mode)
        register((y, z, x), seen.append, mode=mode)
        register((y, y), seen.append, mode=mode)
        (a * 3 + c).backward(retain_graph=True)
        seen.append("end")
        z.sum().backward()
        return seen

    same(run)


def test_a_hook_of_several_gradients_in_blocks_and_after_errors():
    def run(lib):
        register, seen = lib.autograd.graph.register_multi_grad_hook, []

        def fail(grads):
            raise KeyError("mine")

        x, y, z = chain(lib)
        w, _, u = chain(lib)
        with register((x, z), lambda grads: u.sum().backward()):  # a pass inside the pass
            register((w, u), seen.append)
            z.sum().backward(retain_graph=True)
        with register((y,), fail), pytest.raises(KeyError):
            z.sum().backward(retain_graph=True)
        register((x, y), seen.append)
        (z * z).sum().backward(create_graph=True)
        return seen, [g.requires_grad for g in seen[-1]]

    same(run)


def test_what_a_hook_of_several_gradients_refuses():
    def run(lib, *args, **options):
        lib.autograd.graph.register_multi_grad_hook([leaf(lib), lib.ones(1)], print, **options)

    assert same_error(run, "Expected gradient function to be set") == "AssertionError"
    assert same_error(lambda lib: run(lib, mode="some"), "Expects mode to be one of ('all', 'any')") == "ValueError"
    for lib in (mt, torch):
        run(lib, mode="any")


def test_a_hook_of_several_gradients_keeps_no_graph():
    gc.collect()
    x, y, z = chain(mt)
    mt.autograd.graph.register_multi_grad_hook((x, y, z), print)
    watch = weakref.ref(z.grad_fn)
    gc.disable()
    try:
        del x, y, z
        assert watch() is None
    finally:
        gc.enable()


def test_hooks_of_tensors_whose_gradient_is_none():
    def run(lib):
        x, seen = leaf(lib), []
        a, b, _ = x.unbind()
        b.register_hook(seen.append)
        b.retain_grad()
        (a * 2).backward(retain_graph=True)
        b.register_hook(lambda g: lib.ones((), dtype=lib.float64))
        with pytest.raises(RuntimeError, match="can't replace a None gradient"):
            (a * 2).backward()
        return seen, b.grad

    same(run)


def test_hooks_of_nodes():
    """What replaces gradients replaces them for who comes next; broadcast ones are seen in the inputs' shape."""

    def run(lib):
        x, y, seen = leaf(lib), lib.ones(2, 3, dtype=lib.float64, requires_grad=True), []
        z = x + y
        handle = z.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs, outputs)))
        z.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 10, None))
        z.grad_fn.register_hook(lambda inputs, outputs: seen.append(inputs))
        (z * z).sum().backward(retain_graph=True)
        (g,) = lib.autograd.grad((z * z).sum(), x, create_graph=True)
        g.sum().backward()
        handle.remove()
        z.sum().backward()
        return seen, x.grad, y.grad, type(handle).__name__

    same(run)


def test_prehooks_of_nodes():
    """They come after the hooks of tensors and after what grad() gives, and the node's own hooks see what they left."""

    def run(lib):
        x, seen = leaf(lib), []
        y = x * 2
        node = y.grad_fn
        handle = node.register_prehook(lambda outputs: (outputs[0] * 3,))
        node.register_prehook(lambda outputs: seen.append(("prehook", outputs)))
        node.register_hook(lambda inputs, outputs: seen.append(("hook", inputs[0], outputs)))
        y.register_hook(lambda g: seen.append(("tensor", g)))
        y.sum().backward(retain_graph=True)
        grads = lib.autograd.grad(y.sum(), (x, y), create_graph=True)
        handle.remove()
        y.sum().backward(retain_graph=True)
        node.register_prehook(lambda outputs: (None,))
        y.sum().backward()
        first = x.detach().requires_grad_().unbind()[0]
        first.grad_fn.register_prehook(lambda outputs: seen.append(outputs))
        first.sum().backward()
        return seen, x.grad, grads

    same(run)


def test_hooks_of_a_leafs_node():
    """They are called where the gradient is added to .grad: not by grad(), and before and after the leaf's own."""

    def run(lib):
        x, seen = leaf(lib), []
        node = (x * 2).grad_fn.next_functions[0][0]
        node.register_prehook(lambda outputs: (outputs[0] * 2,))
        node.register_hook(lambda inputs, outputs: seen.append((inputs, outputs, x.grad.clone())))
        x.register_post_accumulate_grad_hook(lambda x: seen.append(x.grad.clone()))
        x.register_hook(lambda g: seen.append(g))
        for _ in range(2):
            (x * 3 + x).sum().backward()
            (x * 5).sum().backward()
        lib.autograd.grad((x * 7).sum(), x)
        return seen, x.grad

    same(run)


PREHOOKS = [
    lambda lib, outputs: outputs[0] * 3,
    lambda lib, outputs: [outputs[0]],
    lambda lib, outputs: (outputs[0], outputs[0]),
    lambda lib, outputs: (lib.ones(7),),
    lambda lib, outputs: (outputs[0].to(lib.float16),),
]


@pytest.mark.parametrize("hook", PREHOOKS)
def test_what_a_prehook_may_not_return(hook):
    def run(lib):
        y = leaf(lib) * 2
        y.grad_fn.register_prehook(lambda outputs: hook(lib, outputs))
        try:
            y.sum().backward()
        except (RuntimeError, TypeError) as error:
            return type(error).__name__

    same(run)


def test_retained_gradients_add_up():
    def run(lib):
        x = lib.ones(2, requires_grad=True) * 2
        x.retain_grad()
        (x * 3).sum().backward(retain_graph=True)
        (x * 5).sum().backward()
        return x.grad

    same(run)


@pytest.mark.parametrize("several", range(2, 9))
def test_leaves_of_one_op_are_called_in_torchs_order(several):
    def run(lib):
        leaves, seen = [leaf(lib) for _ in range(several)], []
        for i, x in enumerate(leaves):
            x.register_hook(lambda g, i=i: seen.append(i))
            x.register_post_accumulate_grad_hook(lambda x, i=i: seen.append(-i))
        lib.stack(leaves).sum().backward()
        return seen

    same(run)


@pytest.mark.parametrize("way", ["hook", "post"])
@pytest.mark.parametrize(
    "layer", ["Conv2d", "Linear", "BatchNorm", "LayerNorm", "LSTM", "TransformerEncoderLayer", "sums"]
)
def test_parameters_of_a_layer_are_called_in_torchs_order(layer, way):
    def run(lib):
        nn = lib.nn
        module, shape = {
            "Conv2d": lambda: (nn.Conv2d(1, 2, 2), (1, 1, 3, 3)),
            "Linear": lambda: (nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)), (3, 2)),
            "BatchNorm": lambda: (nn.BatchNorm1d(2), (3, 2)),
            "LayerNorm": lambda: (nn.LayerNorm(2), (3, 2)),
            "LSTM": lambda: (nn.LSTM(2, 3, 2), (4, 1, 2)),
            "TransformerEncoderLayer": lambda: (nn.TransformerEncoderLayer(4, 2, 8, 0), (3, 1, 4)),
            "sums": lambda: (nn.ParameterList([lib.ones(2), lib.ones(2), lib.ones(2)]), (1,)),
        }[layer]()
        seen = []
        for name, p in module.named_parameters():
            if way == "hook":
                p.register_hook(lambda g, name=name: seen.append(name))
            else:
                p.register_post_accumulate_grad_hook(lambda p, name=name: seen.append(name))
        if layer == "sums":
            a, b, c = module
            (a * b + a * c + b * c).sum().backward()
        else:
            y = module(lib.ones(shape))
            (y[0] if isinstance(y, tuple) else y).sum().backward()
        return seen

    same(run)
