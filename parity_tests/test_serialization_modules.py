"""Whole pickled modules: built from the classes the reader names, from no others, and never by running code."""

import io
import pickle
import sys
import types

import numpy as np
import pytest
import torch
from serialization_cases import ALLOWED, archive
from test_serialization_safety import number, text

import minitorch2
from minitorch2 import serialization
from minitorch2.serialization import layers, load, safe_globals, save

# The user's program, as it would be with either framework for `torch`.
PROGRAM = """
import {framework} as torch
from {framework} import nn

class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.BatchNorm2d(width)
        self.conv = nn.Conv2d(width, width, 3, padding="same", padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + self.conv(torch.relu(self.norm(x)))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3)
        self.blocks = nn.Sequential(Block(4), Block(4))
        self.rest = nn.ModuleList([nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5)])
        self.scales = nn.ParameterList([torch.ones(3)])
        self.head = nn.Linear(16, 3)
        self.tied = self.head
        self.shape, self.options = (6, 6), {{"depth": 2, "names": ["a", "b"]}}
        self.register_buffer("offset", torch.zeros(3), persistent=False)

    def forward(self, x):
        x = self.blocks(self.stem(x))
        for layer in self.rest:
            x = layer(x)
        return self.head(x) * self.scales[0] + self.offset
"""


@pytest.fixture
def programs(monkeypatch):
    """nets.py as torch's program and as minitorch2's; `use` says which of them `nets` is."""
    made = {}
    for framework in (torch, minitorch2):
        module = types.ModuleType("nets")
        exec(PROGRAM.format(framework=framework.__name__), module.__dict__)
        made[framework] = module

    def use(framework):
        monkeypatch.setitem(sys.modules, "nets", made[framework])
        return made[framework]

    return use


def saved(framework, obj, **options) -> io.BytesIO:
    file = io.BytesIO()
    framework.save(obj, file, **options)
    file.seek(0)
    return file


def assert_same_module(got, want):
    assert repr(got) == repr(want)
    ours, theirs = got.state_dict(), want.state_dict()
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name].numpy(), value.numpy(), err_msg=name)


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")  # the legacy format keeps it beside the class
@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}], ids=str)
def test_a_module_torch_saved_whole(programs, options):
    torch.manual_seed(0)
    theirs = programs(torch).Net()
    theirs(torch.randn(2, 1, 6, 6)).sum().backward()  # gradients are not saved
    theirs.eval()
    file = saved(torch, {"model": theirs, "epoch": 3}, **options)
    nets = programs(minitorch2)
    with safe_globals([*layers(), nets.Net, nets.Block]):
        checkpoint = load(file)
    ours = checkpoint["model"]
    assert checkpoint["epoch"] == 3 and type(ours) is nets.Net and not ours.training
    assert_same_module(ours, theirs)
    assert ours.tied is ours.head and ours.shape == (6, 6) and ours.options == theirs.options
    assert ours.offset.shape == (3,) and "offset" not in ours.state_dict() and ours.stem.weight.grad is None
    x = torch.randn(5, 1, 6, 6)
    np.testing.assert_allclose(
        ours(minitorch2.from_numpy(x.numpy())).detach().numpy(), theirs(x).detach().numpy(), rtol=1e-5, atol=1e-6
    )
    # It is a module like any other: it trains.
    loss = ours.train()(minitorch2.randn(2, 1, 6, 6)).sum()
    loss.backward()
    assert ours.blocks[1].conv.weight.grad is not None


def test_a_module_we_save_whole_opens_in_torch(programs):
    minitorch2.manual_seed(0)
    ours = programs(minitorch2).Net()
    file = saved(minitorch2, ours)
    programs(torch)
    theirs = torch.load(file, weights_only=False)
    assert_same_module(ours, theirs)
    assert theirs.tied is theirs.head and theirs.training
    theirs.eval()
    x = torch.randn(5, 1, 6, 6)
    np.testing.assert_allclose(
        ours.eval()(minitorch2.from_numpy(x.numpy())).detach().numpy(),
        theirs(x).detach().numpy(),
        rtol=1e-5,
        atol=1e-6,
    )


def test_only_what_is_named_is_built(programs):
    file = saved(torch, programs(torch).Net())
    nets = programs(minitorch2)
    for classes, missing in (
        ([], "nets.Net"),
        ([nets.Net], "torch.nn.modules.conv.Conv2d"),
        ([nets.Net, *layers()], "nets.Block"),
    ):
        file.seek(0)
        with safe_globals(classes), pytest.raises(pickle.UnpicklingError, match=f"GLOBAL {missing} was not an allowed"):
            load(file)
    linear = saved(torch, torch.nn.Linear(2, 2))
    with pytest.raises(pickle.UnpicklingError, match=r"serialization\.layers\(\)"):
        load(linear)
    linear.seek(0)
    with safe_globals([minitorch2.nn.Linear]):  # a layer goes by torch's name
        assert load(linear).in_features == 2


def test_modules_that_cannot_be_saved():
    class Local(minitorch2.nn.Module):
        pass

    hooked = minitorch2.nn.Sequential(minitorch2.nn.ReLU())
    hooked[0].register_forward_hook(print)
    odd = minitorch2.nn.Identity()
    odd.function = lambda x: x
    for module, words in ((Local(), "no reader can find"), (hooked, r"\['0'\].*a hook is"), (odd, "is a function")):
        with pytest.raises(pickle.PicklingError, match=words):
            save(module, io.BytesIO())


def module(path: str = "torch.nn.modules.linear\nIdentity", state: bytes = b"}") -> bytes:
    return b"c" + path.encode() + b"\n)\x81" + state + b"b"


def state(**values: bytes) -> bytes:
    return b"}" + b"".join(text(name) + value + b"s" for name, value in values.items())


NESTED = module()
for _ in range(120):
    NESTED = module(state=state(_modules=b"}" + text("a") + NESTED + b"s"))

ATTACKS = {
    "a class that is called": b"ctorch.nn.modules.linear\nLinear\n" + number(10**9) * 2 + b"\x86R.",
    "a class with arguments": b"ctorch.nn.modules.linear\nIdentity\nK\x01\x85\x81.",
    "a layer without its state": module("torch.nn.modules.linear\nLinear") + b".",
    "a hook": module(state=state(_forward_hooks=b"}K\x01ctorch.nn.modules.linear\nIdentity\ns")) + b".",
    "a method": module(state=state(forward=b"K\x01")) + b".",
    "a class of its own": module(state=state(__class__=b"K\x01")) + b".",
    "a number for a module": module(state=state(_modules=b"}" + text("a") + b"K\x01s")) + b".",
    "a number for a parameter": module(state=state(_parameters=b"}" + text("a") + b"K\x01s")) + b".",
    "a list for the parameters": module(state=state(_parameters=b"]")) + b".",
    "a name with a dot": module(state=state(_modules=b"}" + text("a.b") + b"Ns")) + b".",
    "no bool for training": module(state=state(training=b"K\x01")) + b".",
    "a builder inside a module": module(state=state(_modules=b"}", x=b"ctorch\nSize\n")) + b".",
    "a module in itself": b"ctorch.nn.modules.linear\nIdentity\n)\x81q\x00"
    + state(_modules=b"}" + text("a") + b"h\x00s")
    + b"b.",
    "modules 120 deep": NESTED + b".",
    "a mode that is not there": module("torch.nn.modules.upsampling\nUpsample", state(mode=text("x"), size=b"K\x02"))
    + b".",
    "a state that is no dict": module(state=b"K\x01") + b".",
    "items of a module": b"ctorch.nn.modules.linear\nIdentity\n)\x81" + text("a") + b"Ns.",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_attacking_modules_end_in_an_error(attack):
    with safe_globals(layers()):
        assert type(load(io.BytesIO(archive(b"\x80\x02" + module() + b".")))) is minitorch2.nn.Identity
        with pytest.raises(ALLOWED) as error:
            model = load(io.BytesIO(archive(b"\x80\x02" + attack)))
            pytest.fail(repr(model))
    assert len(str(error.value)) > 20


def test_the_classes_of_this_file_stay_out():
    assert serialization.get_safe_globals() == []


@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_functions_are_named_by_themselves(activation):
    """A transformer's layer keeps its activation, a function, which is allowed as torch allows it."""

    def loaded(lib):
        nn, F, file = lib.nn, lib.nn.functional, io.BytesIO()
        function = getattr(F, activation)
        lib.save(nn.TransformerEncoderLayer(8, 2, 16, activation=function), file)
        classes = [nn.TransformerEncoderLayer, nn.MultiheadAttention, nn.Dropout, nn.LayerNorm, nn.Linear]
        classes.append(nn.modules.linear.NonDynamicallyQuantizableLinear)
        with lib.serialization.safe_globals([*classes, function]):
            return lib.load(io.BytesIO(file.getvalue())).activation is function

    assert loaded(minitorch2) and loaded(torch)
