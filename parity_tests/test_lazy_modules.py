"""Lazy layers: before their first call, at it and after it, as torch's."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from side_by_side import outcome, same

import minitorch2 as mt
from minitorch2.bridge import from_torch, to_torch

# The layer, and the shape of its first input.
LAYERS = [
    ("LazyLinear(3)", (2, 5)),
    ("LazyLinear(3, bias=False)", (5,)),
    ("LazyConv1d(4, 3)", (2, 3, 7)),
    ("LazyConv1d(4, 3, padding='same', bias=False)", (3, 7)),
    ("LazyConv2d(4, 3, 2, 1, 1, 2)", (2, 6, 9, 9)),
    ("LazyConv2d(4, (3, 2), padding_mode='reflect', padding=1)", (3, 7, 7)),
    ("LazyConvTranspose1d(4, 3, 2, 1, 1)", (2, 3, 5)),
    ("LazyConvTranspose2d(4, 3, groups=2, bias=False)", (1, 6, 4, 4)),
    ("LazyConv3d(4, (3, 2, 1), padding='same', groups=2)", (2, 6, 4, 3, 3)),
    ("LazyConvTranspose3d(4, 2, 2, 1, 1, bias=False)", (3, 4, 3, 3)),
    ("LazyBatchNorm1d()", (4, 3)),
    ("LazyBatchNorm2d(momentum=None, bias=False)", (2, 3, 4, 4)),
    ("LazyBatchNorm2d(affine=False)", (2, 3, 4, 4)),
    ("LazyBatchNorm3d(track_running_stats=False)", (2, 3, 2, 2, 2)),
    ("LazyBatchNorm2d(affine=False, track_running_stats=False)", (2, 3, 4, 4)),
    ("LazyInstanceNorm1d()", (2, 3, 5)),
    ("LazyInstanceNorm2d(1e-3, 0.2)", (2, 3, 4, 4)),
    ("LazyInstanceNorm3d(affine=False, track_running_stats=False)", (2, 3, 2, 2, 2)),
]


def make(lib, text, seed=7):
    lib.manual_seed(seed)
    return eval(text, vars(lib.nn).copy())


def about(layer):
    """Its class, repr, attributes, and its state's names, shapes or reprs, and dtypes."""
    lazy = layer.has_uninitialized_params() if hasattr(layer, "has_uninitialized_params") else None
    state = [(name, repr(t) if "Uninit" in repr(t) else list(t.shape), str(t.dtype)) for name, t in
             layer.state_dict().items()]  # fmt: skip
    sizes = {k: v for k, v in vars(layer).items() if k in ("in_features", "in_channels", "num_features", "training")}
    return type(layer).__name__, repr(layer), lazy, state, sizes, [type(p).__name__ for p in layer.parameters()]


@pytest.mark.parametrize(("text", "shape"), LAYERS)
def test_the_first_call(text, shape):
    arrays = []

    def action(lib):
        layer = make(lib, text)
        before = about(layer)
        parameters = list(layer.parameters())
        x = lib.linspace(-1, 1, int(np.prod(shape))).reshape(shape).square()
        y = layer(x)
        arrays.append([t.detach().numpy() for t in (y, *layer.parameters(), *layer.buffers())])
        same_objects = all(p is q for p, q in zip(parameters, layer.parameters(), strict=True))
        hooks = len(layer._forward_pre_hooks), len(layer._load_state_dict_pre_hooks)
        return (
            before,
            about(layer),
            same_objects,
            hooks,
            sorted(set(vars(layer)) - {"_hooked"} - {"_is_full_backward_hook"}),
        )

    assert isinstance(same(action), list)
    for ours, theirs in zip(*arrays, strict=True):
        # The numbers drawn are torch's; what is computed with them is rounded in another order.
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("text", "shape"), LAYERS)
def test_the_numbers_are_those_of_the_layer_itself(text, shape):
    lazy = make(mt, text)
    lazy(mt.zeros(shape))
    mt.manual_seed(7)
    plain = type(lazy).__new__(type(lazy))
    vars(plain).update(vars(copy.deepcopy(lazy)))
    if any(True for _ in plain.parameters()):
        plain.reset_parameters()
        assert all(p.tolist() == q.tolist() for p, q in zip(plain.parameters(), lazy.parameters(), strict=True))
    assert type(from_torch(to_torch(lazy))) is type(lazy)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("LazyConv2d(4, 3)", (2, 3)),
        ("LazyConv1d(4, 3)", (2, 3, 4, 5)),
        ("LazyConv2d(4, 3, groups=2)", (2, 3, 5, 5)),
        ("LazyBatchNorm1d()", (2, 3, 4, 5)),
        ("LazyBatchNorm2d()", (2, 3, 4)),
        ("LazyInstanceNorm1d()", (3, 5)),
    ],
)
def test_first_inputs_that_do_not_fit(text, shape):
    def action(lib):
        layer = make(lib, text)
        return outcome(lambda _: layer(lib.ones(shape)), lib), about(layer)

    assert isinstance(same(action)[0], (list, tuple))


def test_states():
    """Every way between layers that have their weights and layers that have not."""

    def action(lib):
        nn, found = lib.nn, []
        plain = nn.Linear(4, 3)

        def load(layer, state, **options):
            result = outcome(lambda _: repr(layer.load_state_dict(state, **options)), lib)
            found.extend([result, about(layer)])
            return layer

        loaded = load(nn.LazyLinear(3), plain.state_dict())
        found.append([loaded(lib.ones(2, 4)).tolist() == plain(lib.ones(2, 4)).tolist(), about(loaded)])
        load(nn.LazyLinear(3), nn.LazyLinear(3).state_dict())
        load(nn.LazyLinear(3), {})
        load(nn.LazyLinear(3, bias=False), plain.state_dict())
        load(nn.LazyLinear(3), plain.state_dict(), assign=True)
        load(nn.Linear(4, 3), nn.LazyLinear(3).state_dict())
        wrong = load(nn.LazyLinear(3), plain.state_dict())
        found.append(outcome(lambda _: wrong(lib.ones(2, 5)), lib))
        net = nn.Sequential(nn.LazyConv2d(2, 3), nn.LazyBatchNorm2d())
        full = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
        found.append(repr(net.load_state_dict(full.state_dict())))
        found.append([list(net(lib.ones(1, 1, 4, 4)).shape), repr(net)])
        return found

    assert isinstance(same(action), list)


ALLOWED = """
w; w.dtype; w.device; w.requires_grad; w.grad; w.is_leaf; w.data; w.size(); w.is_floating_point(); w.get_device()
w.grad_fn; lib.nn.parameter.is_lazy(w); repr(copy.deepcopy(w)); copy.deepcopy(w).dtype; w.double().dtype; w.to(lib.half)
isinstance(w, lib.nn.Parameter); isinstance(b, lib.nn.Parameter); b; b.dtype; b.requires_grad; repr(b.double())
lib.nn.UninitializedParameter(False, dtype=lib.float64).requires_grad; lib.nn.parameter.is_lazy(lib.ones(2))
layer.double().running_mean.dtype; repr(layer.half().running_var); layer.half().weight.dtype; layer.zero_grad()
repr(copy.deepcopy(lib.nn.LazyConv1d(2, 3))); layer.to(lib.float64).bias.dtype
"""
REFUSED = """
w + 1; w.dim(); w.numel(); len(w); w.detach(); w.tolist(); w[0]; w.element_size(); w.requires_grad_(False); bool(w)
w == 1; w.clone(); lib.zeros_like(w); lib.nn.init.zeros_(w); w.shape; b.shape; b.sum(); w.share_memory_(); lib.relu(w)
lib.nn.functional.linear(lib.ones(2), w); layer.requires_grad_(False); layer.forward(lib.ones(2, 3, 4, 4)).foo
"""


def expressions(text):
    return text.strip().replace("\n", "; ").split("; ")


def evaluate(lib, text):
    layer = lib.nn.LazyBatchNorm2d()
    names = {"lib": lib, "copy": copy, "layer": layer, "w": layer.weight, "b": layer.running_mean}
    result = eval(text, names)
    return repr(result) if "Uninit" in repr(result) else result


@pytest.mark.cpu("it asks where things are")
@pytest.mark.parametrize("text", expressions(ALLOWED))
def test_what_can_be_asked_without_memory(text):
    same(lambda lib: str(evaluate(lib, text)).replace(", grad_fn=<ToCopyBackward0>", ""))


@pytest.mark.parametrize("text", expressions(REFUSED))
def test_what_is_refused_without_memory(text):
    kinds, texts = zip(*(outcome(lambda lib: evaluate(lib, text), lib) for lib in (mt, torch)), strict=True)
    assert kinds[0] == kinds[1] and texts[0][:33] == texts[1][:33], texts


def test_materialize():
    for lib in (mt, torch):
        w = lib.nn.UninitializedParameter(dtype=lib.float64)
        w.materialize((2, 3))
        assert type(w) is lib.nn.Parameter and w.shape == (2, 3) and w.dtype is lib.float64 and w.requires_grad
        b = lib.nn.UninitializedBuffer()
        b.materialize((4,), dtype=lib.float16)
        assert type(b) is lib.Tensor and b.dtype is lib.float16 and not b.requires_grad and (b.zero_() + 1).sum() == 4


def test_hooks_training_and_an_optimizer_made_before():
    def action(lib):
        lib.manual_seed(0)
        net = lib.nn.Sequential(lib.nn.LazyLinear(4), lib.nn.Tanh(), lib.nn.LazyLinear(1)).double()
        seen = []
        net[0].register_forward_pre_hook(lambda module, args: seen.append(type(module).__name__))
        optimizer = lib.optim.SGD(net.parameters(), lr=0.1)
        x = lib.linspace(0, 1, 6, dtype=lib.float64).reshape(2, 3)
        for _ in range(3):
            optimizer.zero_grad()
            loss = (net(x) - 1).square().mean()
            loss.backward()
            optimizer.step()
        return seen, repr(net), round(loss.item(), 10)

    assert isinstance(same(action), list)


def test_lazy_modules_of_ones_own():
    def action(lib):
        Lazy, nn = lib.nn.modules.lazy.LazyModuleMixin, lib.nn

        class Scale(Lazy, nn.Module):
            def __init__(self):
                super().__init__()
                self.w = nn.UninitializedParameter()

            def initialize_parameters(self, x, *, start=1.0):
                if self.has_uninitialized_params():
                    self.w.materialize(x.shape[-1:])
                    with lib.no_grad():
                        self.w.fill_(start)

            def forward(self, x, *, start=1.0):
                return x * self.w

        class Idle(Lazy, nn.Module):
            def __init__(self, prepare):
                super().__init__()
                self.w = nn.UninitializedParameter()
                if prepare:
                    self.initialize_parameters = lambda x: None

        scale = Scale()
        first = scale(lib.ones(2), start=3.0)
        errors = [outcome(lambda _, p=p: Idle(p)(lib.ones(2)), lib) for p in (False, True)]
        return first.tolist(), scale(lib.ones(2)).tolist(), type(scale).__name__, errors

    assert isinstance(same(action), list)


def test_pickled_saved_and_taken_over():
    lazy = mt.nn.LazyLinear(3, dtype=mt.float64)
    twin = pickle.loads(pickle.dumps(lazy))
    assert twin.weight.dtype is mt.float64 and twin(mt.ones(2, 4).double()).shape == (2, 3)
    with pytest.raises(pickle.PicklingError, match="UninitializedParameter"):
        mt.save(lazy.state_dict(), io.BytesIO())
    with pytest.raises(TypeError, match="LazyLinear"):
        to_torch(lazy)
    with pytest.raises(TypeError, match="run the model once on a batch first"):
        from_torch(torch.nn.LazyLinear(3))
