"""state_dict and load_state_dict behave as torch's: keys, order, versions, hooks, error texts."""

import copy
from collections import OrderedDict

import pytest
from side_by_side import make_net, outcome, same, values

import minitorch2 as mt


def test_state_dict_keys_order_and_metadata():
    def action(lib):
        net = lib.nn.Sequential(OrderedDict(a=make_net(lib), b=lib.nn.BatchNorm1d(4), c=lib.nn.Dropout()))
        state = net.state_dict(prefix="p.")
        assert all(not t.requires_grad for t in state.values())
        assert all(t.requires_grad for n, t in net.state_dict(keep_vars=True).items() if n.endswith("weight"))
        return list(state), dict(state._metadata), type(state).__name__

    same(action)


def test_state_dict_shares_memory():
    net = make_net(mt)
    state = net.state_dict()
    with mt.no_grad():
        net.scale.fill_(7)
    assert state["scale"].tolist() == [7] * 4


LOADS = {
    "missing": lambda lib, s: s.pop("scale"),
    "unexpected": lambda lib, s: s.update({"x": lib.ones(1), "first.y": lib.ones(1), "z.w": lib.ones(1)}),
    "mismatch": lambda lib, s: s.update({"scale": lib.ones(5), "offset": lib.ones(4, 1)}),
    "not_a_tensor": lambda lib, s: s.update({"scale": 3.0}),
    "other_dtype": lambda lib, s: s.update({"scale": lib.arange(4)}),
    "all_at_once": lambda lib, s: (s.pop("offset"), s.update({"q": 1, "scale": lib.ones(2)})),
    "fits": lambda lib, s: s.update({"scale": lib.full((4,), 9.0)}),
}


@pytest.mark.parametrize("change", LOADS.values(), ids=LOADS.keys())
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("assign", [True, False])
def test_load_state_dict(change, strict, assign):
    def action(lib):
        net = make_net(lib)
        state = make_net(lib, seed=1).state_dict()
        change(lib, state)
        result = outcome(lambda _: repr(net.load_state_dict(state, strict=strict, assign=assign)), lib)
        parameters = {name: (p, p.requires_grad, type(p).__name__) for name, p in net.named_parameters()}
        return result, values(parameters), values(dict(net.named_buffers()))

    same(action)


def test_load_scalar_from_one_element():
    def action(lib):
        net = lib.nn.Module()
        net.x = lib.nn.Parameter(lib.tensor(1.0))
        net.load_state_dict({"x": lib.tensor([4.0])})
        return net.x

    same(action)


def test_extra_state_and_versions():
    def action(lib):
        class Counted(lib.nn.Linear):
            _version = 3

            def __init__(self):
                super().__init__(1, 1)
                self.count = 5
                self.loaded_version = None

            def get_extra_state(self):
                return {"count": self.count}

            def set_extra_state(self, state):
                self.count = state["count"]

            def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
                self.loaded_version = local_metadata.get("version")
                super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

        net = lib.nn.Sequential(Counted())
        state = net.state_dict()
        state["0._extra_state"] = {"count": 8}
        net.load_state_dict(state)
        missing = outcome(lambda _: net.load_state_dict({"0.weight": lib.ones(1, 1), "0.bias": lib.ones(1)}), lib)
        unexpected = outcome(lambda _: lib.nn.Sequential(lib.nn.Linear(1, 1)).load_state_dict(state), lib)
        return list(state), net[0].count, net[0].loaded_version, missing, unexpected

    same(action)


def test_state_dict_hooks():
    def action(lib):
        seen = []
        net = lib.nn.Sequential(lib.nn.Linear(1, 1, bias=False))
        net.register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(("pre", m, prefix, keep)))
        net.register_state_dict_post_hook(lambda m, s, prefix, meta: s.update(added=lib.ones(1)))
        net[0]._register_state_dict_hook(lambda m, s, prefix, meta: seen.append(("hook", list(s), prefix, meta)))
        state = net.state_dict()

        def drop(module, state_dict, prefix, *rest):
            seen.append(("load", module, prefix))
            state_dict.pop(prefix + "added", None)

        def after(module, keys):
            seen.append(("after", list(keys.missing_keys)))
            keys.missing_keys.clear()

        net.register_load_state_dict_pre_hook(drop)
        net[0]._register_load_state_dict_pre_hook(lambda *args: seen.append(args[1]))
        net.register_load_state_dict_post_hook(after)
        del state["0.weight"]
        return seen, list(net.state_dict()), repr(net.load_state_dict(state)), seen

    same(action)


def test_state_dict_hook_return_values():
    def action(lib):
        net = lib.nn.Tanh()
        net._register_state_dict_hook(lambda *a: {"replaced": 1})
        first = net.state_dict()

        def post(*args):
            return {}

        net.register_state_dict_post_hook(post)
        errors = [
            outcome(lambda _: net.state_dict(), lib),
            outcome(lambda _: net._register_state_dict_hook(post), lib),
        ]
        net.register_load_state_dict_post_hook(lambda m, k: k)
        return first, errors, outcome(lambda _: net.load_state_dict({}), lib)

    same(action)


def test_load_pre_hook_of_a_copy_gets_the_copy():
    net = mt.nn.Tanh()
    seen = []
    net.register_load_state_dict_pre_hook(lambda module, *rest: seen.append(module))
    twin = copy.deepcopy(net)
    twin.load_state_dict({})
    assert seen == [twin]


def test_positional_state_dict_arguments_warn():
    net = make_net(mt)
    with pytest.warns(FutureWarning, match="Positional args are being deprecated"):
        assert next(iter(net.state_dict({}, "p."))) == "p.scale"
