"""nn.Module behaves as torch's: registration, traversal, conversion and modes, copies; Parameter and
Buffer."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from side_by_side import BOTH, make_net, neutral, outcome, same

import minitorch2 as mt


def set_attribute(name, make):
    def action(lib):
        net = make_net(lib)
        setattr(net, name, make(lib))
        return (
            list(net._parameters),
            list(net._buffers),
            list(net._modules),
            sorted(net._non_persistent_buffers_set),
        )

    return action


@pytest.mark.parametrize("name", ["first", "scale", "offset", "scratch", "fresh", "second"])
@pytest.mark.parametrize(
    "make",
    [
        lambda lib: None,
        lambda lib: 3,
        lambda lib: lib.ones(4),
        lambda lib: lib.ones(4, dtype=lib.float64),
        lambda lib: lib.nn.Parameter(lib.ones(4)),
        lambda lib: lib.nn.Buffer(lib.ones(4)),
        lambda lib: lib.nn.Buffer(lib.ones(4), persistent=False),
        lambda lib: lib.nn.Tanh(),
        lambda lib: "text",
    ],
    ids=["none", "int", "tensor", "double", "parameter", "buffer", "transient_buffer", "module", "str"],
)
def test_assignment(name, make):
    same(set_attribute(name, make))


@pytest.mark.parametrize(
    "action",
    [
        lambda lib, net: net.register_parameter("a.b", lib.nn.Parameter(lib.ones(1))),
        lambda lib, net: net.register_parameter("", None),
        lambda lib, net: net.register_parameter(3, None),
        lambda lib, net: net.register_parameter("forward", None),
        lambda lib, net: net.register_parameter("w", lib.ones(2)),
        lambda lib, net: net.register_parameter("w", 3),
        lambda lib, net: net.register_buffer("a.b", lib.ones(1)),
        lambda lib, net: net.register_buffer("", None),
        lambda lib, net: net.register_buffer(None, None),
        lambda lib, net: net.register_buffer("scale", lib.ones(1)),
        lambda lib, net: net.register_buffer("w", [1.0]),
        lambda lib, net: net.add_module("a.b", lib.nn.Tanh()),
        lambda lib, net: net.add_module("", lib.nn.Tanh()),
        lambda lib, net: net.add_module(1, lib.nn.Tanh()),
        lambda lib, net: net.add_module("scale", lib.nn.Tanh()),
        lambda lib, net: net.add_module("m", 3),
        lambda lib, net: net.register_module("m", lib.ones(2)),
        lambda lib, net: net.missing,
        lambda lib, net: delattr(net, "missing"),
        lambda lib, net: net.get_submodule("second.7"),
        lambda lib, net: net.get_submodule("scale"),
        lambda lib, net: net.get_parameter("second.0.offset"),
        lambda lib, net: net.get_parameter("offset"),
        lambda lib, net: net.get_buffer("scale"),
        lambda lib, net: net.set_submodule("", lib.nn.Tanh()),
        lambda lib, net: net.set_submodule("scale", lib.nn.Tanh()),
        lambda lib, net: net.set_submodule("fresh", lib.nn.Tanh(), strict=True),
        lambda lib, net: net.train("yes"),
        lambda lib, net: net.to(lib.int64),
        lambda lib, net: lib.nn.Module()(1),
        lambda lib, net: type(net).__base__(3),
        lambda lib, net: type(net).__base__(size=3),
        lambda lib, net: net.load_state_dict([1]),
        lambda lib, net: net(lib.ones(2, 3), 5) and None,
    ],
)
def test_error_texts(action):
    result = same(lambda lib: action(lib, make_net(lib)))
    assert isinstance(result, tuple), "the action was meant to raise"


@pytest.mark.parametrize("value", ["Parameter", "Linear", "Buffer"])
def test_assignment_before_init(value):
    def action(lib):
        class Early(lib.nn.Module):
            def __init__(self):
                if value == "Linear":
                    self.x = lib.nn.Linear(1, 1)
                else:
                    self.x = getattr(lib.nn, value)(lib.ones(1))

        Early()

    kind, text = outcome(action, mt)
    assert (kind, text) == outcome(action, torch)
    assert "before Module.__init__() call" in text


def test_parameter_must_be_leaf():
    def action(lib):
        p = lib.nn.Parameter(lib.ones(2))
        q = p * 2
        q.__class__ = lib.nn.Parameter if lib is mt else q.__class__
        q._is_param = True  # torch's way to pass for a parameter
        lib.nn.Module().register_parameter("q", q)

    assert "Cannot assign non-leaf Tensor to parameter 'q'" in same(action)[1]


def test_delete_and_reassign_keeps_order():
    def action(lib):
        net = make_net(lib)
        net.scale = lib.nn.Parameter(lib.zeros(4))
        net.extra = lib.nn.Parameter(lib.zeros(1))
        del net.first, net.scratch
        net.first = lib.nn.Tanh()
        return list(net._parameters), list(net._modules), list(net._buffers), list(net.state_dict())

    same(action)


def test_plain_attribute_gives_way_to_parameter():
    def action(lib):
        net = make_net(lib)
        net.x = 3
        net.x = lib.nn.Parameter(lib.ones(2))
        return "x" in net.__dict__, list(net._parameters), net.x

    same(action)


def test_dir_lists_members():
    net = make_net(mt)
    names = dir(net)
    assert {"first", "scale", "offset", "forward", "training"} <= set(names)
    assert not any(name[0].isdigit() for name in dir(net.second))


@pytest.mark.parametrize(
    "action",
    [
        lambda lib: repr(lib.nn.Parameter(lib.ones(2))),
        lambda lib: repr(lib.nn.Parameter(lib.ones(2), requires_grad=False)),
        lambda lib: repr(lib.nn.Parameter()),
        lambda lib: repr(lib.nn.Buffer(lib.ones(2))),
        lambda lib: type(lib.nn.Parameter(lib.ones(2)) * 2).__name__,
        lambda lib: type(lib.nn.Parameter(lib.ones(2)).data).__name__,
        lambda lib: type(lib.nn.Parameter(lib.ones(2)).detach()).__name__,
        lambda lib: type(copy.deepcopy(lib.nn.Parameter(lib.ones(2)))).__name__,
        lambda lib: isinstance(lib.nn.Parameter(lib.ones(2)), lib.Tensor),
        lambda lib: isinstance(lib.ones(2), lib.nn.Parameter),
        lambda lib: isinstance(lib.nn.Buffer(lib.ones(2)), lib.nn.Buffer),
        lambda lib: isinstance(lib.ones(2), lib.nn.Buffer),
        lambda lib: lib.nn.Parameter(lib.ones(2, requires_grad=True) * 2).is_leaf,
        lambda lib: lib.nn.Parameter(lib.ones(2, dtype=lib.int64), requires_grad=False),
    ],
)
def test_parameter_and_buffer(action):
    same(lambda lib: neutral(str(action(lib))))


@pytest.mark.parametrize("lib", BOTH)
def test_parameter_shares_memory(lib):
    data = lib.zeros(3)
    parameter = lib.nn.Parameter(data)
    data.fill_(2)
    assert parameter.tolist() == [2, 2, 2]
    with pytest.raises(RuntimeError, match="nly Tensors of floating point"):
        lib.nn.Parameter(lib.ones(2, dtype=lib.int64))
    with pytest.raises(AttributeError, match="has no attribute 'detach'"):
        lib.nn.Parameter([1.0])


@pytest.mark.parametrize("lib", BOTH)
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
def test_parameter_copies(lib, clone):
    parameter = lib.nn.Parameter(lib.ones(3), requires_grad=False)
    twin = clone([parameter, parameter])
    assert twin[0] is twin[1] and type(twin[0]) is lib.nn.Parameter
    assert not twin[0].requires_grad
    twin[0].fill_(5)
    assert parameter.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "action",
    [
        lambda net: [name for name, _ in net.named_modules()],
        lambda net: [name for name, _ in net.named_modules(prefix="p", remove_duplicate=False)],
        lambda net: [name for name, _ in net.named_children()],
        lambda net: list(net.modules()),
        lambda net: list(net.children()),
        lambda net: list(net.named_parameters()),
        lambda net: [name for name, _ in net.named_parameters(prefix="p", recurse=False)],
        lambda net: [name for name, _ in net.named_parameters(remove_duplicate=False)],
        lambda net: [name for name, _ in net.named_buffers(prefix="p")],
        lambda net: len(list(net.parameters())),
        lambda net: len(list(net.buffers(recurse=False))),
        lambda net: net.get_parameter("second.0.weight"),
        lambda net: net.get_buffer("offset"),
        lambda net: net.get_submodule("second.1"),
        lambda net: net.get_submodule("") is net,
    ],
)
def test_traversal(action):
    same(lambda lib: action(make_net(lib)))


def test_apply_visits_children_first():
    def action(lib):
        seen = []
        net = make_net(lib)
        assert net.apply(lambda m: seen.append(type(m).__name__)) is net
        return seen

    same(action)


def test_set_submodule():
    def action(lib):
        net = make_net(lib)
        net.set_submodule("second.1", lib.nn.ReLU())
        net.set_submodule("new", lib.nn.ReLU())
        return repr(net)

    same(action)


@pytest.mark.parametrize(
    "convert",
    [
        lambda lib, net: net.double(),
        lambda lib, net: net.half().float(),
        lambda lib, net: net.bfloat16(),
        lambda lib, net: net.to(lib.float64),
        lambda lib, net: net.to("cpu", lib.float64),
        lambda lib, net: net.to(lib.device("cpu"), dtype=lib.float16),
        lambda lib, net: net.to(dtype=lib.float64, non_blocking=True),
        lambda lib, net: net.to(lib.zeros(1, dtype=lib.float64)),
        lambda lib, net: net.to("cpu"),
        lambda lib, net: net.to(None, lib.float64),
        lambda lib, net: net.type(lib.float64),
        lambda lib, net: net.cpu(),
    ],
)
def test_conversion(convert):
    def action(lib):
        net = lib.nn.Sequential(make_net(lib), lib.nn.BatchNorm1d(4))
        net.register_buffer("count", lib.arange(3))
        before = list(net.parameters())
        net(lib.ones(2, 3)).sum().backward()
        assert convert(lib, net) is net
        assert all(p is q for p, q in zip(before, net.parameters(), strict=True)), "parameters stay themselves"
        dtypes = {name: str(t.dtype) for name, t in (*net.named_parameters(), *net.named_buffers())}
        return (
            dtypes,
            [str(p.grad.dtype) for p in net.parameters()],
            [p.requires_grad for p in net.parameters()],
        )

    same(action)


def test_modes_and_gradients():
    def action(lib):
        net = make_net(lib)
        assert net.eval() is net and not any(m.training for m in net.modules())
        net.second.train()
        states = [m.training for m in net.modules()]
        net(lib.ones(1, 3)).sum().backward()
        net.zero_grad(set_to_none=False)
        zeros = [p.grad for p in net.parameters()]
        net.zero_grad()
        nones = [p.grad for p in net.parameters()]
        assert net.requires_grad_(False) is net
        return states, zeros, nones, [p.requires_grad for p in net.parameters()]

    same(action)


def test_to_empty_compile_and_unsupported():
    net = make_net(mt)
    shapes = [tuple(p.shape) for p in net.parameters()]
    assert [tuple(p.shape) for p in net.to_empty(device="cpu").parameters()] == shapes
    with pytest.warns(UserWarning, match="torch.compile compiles nothing here"):
        assert net.compile(mode="max-autotune", fullgraph=True) is None
    with pytest.raises(NotImplementedError, match=r"minitorch2: .* is not supported"):
        net.share_memory()


@pytest.mark.parametrize(
    "name", ["load_state_dict", "register_forward_hook", "get_submodule", "to_empty", "requires_grad_"]
)
def test_methods_are_named_as_modules(name):
    def action(lib):
        method = getattr(make_net(lib), name)
        assert pickle.loads(pickle.dumps(method.__func__)) is method.__func__
        return method.__qualname__, outcome(lambda _: method(1, 2, 3, 4, 5, 6), lib)

    same(action)


def test_deepcopy():
    net = make_net(mt)
    net(mt.ones(1, 3)).sum().backward()
    twin = copy.deepcopy(net)
    assert twin.tied is twin.first and twin.first is not net.first
    assert list(twin.state_dict()) == list(net.state_dict())
    with mt.no_grad():
        twin.scale.fill_(0)
    assert net.scale.tolist() == [1] * 4
    assert twin._non_persistent_buffers_set == {"scratch"}


def test_pickle():
    net = mt.nn.Sequential(mt.nn.Linear(2, 3), mt.nn.BatchNorm1d(3), mt.nn.ModuleList([mt.nn.ReLU()]))[:2]
    file = io.BytesIO()
    pickle.dump(net, file)
    file.seek(0)
    twin = pickle.load(file)
    assert repr(twin) == repr(net)
    x = mt.ones(4, 2)
    np.testing.assert_array_equal(twin.eval()(x).detach().numpy(), net.eval()(x).detach().numpy())
    twin.register_forward_hook(lambda m, a, out: out * 0)
    assert twin(x).abs().sum().item() == 0
