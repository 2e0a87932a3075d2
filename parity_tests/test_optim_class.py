"""minitorch2.optim against torch.optim: state_dict, hooks, optimizers of one's own, errors."""

import copy
import importlib
import pickle
import re
import warnings

import numpy as np
import pytest
import torch
from optim_side_by_side import (
    LIBRARIES,
    OPTIMIZERS,
    assert_close,
    assert_same_state,
    parameter,
    set_grads,
    to_numpy,
)
from side_by_side import neutral

import minitorch2


def module(lib):
    return importlib.import_module(f"{lib.__name__}.optim.optimizer")


def programs():
    """Small programs that take the library and return plain values: what they return must not tell which it
    was."""

    def two_groups(lib):
        a, b, c = (parameter(lib, np.ones(n, np.float32)) for n in (1, 2, 3))
        optimizer = lib.optim.Adam([{"params": [c, a]}, {"params": b, "lr": 0.5, "betas": (0.5, 0.6)}], lr=0.25)
        set_grads(lib, [a, b, c], [None, np.ones(2, np.float32), np.ones(3, np.float32)])
        optimizer.step()
        return to_numpy(optimizer.state_dict()), repr(optimizer), to_numpy([a, b, c])

    def named(lib):
        module = [
            ("w", parameter(lib, np.ones(1, np.float32))),
            ("b", parameter(lib, np.ones(2, np.float32))),
        ]
        optimizer = lib.optim.SGD(module, momentum=0.9)
        optimizer.add_param_group({"params": [("g", parameter(lib, np.ones(3, np.float32)))], "lr": 7.0})
        state = optimizer.state_dict()
        other = lib.optim.SGD([p for _, p in module])
        other.add_param_group({"params": [parameter(lib, np.ones(3, np.float32))]})
        other.load_state_dict(state)
        unnamed = [{k: v for k, v in group.items() if k != "param_names"} for group in state["param_groups"]]
        optimizer.load_state_dict({"state": {}, "param_groups": unnamed})
        return state, repr(optimizer), other.state_dict(), optimizer.state_dict()

    def load_casts_to_the_parameter(lib):
        p = parameter(lib, np.ones(2, np.float64))
        optimizer = lib.optim.Adam([p])
        double = {
            "step": lib.tensor(5.0),
            "exp_avg": lib.tensor([1.0, 2.0]),
            "extra": {"inner": [lib.tensor([1.0])], "note": 3},
        }
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": {0: double, "loose": [1]}, "param_groups": groups})
        dtypes = {key: str(optimizer.state[p][key].dtype) for key in ("step", "exp_avg")}
        inner = optimizer.state[p]["extra"]["inner"][0]
        return dtypes, str(inner.dtype), to_numpy(optimizer.state_dict())

    def load_shares_memory_where_nothing_is_cast(lib):
        p = parameter(lib, np.ones(2, np.float32))
        optimizer, other = lib.optim.SGD([p], momentum=0.9), lib.optim.SGD([p], momentum=0.9)
        set_grads(lib, [p], [np.ones(2, np.float32)])
        optimizer.step()
        state = optimizer.state_dict()
        other.load_state_dict(state)
        state["param_groups"][0]["lr"] = 99.0
        buffer = other.state[p]["momentum_buffer"]
        return buffer is optimizer.state[p]["momentum_buffer"], other.param_groups[0]["lr"]

    def old_checkpoints(lib):
        p = parameter(lib, np.ones(2, np.float32))
        optimizer = lib.optim.Adam([p])
        state = {0: {"step": 3, "exp_avg": lib.ones(2), "exp_avg_sq": lib.ones(2)}}
        old = {"lr": 0.5, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0, "params": [0]}
        optimizer.load_state_dict({"state": state, "param_groups": [old]})
        return to_numpy(optimizer.state_dict())

    def zero_grad(lib):
        p, q = (parameter(lib, np.ones(2, np.float32)) for _ in range(2))
        optimizer = lib.optim.SGD([p, q])
        set_grads(lib, [p], [np.ones(2, np.float32)])
        grad = p.grad
        optimizer.zero_grad(set_to_none=False)
        kept = p.grad is grad, to_numpy(p.grad), q.grad
        optimizer.zero_grad()
        return kept, p.grad

    def closure(lib):
        p = parameter(lib, np.array([2.0], np.float32))
        optimizer = lib.optim.SGD([p], lr=0.25)

        def again():
            optimizer.zero_grad()
            loss = (p * p).sum()
            loss.backward()
            return loss

        with lib.no_grad():
            loss = optimizer.step(again)
        return loss.item(), p.item(), optimizer.step(closure=again).item(), optimizer.step()

    def hooks(lib):
        seen = []
        p = parameter(lib, np.ones(1, np.float32))
        optimizer = lib.optim.SGD([p])
        everywhere = module(lib).register_optimizer_step_pre_hook(lambda o, a, k: seen.append("all"))
        first = optimizer.register_step_pre_hook(lambda o, a, k: seen.append(("pre", o is optimizer, len(a), k)))
        optimizer.register_step_post_hook(lambda o, a, k: seen.append("post"))
        optimizer.step()
        optimizer.step(closure=None)
        everywhere.remove()
        first.remove()
        optimizer.step()
        with optimizer.register_step_pre_hook(lambda o, a, k: ((o, lambda: seen.append("swapped")), {})):
            optimizer.step()
        optimizer.register_state_dict_pre_hook(lambda o: seen.append("before"))
        optimizer.register_state_dict_post_hook(lambda o, s: s | {"more": 1})
        optimizer.register_state_dict_post_hook(lambda o, s: seen.append(list(s)), prepend=True)
        optimizer.register_load_state_dict_pre_hook(lambda o, s: {k: s[k] for k in ("state", "param_groups")})
        optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
        state = optimizer.state_dict()
        optimizer.load_state_dict(state)
        return seen, state

    def own_optimizer(lib):
        required = module(lib).required

        class Sign(lib.optim.Optimizer):
            def __init__(self, params, lr=required, power=1):
                super().__init__(params, {"lr": lr, "power": power})

            def step(self, closure=None):
                loss = closure() if closure is not None else None
                for group in self.param_groups:
                    for p in group["params"]:
                        if p.grad is None:
                            continue
                        state = self.state[p]
                        if len(state) == 0:
                            state["count"] = 0
                            state["last"] = lib.zeros_like(p)
                        state["count"] += 1
                        state["last"].copy_(p.grad)
                        p.data.add_(p.grad.sign(), alpha=-group["lr"])
                return loss

        p = parameter(lib, np.zeros(2, np.float32))
        optimizer = Sign([p], lr=0.5)
        called = []
        optimizer.register_step_post_hook(lambda *_: called.append(1))
        set_grads(lib, [p], [np.array([3.0, -2.0], np.float32)])
        optimizer.step()
        return to_numpy(p), to_numpy(optimizer.state_dict()), repr(optimizer), called

    def overridden_step(lib):
        class Loud(lib.optim.SGD):
            def step(self, closure=None):
                super().step(closure)
                return "done"

        p = parameter(lib, np.zeros(2, np.float32))
        optimizer = Loud([p], lr=1.0)
        set_grads(lib, [p], [np.ones(2, np.float32)])
        return optimizer.step(), to_numpy(p)

    def deepcopy(lib):
        p = parameter(lib, np.ones(2, np.float32))
        optimizer = lib.optim.Adam([p], lr=0.5)
        lib.optim.lr_scheduler.StepLR(optimizer, 1)
        set_grads(lib, [p], [np.ones(2, np.float32)])
        optimizer.step()
        twin = copy.deepcopy(optimizer)
        q = twin.param_groups[0]["params"][0]
        set_grads(lib, [q], [np.ones(2, np.float32)])
        twin.step()
        restored = pickle.loads(pickle.dumps(optimizer))
        restored.step()
        return (
            q is p,
            to_numpy([p, q]),
            to_numpy(twin.state_dict()),
            to_numpy(restored.state_dict())["param_groups"],
        )

    def duplicates_warn(lib):
        p = parameter(lib, np.ones(2, np.float32))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            lib.optim.SGD([p, p])
        return [w.category for w in caught]

    return {f.__name__: f for f in list(locals().values())}


PROGRAMS = programs()


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_do_the_same(name):
    np.testing.assert_equal(PROGRAMS[name](minitorch2), PROGRAMS[name](torch))


def p_of(lib):
    return parameter(lib, np.ones(2, np.float32))


def loaded(lib, groups):
    optimizer = lib.optim.SGD([p_of(lib), p_of(lib)])
    optimizer.load_state_dict({"state": {}, "param_groups": groups})


def added(lib, group, start=None):
    p = p_of(lib)
    optimizer = lib.optim.SGD(start(p) if start else [p])
    optimizer.add_param_group(group(p) if callable(group) else group)


def hook_result(lib):
    optimizer = lib.optim.SGD([p_of(lib)])
    optimizer.register_step_pre_hook(lambda *_: 3)
    optimizer.step()


ERRORS = {
    "a tensor": lambda t: t.optim.SGD(p_of(t)),
    "empty": lambda t: t.optim.SGD([]),
    "an exhausted generator": lambda t: t.optim.Adam(p for p in ()),
    "a number": lambda t: t.optim.SGD([3]),
    "a string": lambda t: t.optim.SGD(["w"]),
    "a generator": lambda t: t.optim.Adam([t.nn.Linear(1, 1).parameters()]),
    "a generator of pairs": lambda t: t.optim.Adam([t.nn.Linear(1, 1).named_parameters()]),
    "an object": lambda t: t.optim.SGD([np.zeros(2)]),
    "a non-leaf": lambda t: t.optim.SGD([p_of(t) * 2]),
    "a set in a group": lambda t: t.optim.SGD([{"params": {p_of(t)}}]),
    "some without names": lambda t: t.optim.SGD([("w", p_of(t)), p_of(t)]),
    "a group without params": lambda t: t.optim.SGD([{"lr": 3.0}]),
    "a group that is no dict": lambda t: t.optim.SGD([{"params": p_of(t)}, 3]),
    "twice": lambda t: added(t, lambda p: {"params": p}),
    "names added": lambda t: added(t, {"params": [("w", p_of(t))]}),
    "names left out": lambda t: added(t, {"params": [p_of(t)]}, start=lambda p: [("w", p)]),
    "required": lambda t: t.optim.Optimizer([p_of(t)], {"lr": module(t).required}),
    "not a group": lambda t: added(t, [1]),
    "none": lambda t: t.optim.SGD(None),
    "hook result": lambda t: hook_result(t),
    "too few groups": lambda t: loaded(t, []),
    "another size": lambda t: loaded(t, [{"params": [0]}]),
    "SGD lr": lambda t: t.optim.SGD([p_of(t)], lr=-1),
    "SGD lr tensor": lambda t: t.optim.SGD([p_of(t)], lr=t.tensor([0.1, 0.2])),
    "SGD momentum": lambda t: t.optim.SGD([p_of(t)], momentum=-1),
    "SGD weight_decay": lambda t: t.optim.SGD([p_of(t)], weight_decay=-0.5),
    "SGD nesterov": lambda t: t.optim.SGD([p_of(t)], nesterov=True),
    "SGD nesterov dampening": lambda t: t.optim.SGD([p_of(t)], momentum=0.9, dampening=0.1, nesterov=True),
    "SGD fused foreach": lambda t: t.optim.SGD([p_of(t)], foreach=True, fused=True),
    "SGD fused differentiable": lambda t: t.optim.SGD([p_of(t)], differentiable=True, fused=True),
    "Adam fused foreach": lambda t: t.optim.Adam([p_of(t)], foreach=True, fused=True),
    "Adam lr": lambda t: t.optim.Adam([p_of(t)], lr=-0.1),
    "Adam lr tensor": lambda t: t.optim.Adam([p_of(t)], lr=t.tensor(0.1), foreach=True),
    "Adam eps": lambda t: t.optim.Adam([p_of(t)], eps=-1),
    "Adam beta 0": lambda t: t.optim.Adam([p_of(t)], betas=(1.0, 0.9)),
    "Adam beta 1": lambda t: t.optim.Adam([p_of(t)], betas=(0.9, -0.1)),
    "Adam int betas": lambda t: t.optim.Adam([p_of(t)], betas=(0, 0.9)),
    "Adam beta tensors": lambda t: t.optim.Adam([p_of(t)], betas=(t.tensor(0.1), t.tensor(0.1)), foreach=True),
    "AdamW weight_decay": lambda t: t.optim.AdamW([p_of(t)], weight_decay=-1.0),
    "RMSprop alpha": lambda t: t.optim.RMSprop([p_of(t)], alpha=-1),
    "RMSprop momentum": lambda t: t.optim.RMSprop([p_of(t)], momentum=-1),
    "Adagrad lr_decay": lambda t: t.optim.Adagrad([p_of(t)], lr_decay=-1),
    "Adagrad start": lambda t: t.optim.Adagrad([p_of(t)], initial_accumulator_value=-1),
    "Adadelta rho": lambda t: t.optim.Adadelta([p_of(t)], rho=1.5),
    "Adamax betas": lambda t: t.optim.Adamax([p_of(t)], betas=(0.5, 1.5)),
    "NAdam momentum_decay": lambda t: t.optim.NAdam([p_of(t)], momentum_decay=-1),
    "RAdam eps": lambda t: t.optim.RAdam([p_of(t)], eps=-1.0),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_as_torch(case):
    with pytest.raises(Exception) as theirs:
        ERRORS[case](torch)
    with pytest.raises(type(theirs.value)) as ours:
        ERRORS[case](minitorch2)

    def plain(error):
        return neutral(re.sub(r"0x[0-9a-f]+", "0x", str(error.value)))

    # The hook's error names the function that was wrapped, each library's own.
    assert plain(ours).split(" must ")[-1] == plain(theirs).split(" must ")[-1]


def test_hooks_run_once_around_an_overridden_step():
    """In torch the hooks of `super().step()` run too, but only if the parent class was used before."""

    class Loud(minitorch2.optim.SGD):
        def step(self, closure=None):
            super().step(closure)

    minitorch2.optim.SGD([p_of(minitorch2)]).step()
    optimizer, called = Loud([p_of(minitorch2)]), []
    optimizer.register_step_pre_hook(lambda *_: called.append(1))
    optimizer.step()
    assert called == [1]


def test_defaults_are_torchs():
    for name in OPTIMIZERS:
        ours = getattr(minitorch2.optim, name)([p_of(minitorch2)])
        theirs = getattr(torch.optim, name)([p_of(torch)])
        assert list(ours.defaults.items()) == list(theirs.defaults.items())
        assert repr(ours) == repr(theirs)
    assert issubclass(minitorch2.optim.AdamW, minitorch2.optim.Adam)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("option", ["differentiable", "capturable"])
def test_unsupported_options_say_so(name, option):
    if option == "capturable" and name in ("Adam", "AdamW"):
        pytest.skip("supported: test_capturable_needs_a_gpu and test_optim_on_gpu.py")
    if option in getattr(minitorch2.optim, name)([p_of(minitorch2)]).defaults:
        with pytest.raises(NotImplementedError, match=f"{option}=True"):
            getattr(minitorch2.optim, name)([p_of(minitorch2)], **{option: True})
    p = p_of(minitorch2)
    optimizer = getattr(minitorch2.optim, name)([p])
    optimizer.param_groups[0][option] = True
    with pytest.raises(NotImplementedError, match=f"{option}=True"):
        optimizer.step()


@pytest.mark.cpu("there is one")
@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_capturable_needs_a_gpu(name):
    for library in LIBRARIES.values():
        p = parameter(library, np.ones(3, np.float32))
        optimizer = getattr(library.optim, name)([p], capturable=True)
        set_grads(library, [p], [np.ones(3, np.float32)])
        with pytest.raises(AssertionError, match="If capturable=True, params and state_steps must be on supported"):
            optimizer.step()


def test_state_of_another_model_is_refused():
    p, q = (
        parameter(minitorch2, np.ones((2, 3), np.float32)),
        parameter(minitorch2, np.ones((3, 2), np.float32)),
    )
    optimizer, other = minitorch2.optim.Adam([p]), minitorch2.optim.Adam([q])
    set_grads(minitorch2, [p, q], [np.ones((2, 3), np.float32), np.ones((3, 2), np.float32)])
    optimizer.step()
    other.load_state_dict(optimizer.state_dict())
    with pytest.raises(RuntimeError, match=r"state of shape \(2, 3\) for a parameter of shape \(3, 2\)"):
        other.step()


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_what_a_step_remembers_is_of_the_arrays_that_are_there(name):
    """Between steps a parameter's memory, its state or the optimizer itself is another one."""
    ends = {}
    for library in LIBRARIES.values():
        options = {"momentum": 0.9} if name == "SGD" else {}
        params = [parameter(library, np.arange(1, n + 1, dtype=np.float32)) for n in (2, 3, 2)]
        optimizer = getattr(library.optim, name)(params, lr=0.25, **options)
        moment = "momentum_buffer" if name == "SGD" else "exp_avg"

        def step(*grads, optimizer=optimizer, library=library):
            params = optimizer.param_groups[0]["params"]
            arrays = [
                None if g is None else np.full(tuple(p.shape), g, np.float32)
                for p, g in zip(params, grads, strict=True)
            ]
            set_grads(library, params, arrays)
            optimizer.step()

        step(1, 2, 3)
        step(1, 2, 3)
        params[1].data = params[1].data * 2  # other memory
        step(1, 2, 3)
        optimizer.state[params[0]][moment] = optimizer.state[params[0]][moment] + 1  # another state
        step(1, 2, 3)
        step(None, 2, 3)  # one fewer
        step(1, 2, 3)
        params[0], params[2] = params[2], params[0]
        optimizer.param_groups[0]["params"] = params
        step(3, 2, 1)
        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        step(3, 2, 1)
        twin = copy.deepcopy(optimizer)
        step(3, 2, 1)
        step(1, 1, 1, optimizer=twin)
        ends[library.__name__] = [to_numpy([o.param_groups[0]["params"], o.state_dict()]) for o in (optimizer, twin)]
    for (params, state), (their_params, their_state) in zip(ends["minitorch2"], ends["torch"], strict=True):
        assert_same_state(state, their_state, 10)
        for ours, theirs in zip(params, their_params, strict=True):
            assert_close(ours, theirs, 10, "parameter")


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_a_gradient_of_another_shape_is_refused(name):
    p = parameter(minitorch2, np.ones((2, 3), np.float32))
    optimizer = getattr(minitorch2.optim, name)([p])
    set_grads(minitorch2, [p], [np.ones((2, 3), np.float32)])
    p.data = minitorch2.ones(4, 5)
    with pytest.raises(RuntimeError, match=r"parameter of shape \(4, 5\) has a gradient of shape \(2, 3\).*zero_grad"):
        optimizer.step()
    assert p.data.equal(minitorch2.ones(4, 5))


def test_the_base_class_has_no_step():
    for library in LIBRARIES.values():
        with pytest.raises(NotImplementedError):
            library.optim.Optimizer([p_of(library)], {}).step()
