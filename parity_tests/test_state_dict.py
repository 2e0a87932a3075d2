"""state_dict and load_state_dict behave as torch's: keys, order, versions, hooks, error texts."""

import copy
import gc
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


class Stub:
    """A mapping by its methods alone, which is not dict-like enough."""

    def keys(self):
        return []


NOT_MAPPINGS = [None, [], "weights.pt", Stub, 3]


@pytest.mark.parametrize("given", NOT_MAPPINGS)
def test_what_is_no_dict_is_refused(given):
    def action(lib):
        value = {"Stub": Stub(), "list": []}.get(getattr(given, "__name__", type(given).__name__), given)
        return lib.nn.Linear(1, 1).load_state_dict(value)

    assert same(action)[0] == "TypeError"


def test_a_module_is_not_its_state():
    def action(lib):
        return lib.nn.Linear(1, 1).load_state_dict(lib.nn.Linear(1, 1))

    kind, text = outcome(action, mt)
    assert kind == "TypeError" and str(text).startswith("Expected state_dict to be dict-like, got <class '")


def deep(lib):
    lib.manual_seed(0)
    block = lib.nn.Sequential(OrderedDict(conv=lib.nn.Conv2d(3, 4, 3, bias=False), bn=lib.nn.BatchNorm2d(4)))
    return lib.nn.Sequential(OrderedDict(stem=block, head=lib.nn.ModuleList([lib.nn.Linear(4, 2), lib.nn.PReLU()])))


DEEP_CHANGES = {
    "everything missing": lambda lib, s: s.clear(),
    "a prefix on every key": lambda lib, s: [s.update({f"module.{k}": s.pop(k)}) for k in list(s)],
    "one level missing": lambda lib, s: [s.update({k[5:]: s.pop(k)}) for k in list(s) if k.startswith("stem.")],
    "a head of other size": lambda lib, s: s.update({"head.0.weight": lib.ones(5, 4), "head.0.bias": lib.ones(5)}),
    "a name that is a module's": lambda lib, s: s.update({"stem": lib.ones(1), "stem.bn": lib.ones(1)}),
    "a name below a parameter": lambda lib, s: s.update({"head.0.weight.x": lib.ones(1)}),
    "empty and odd names": lambda lib, s: s.update({"": lib.ones(1), ".": lib.ones(1), "stem..x": lib.ones(1)}),
    "a bias that the layer has not": lambda lib, s: s.update({"stem.conv.bias": lib.ones(4)}),
    "None for a tensor": lambda lib, s: s.update({"head.1.weight": None}),
    "lists for tensors": lambda lib, s: s.update({"head.1.weight": [0.25], "stem.bn.running_mean": (1, 2)}),
    "a scalar for one element": lambda lib, s: s.update({"head.1.weight": lib.tensor(0.5)}),
    "broadcastable is not enough": lambda lib, s: s.update({"head.0.bias": lib.ones(1)}),
    "empty tensors": lambda lib, s: s.update({"head.0.weight": lib.ones(0, 4)}),
    "another order": lambda lib, s: [s.move_to_end(k, last=False) for k in list(s)],
}


@pytest.mark.parametrize("change", DEEP_CHANGES.values(), ids=DEEP_CHANGES)
@pytest.mark.parametrize("strict", [True, False])
def test_messages_name_everything_that_does_not_fit(change, strict):
    def action(lib):
        state = deep(lib).state_dict()
        for tensor in state.values():
            tensor.fill_(2)
        change(lib, state)
        net = deep(lib)
        result = outcome(lambda _: list(map(list, net.load_state_dict(state, strict=strict))), lib)
        return result, values(net.state_dict())  # what did fit is loaded all the same

    same(action)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "int64", "bool"])
@pytest.mark.parametrize("assign", [False, True])
def test_dtypes_are_converted_or_taken_over(dtype, assign):
    def action(lib):
        lib.manual_seed(0)  # what could not be taken over stays what it was
        net = lib.nn.Sequential(lib.nn.Linear(2, 2), lib.nn.BatchNorm1d(2))
        net[0].bias.requires_grad_(False)
        state = OrderedDict((k, lib.ones(v.shape).to(getattr(lib, dtype))) for k, v in net.state_dict().items())
        result = outcome(lambda _: repr(net.load_state_dict(state, assign=assign)), lib)
        grads = {name: p.requires_grad for name, p in net.named_parameters()}
        return result, grads, values(net.state_dict(keep_vars=True)), [type(p).__name__ for p in net.parameters()]

    same(action)


def test_assign_takes_the_very_tensors():
    def action(lib):
        net = lib.nn.Sequential(lib.nn.Linear(2, 1), lib.nn.BatchNorm1d(1))
        old = net[0].weight
        given = {name: t.clone() for name, t in net.state_dict().items()}
        given["0.bias"] = lib.nn.Parameter(lib.ones(1), requires_grad=False)
        net.load_state_dict(given, assign=True)
        given["0.weight"].fill_(7)
        return (
            net[0].weight is old,
            net[0].bias is given["0.bias"],
            net[0].bias.requires_grad,  # the module's setting wins
            net[1].running_mean is given["1.running_mean"],
            net[0].weight,
            [name for name, _ in net.named_parameters()],
        )

    same(action)


@pytest.mark.parametrize("assign", [False, True])
def test_tied_parameters(assign):
    """Copying writes the one tensor twice, and the last wins; assigning unties the two."""

    def action(lib):
        net = lib.nn.Sequential(lib.nn.Linear(2, 2, bias=False), lib.nn.Linear(2, 2, bias=False))
        net[1].weight = net[0].weight
        names = list(net.state_dict())
        net.load_state_dict({"0.weight": lib.ones(2, 2), "1.weight": lib.zeros(2, 2)}, assign=assign)
        missing = outcome(lambda _: net.load_state_dict({"0.weight": lib.ones(2, 2)}, assign=assign), lib)
        return names, net[0].weight, net[1].weight, net[0].weight is net[1].weight, missing

    same(action)


def test_buffers_that_are_none_or_not_saved():
    def action(lib):
        net = make_net(lib)
        net.register_buffer("absent", None)
        state = net.state_dict()
        attempts = []
        for extra in ({}, {"absent": lib.ones(1)}, {"scratch": lib.ones(2)}):
            attempts.append(outcome(lambda _, more=extra: repr(net.load_state_dict({**state, **more})), lib))
        net.absent = lib.zeros(1)
        attempts.append(outcome(lambda _: repr(net.load_state_dict(state)), lib))
        return list(state), attempts, net.scratch, net.absent

    same(action)


@pytest.mark.parametrize("version", [None, 1, 2])
@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("layer", ["BatchNorm1d(2)", "BatchNorm1d(2, track_running_stats=False)", "InstanceNorm1d(2)"])
def test_batch_norm_of_before_it_counted_batches(version, counts, layer):
    """Version 2 (torch 0.4.1) added num_batches_tracked: older states need not have it, newer ones must."""

    def action(lib):
        net = lib.nn.Sequential(eval(layer, vars(lib.nn).copy()))
        if net[0].num_batches_tracked is not None:
            net[0].num_batches_tracked.fill_(5)
        state = net.state_dict()
        if version is None:
            state = OrderedDict(state)
        else:
            state._metadata["0"]["version"] = version
        if not counts:
            state.pop("0.num_batches_tracked", None)
        given = list(state)
        result = outcome(lambda _: repr(net.load_state_dict(state)), lib)
        return result, list(state) == given, net[0].num_batches_tracked

    same(action)


def test_instance_norm_with_statistics_it_does_not_track():
    """Before torch 0.4 InstanceNorm saved statistics that it never used. The advice in the message is our own."""

    def action(lib):
        saved = lib.nn.InstanceNorm1d(2, affine=True, track_running_stats=True).state_dict()
        state = OrderedDict((f"0.{k}", v) for k, v in saved.items())
        net = lib.nn.Sequential(lib.nn.InstanceNorm1d(2, affine=True))
        kind, text = outcome(lambda _: net.load_state_dict(state), lib)
        return kind, str(text).partition("track_running_stats=False. ")[0]

    assert "buffer(s)" in same(action)[1]


def test_a_state_is_not_changed_by_loading_it():
    def action(lib):
        old = lib.nn.Sequential(lib.nn.BatchNorm1d(2)).state_dict()
        old._metadata["0"]["version"] = 1
        del old["0.num_batches_tracked"]
        net = lib.nn.Sequential(lib.nn.BatchNorm1d(2))
        net.load_state_dict(old)
        return list(old), dict(old._metadata)

    same(action)


def test_mismatched_shapes_do_not_stop_what_fits():
    def action(lib):
        net = lib.nn.Linear(2, 2)
        state = {"weight": lib.ones(3, 2), "bias": lib.full((2,), 4.0)}
        return outcome(lambda _: net.load_state_dict(state, strict=False), lib), net.bias

    same(action)


def test_loading_counts_as_a_write():
    """A tensor saved for backward is seen to have changed, as after any write in place."""

    def action(lib):
        net = lib.nn.Linear(2, 2)
        loss = net(lib.ones(1, 2, requires_grad=True)).sum()
        net.load_state_dict(net.state_dict())
        kind, _ = outcome(lambda _: loss.backward(), lib)
        return kind

    assert same(action) == "RuntimeError"


def test_loading_leaves_no_cycle_behind():
    """What the garbage collector alone would find keeps the old state's memory until it comes."""
    net = make_net(mt)
    state = net.state_dict()
    gc.collect()
    gc.disable()
    try:
        net.load_state_dict(state)
        assert gc.collect() == 0
    finally:
        gc.enable()
