"""optim.swa_utils: averaged models, their schedule and their batch statistics, against torch's."""

import copy
import importlib

import numpy as np
import pytest
import torch
import torch.optim.swa_utils
from hypothesis import given
from hypothesis import strategies as st
from side_by_side import BOTH, outcome, same

import minitorch2 as mt

LIBRARIES = [mt, torch]
AVERAGES = {
    "default": {},
    "swa": {"avg_fn": "get_swa_avg_fn"},
    "swa lists": {"multi_avg_fn": "get_swa_multi_avg_fn"},
    "ema": {"avg_fn": "get_ema_avg_fn"},
    "ema lists": {"multi_avg_fn": "get_ema_multi_avg_fn"},
}


def of(lib):
    return importlib.import_module(f"{lib.__name__}.optim.swa_utils")


def net(lib, seed=0):
    lib.manual_seed(seed)
    return lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.BatchNorm1d(4), lib.nn.Linear(4, 2).double())


def state(model):
    return {key: value.detach().numpy().copy() for key, value in model.state_dict().items()}


@given(kind=st.sampled_from(sorted(AVERAGES)), use_buffers=st.booleans(), decay=st.sampled_from([0.0, 0.3, 0.999, 1.0]))
def test_averages(kind, use_buffers, decay):
    if kind == "swa lists" and use_buffers:
        kind = "swa"  # integer counters and lists: torch refuses to divide them

    def action(lib):
        options = {
            key: getattr(of(lib), name)(*([decay] if "ema" in name else [])) for key, name in AVERAGES[kind].items()
        }
        model = net(lib)
        averaged = of(lib).AveragedModel(model, use_buffers=use_buffers, **options)
        assert not averaged.n_averaged.requires_grad
        states = [state(averaged)]
        for step in range(4):
            with lib.no_grad():
                for p in model.parameters():
                    p.mul_(1.5).add_(step)
            model[1].num_batches_tracked += 3
            model[1].running_mean += 1
            averaged.update_parameters(model)
            states.append(state(averaged))
        assert all(p.requires_grad and p.grad_fn is None for p in averaged.parameters())
        return states

    for ours, theirs in zip(*map(action, LIBRARIES), strict=True):
        assert list(ours) == list(theirs)
        for key in ours:
            assert ours[key].dtype == theirs[key].dtype
            np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-6)  # a few roundings


def test_a_function_of_the_users_and_the_copy():
    def action(lib):
        seen = []

        def largest(averaged, current, n):
            seen.append(n.item())
            return lib.maximum(averaged, current)

        model = lib.nn.Linear(2, 1)
        averaged = of(lib).AveragedModel(model, avg_fn=largest)
        assert averaged.module is not model and averaged.module.weight is not model.weight
        for value in (1.0, 3.0, 2.0):
            lib.nn.init.constant_(model.weight, value)
            lib.nn.init.zeros_(model.bias)
            averaged.update_parameters(model)
        return seen, averaged(lib.ones(1, 2)), list(averaged.state_dict()), averaged.n_averaged

    same(action)


def test_its_state_goes_on_in_the_other_library():
    models = {}
    for lib in LIBRARIES:
        models[lib] = of(lib).AveragedModel(net(lib, seed=3))
        models[lib].update_parameters(net(lib))
    ours, theirs = models[mt], models[torch]
    ours.load_state_dict({key: mt.tensor(value.numpy()) for key, value in theirs.state_dict().items()})
    assert ours.n_averaged.item() == 1


@pytest.mark.cpu("it sends the batches to the CPU")
@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("batches", ["tensors", "pairs"])
def test_update_bn(momentum, batches):
    def action(lib):
        model = net(lib)[:2]
        model[1].momentum = momentum
        model.eval()
        data = [lib.randn(5, 3) * i for i in range(1, 4)]
        loader = data if batches == "tensors" else [[x, "label"] for x in data]
        of(lib).update_bn(loader, model, device="cpu")
        assert model[1].momentum == momentum and not model.training and not model[1].training
        of(lib).update_bn(None, lib.nn.Linear(2, 2))  # nothing to do: the data is not touched
        return state(model)

    ours, theirs = map(action, LIBRARIES)
    for key in ours:
        np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-5, atol=1e-6)


@given(
    swa_lr=st.sampled_from([0.05, 1, [0.01, 0.2]]),
    anneal_epochs=st.integers(0, 4),
    strategy=st.sampled_from(["cos", "linear"]),
    before=st.integers(0, 2),
)
def test_swalr(swa_lr, anneal_epochs, strategy, before):
    def action(lib):
        params = [lib.nn.Parameter(lib.zeros(1)) for _ in range(2)]
        optimizer = lib.optim.SGD([{"params": params[:1]}, {"params": params[1:], "lr": 0.3}], lr=0.1)
        earlier = lib.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        schedule = of(lib).SWALR(optimizer, swa_lr, anneal_epochs, strategy)
        lrs = []
        for step in range(7):
            optimizer.step()
            (earlier if step < before else schedule).step()
            lrs.append([group["lr"] for group in optimizer.param_groups])
            if step == 4:
                saved = copy.deepcopy(schedule.state_dict())
                schedule = of(lib).SWALR(optimizer, swa_lr, 1, "linear")
                schedule.load_state_dict(saved)
        return lrs, schedule.state_dict(), schedule.get_last_lr(), [group["swa_lr"] for group in optimizer.param_groups]

    same(action)


@pytest.mark.parametrize("lib", BOTH)
def test_errors(lib):
    swa = of(lib)
    optimizer = lib.optim.SGD([lib.nn.Parameter(lib.zeros(1))], lr=0.1)
    for make in (swa.get_ema_avg_fn, swa.get_ema_multi_avg_fn):
        with pytest.raises(ValueError, match=r"Please provide a value in \[0,1\] range"):
            make(1.5)
    with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn"):
        swa.AveragedModel(net(lib), avg_fn=max, multi_avg_fn=max)
    with pytest.raises(ValueError, match="anneal_strategy must be one of"):
        swa.SWALR(optimizer, 0.1, anneal_strategy="sine")
    for epochs in (-1, 1.5):
        with pytest.raises(ValueError, match="anneal_epochs must be equal or greater than 0"):
            swa.SWALR(optimizer, 0.1, anneal_epochs=epochs)
    with pytest.raises(ValueError, match="swa_lr must have the same length"):
        swa.SWALR(optimizer, [0.1, 0.2])
    with pytest.warns(UserWarning, match="get_last_lr"):
        swa.SWALR(optimizer, 0.1).get_lr()


def test_lists_of_integers_divide_as_torch_does():
    def action(lib):
        model = lib.nn.BatchNorm1d(2)
        averaged = of(lib).AveragedModel(model, multi_avg_fn=of(lib).get_swa_multi_avg_fn(), use_buffers=True)
        averaged.update_parameters(model)
        averaged.update_parameters(model)

    assert outcome(action, mt)[0] == outcome(action, torch)[0] == "RuntimeError"
