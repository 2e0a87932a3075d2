"""Sequential, ModuleList, ModuleDict, ParameterList and ParameterDict behave as torch's."""

import copy
from collections import OrderedDict

import pytest
import torch

import minitorch2 as mt


def shown(x):
    """Containers by their repr and the names of their state, tensors by their values."""
    if isinstance(x, (mt.nn.Module, torch.nn.Module)):
        return repr(x), list(x.state_dict()), [name for name, _ in x.named_modules(remove_duplicate=False)]
    if isinstance(x, (mt.Tensor, torch.Tensor)):
        return type(x).__name__, x.tolist()
    if isinstance(x, (list, tuple)):
        return [shown(item) for item in x]
    return x


def same(action):
    results = []
    for lib in (mt, torch):
        try:
            results.append(shown(action(lib.nn, lib)))
        except Exception as error:
            results.append((type(error).__name__, str(error).replace("minitorch2", "torch")))
    assert results[0] == results[1]
    return results[0]


def sequential(nn):
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2), nn.Tanh())


def module_list(nn):
    return nn.ModuleList([nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2), nn.Tanh()])


def changed(change, make):
    def action(nn, lib):
        container = make(nn)
        result = change(container, nn)
        return container, result, len(container)

    return action


@pytest.mark.parametrize("make", [sequential, module_list])
@pytest.mark.parametrize(
    "change",
    [
        lambda c, nn: c[0],
        lambda c, nn: c[-1],
        lambda c, nn: c[1:3],
        lambda c, nn: c[::-2],
        lambda c, nn: c[4],
        lambda c, nn: c[-5],
        lambda c, nn: c["0"],
        lambda c, nn: c[1.0],
        lambda c, nn: c.__setitem__(1, nn.GELU()),
        lambda c, nn: c.__setitem__(-1, nn.GELU()),
        lambda c, nn: c.__setitem__(7, nn.GELU()),
        lambda c, nn: c.__setitem__(1, 3),
        lambda c, nn: c.__delitem__(0),
        lambda c, nn: c.__delitem__(-1),
        lambda c, nn: c.__delitem__(slice(1, 3)),
        lambda c, nn: c.__delitem__(slice(None, None, 2)),
        lambda c, nn: c.__delitem__(9),
        lambda c, nn: c.append(nn.GELU()) is c,
        lambda c, nn: c.append(3),
        lambda c, nn: c.extend([nn.GELU(), nn.SiLU()]) is c,
        lambda c, nn: c.extend(type(c)() if isinstance(c, nn.ModuleList) else nn.Sequential(nn.GELU())) is c,
        lambda c, nn: c.extend(3),
        lambda c, nn: c.insert(0, nn.GELU()) in (c, None),
        lambda c, nn: c.insert(2, nn.GELU()) in (c, None),
        lambda c, nn: c.insert(4, nn.GELU()) in (c, None),
        lambda c, nn: c.pop(0),
        lambda c, nn: c.pop(-1),
        lambda c, nn: c.pop(slice(0, 2)),
        lambda c, nn: c.pop(9),
        lambda c, nn: [type(m).__name__ for m in c],
        lambda c, nn: c[2] in c,
        lambda c, nn: c.__iadd__(nn.Sequential(nn.GELU())) is c,
        lambda c, nn: c + c,
        lambda c, nn: copy.deepcopy(c),
    ],
)
def test_list_like(change, make):
    same(changed(change, make))


@pytest.mark.parametrize(
    "action",
    [
        lambda nn, lib: nn.Sequential(),
        lambda nn, lib: nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh())),
        lambda nn, lib: nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh(), c=nn.GELU()))[1:],
        lambda nn, lib: nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh())).a,
        lambda nn, lib: nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh())).append(nn.GELU()),
        lambda nn, lib: nn.Sequential([nn.ReLU()]),
        lambda nn, lib: nn.Sequential({"a": nn.ReLU()}),
        lambda nn, lib: nn.Sequential(None),
        lambda nn, lib: nn.Sequential(nn.ReLU),
        lambda nn, lib: nn.Sequential(len),
        lambda nn, lib: sequential(nn) * 2,
        lambda nn, lib: 3 * nn.Sequential(nn.ReLU()),
        lambda nn, lib: sequential(nn) * 0,
        lambda nn, lib: sequential(nn) * 1.5,
        lambda nn, lib: sequential(nn).__imul__(2),
        lambda nn, lib: sequential(nn).__imul__(-1),
        lambda nn, lib: sequential(nn).__add__([nn.ReLU()]),
        lambda nn, lib: sequential(nn).__iadd__(3),
        lambda nn, lib: sequential(nn).insert(-1, nn.GELU()),
        lambda nn, lib: sequential(nn).insert(9, nn.GELU()),
        lambda nn, lib: sequential(nn).insert(0, 3).forward,
        lambda nn, lib: nn.Sequential()(5),
        lambda nn, lib: nn.Sequential(nn.Threshold(0, 7), nn.Threshold(8, 9))(lib.tensor([-1.0, 10.0])),
        lambda nn, lib: nn.ModuleList(),
        lambda nn, lib: nn.ModuleList(nn.Linear(i, 2) for i in range(1, 4)),
        lambda nn, lib: nn.ModuleList([nn.Linear(2, 2) for _ in range(3)] + [nn.ReLU()] * 2 + [nn.Tanh()]),
        lambda nn, lib: nn.ModuleList([nn.ModuleList([nn.ReLU(), nn.ReLU()]), nn.Sequential(nn.ReLU())] * 2),
        lambda nn, lib: nn.ModuleList([nn.ReLU()]).__add__([nn.Tanh()]),
        lambda nn, lib: nn.ModuleList([nn.ReLU()])(3),
        lambda nn, lib: nn.ModuleList([3]),
        lambda nn, lib: nn.ModuleList(3),
    ],
)
def test_sequential_and_module_list(action):
    same(action)


def test_module_list_inserts_like_a_list():
    """For a negative or too large index torch's insert breaks the list; ours does what list.insert does."""
    for index in (-1, -9, 9):
        modules, plain = module_list(mt.nn), list("abcd")
        modules.insert(index, mt.nn.GELU())
        plain.insert(index, "new")
        assert list(modules._modules) == ["0", "1", "2", "3", "4"]
        assert isinstance(modules[plain.index("new")], mt.nn.GELU)


def test_sequential_runs_changed_modules():
    net = mt.nn.Sequential(mt.nn.ReLU())
    net._modules["0"] = mt.nn.Threshold(0, 7)
    assert net(mt.tensor([-1.0])).tolist() == [7]


def module_dict(nn):
    return nn.ModuleDict({"b": nn.ReLU(), "a": nn.Linear(2, 2)})


@pytest.mark.parametrize(
    "change",
    [
        lambda c, nn: list(c),
        lambda c, nn: list(c.keys()),
        lambda c, nn: list(c.values()),
        lambda c, nn: list(c.items()),
        lambda c, nn: c["a"],
        lambda c, nn: c["x"],
        lambda c, nn: "a" in c,
        lambda c, nn: c.__setitem__("c", nn.Tanh()),
        lambda c, nn: c.__setitem__("a", nn.Tanh()),
        lambda c, nn: c.__setitem__("c", 3),
        lambda c, nn: c.__setitem__("clear", nn.Tanh()),
        lambda c, nn: c.__delitem__("a"),
        lambda c, nn: c.__delitem__("x"),
        lambda c, nn: c.pop("b"),
        lambda c, nn: c.pop("x"),
        lambda c, nn: c.clear(),
        lambda c, nn: c.update({"z": nn.Tanh(), "b": nn.GELU()}),
        lambda c, nn: c.update(nn.ModuleDict({"z": nn.Tanh()})),
        lambda c, nn: c.update([("z", nn.Tanh()), ["b", nn.GELU()]]),
        lambda c, nn: c.update(OrderedDict(z=nn.Tanh())),
        lambda c, nn: c.update([3]),
        lambda c, nn: c.update([("a", nn.Tanh(), 3)]),
        lambda c, nn: c.update(3),
        lambda c, nn: c(3),
    ],
)
def test_module_dict(change):
    same(changed(change, module_dict))


def parameter_list(lib):
    return lib.nn.ParameterList([lib.ones(2), lib.nn.Parameter(lib.zeros(2, 3)), "text", lib.ones(1)])


@pytest.mark.parametrize(
    "change",
    [
        lambda c, lib: c[0],
        lambda c, lib: c[-1],
        lambda c, lib: c[2],
        lambda c, lib: c[4],
        lambda c, lib: c[1:3],
        lambda c, lib: list(c),
        lambda c, lib: c.__setitem__(0, lib.zeros(3)),
        lambda c, lib: c.__setitem__(9, lib.zeros(3)),
        lambda c, lib: c.append(lib.ones(3)) is c,
        lambda c, lib: c.append(None),
        lambda c, lib: c.extend([lib.ones(3), 5]) is c,
        lambda c, lib: c.extend(c),
        lambda c, lib: c.extend(lib.ones(3)),
        lambda c, lib: c.extend(5),
        lambda c, lib: c.__iadd__([lib.ones(2, 2)]) is c,
        lambda c, lib: [p.requires_grad for p in c.parameters()],
        lambda c, lib: lib.nn.Sequential(c),
        lambda c, lib: c(1),
    ],
)
def test_parameter_list(change):
    def action(nn, lib):
        container = parameter_list(lib)
        # torch's extend(self) never ends: take the values first, as ours does
        if lib is torch:
            container.extend = lambda v, extend=container.extend: extend(list(v) if v is container else v)
        result = change(container, lib)
        container.__dict__.pop("extend", None)
        return container, result, len(container)

    same(action)


def parameter_dict(lib):
    return lib.nn.ParameterDict({"b": lib.ones(2), "a": lib.nn.Parameter(lib.zeros(2, 3)), "c": "text"})


@pytest.mark.parametrize(
    "change",
    [
        lambda c, lib: list(c),
        lambda c, lib: list(reversed(c)),
        lambda c, lib: list(c.items()),
        lambda c, lib: list(c.values()),
        lambda c, lib: list(c.keys()),
        lambda c, lib: c["a"],
        lambda c, lib: c["x"],
        lambda c, lib: "a" in c,
        lambda c, lib: c.get("x", 5),
        lambda c, lib: c.get("a"),
        lambda c, lib: c.setdefault("x", lib.ones(2)),
        lambda c, lib: c.setdefault("a", lib.ones(2)),
        lambda c, lib: c.pop("a"),
        lambda c, lib: c.pop("x"),
        lambda c, lib: c.popitem(),
        lambda c, lib: c.clear(),
        lambda c, lib: c.clear() or c.popitem(),
        lambda c, lib: c.__delitem__("b"),
        lambda c, lib: c.__delitem__("x"),
        lambda c, lib: c.copy(),
        lambda c, lib: c.fromkeys(["p", "q"], 3),
        lambda c, lib: c.update({"z": lib.ones(1), "y": lib.ones(2)}),
        lambda c, lib: c.update(OrderedDict(z=lib.ones(1), y=lib.ones(2))),
        lambda c, lib: c.update(lib.nn.ParameterDict([("z", lib.ones(1)), ("y", 2)])),
        lambda c, lib: c.update([3]),
        lambda c, lib: c.update([("a", 1, 2)]),
        lambda c, lib: c.update(3),
        lambda c, lib: c | lib.nn.ParameterDict({"z": lib.ones(1)}),
        lambda c, lib: lib.nn.ParameterDict({"z": lib.ones(1)}) | c,
        lambda c, lib: c.__ior__(lib.nn.ParameterDict({"z": lib.ones(1)})) is c,
        lambda c, lib: c(1),
    ],
)
def test_parameter_dict(change):
    same(lambda nn, lib: changed(change, lambda _: parameter_dict(lib))(lib, lib))


@pytest.mark.parametrize("lib", [mt, torch])
def test_parameter_dict_keys_are_strings(lib):
    with pytest.raises(TypeError, match=r"cannot be used as a key as it is not a string \(type is 'int'\)"):
        parameter_dict(lib)[3]
