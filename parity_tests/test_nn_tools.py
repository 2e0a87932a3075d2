"""Small helpers around modules, against torch's: fusion, skip_init, nn.modules.utils, DataParallel and what it
refuses, DistributedSampler."""

import importlib
from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from side_by_side import BOTH, outcome, same, values
from torch.utils.data.distributed import DistributedSampler as TheirSampler

import minitorch2 as mt
from minitorch2.nn.modules import utils as our_utils
from minitorch2.utils.data.distributed import DistributedSampler

LIBRARIES = [mt, torch]

FUSED = {
    "Conv1d": (lambda nn, bias: nn.Conv1d(2, 4, 3, bias=bias), "BatchNorm1d", (3, 2, 5)),
    "Conv2d": (lambda nn, bias: nn.Conv2d(2, 4, 3, groups=2, bias=bias), "BatchNorm2d", (3, 2, 5, 4)),
    "ConvTranspose2d": (lambda nn, bias: nn.ConvTranspose2d(2, 4, 3, bias=bias), "BatchNorm2d", (3, 2, 5, 4)),
    "Linear": (lambda nn, bias: nn.Linear(6, 4, bias=bias), "BatchNorm1d", (5, 6)),
}


@given(
    layer=st.sampled_from(sorted(FUSED)),
    bias=st.booleans(),
    affine=st.booleans(),
    frozen=st.booleans(),
    half=st.booleans(),
)
def test_fusion(layer, bias, affine, frozen, half):
    make, norm, shape = FUSED[layer]
    affine = affine or layer == "Linear"  # which torch fuses with scale and shift alone

    def action(lib):
        lib.manual_seed(0)
        net = lib.nn.Sequential(make(lib.nn, bias), getattr(lib.nn, norm)(4, affine=affine))
        net(lib.randn(*shape))
        net.requires_grad_(not frozen).eval()
        if affine:
            lib.nn.init.uniform_(net[1].weight), lib.nn.init.uniform_(net[1].bias)
        x = lib.randn(*shape)
        expected = net(x)
        utils = lib.nn.utils
        if half:
            net[0].bfloat16()
        if layer == "Linear":
            fused = utils.fuse_linear_bn_eval(*net)
        else:
            fused = utils.fuse_conv_bn_eval(*net, transpose="Transpose" in layer)
        assert fused is not net[0] and type(fused) is type(net[0])
        if not half:
            assert (fused(x) - expected).abs().max() < 1e-5
        return [(p.requires_grad, str(p.dtype)[-8:], p.detach().float().numpy()) for p in (fused.weight, fused.bias)]

    for (*kind, ours), (*their_kind, theirs) in zip(*map(action, LIBRARIES), strict=True):
        assert kind == their_kind
        # One rounding in bfloat16 may fall the other way; float32 differs by the statistics' sums.
        np.testing.assert_allclose(ours, theirs, rtol=1e-2 if half else 1e-5, atol=1e-6)


def test_what_cannot_be_fused():
    def errors(lib):
        nn, utils = lib.nn, lib.nn.utils
        return [
            outcome(lambda _: utils.fuse_conv_bn_eval(nn.Conv1d(1, 2, 1), nn.BatchNorm1d(2).eval()), lib),
            outcome(lambda _: utils.fuse_linear_bn_eval(nn.Linear(1, 2).eval(), nn.BatchNorm1d(3).eval()), lib),
            outcome(
                lambda _: utils.fuse_conv_bn_eval(
                    nn.Conv1d(1, 2, 1).eval(), nn.BatchNorm1d(2, track_running_stats=False).eval()
                ),
                lib,
            ),
        ]

    assert [kind for kind, _ in same(errors)] == ["AssertionError"] * 3


def test_skip_init():
    def action(lib):
        lib.manual_seed(0)
        layer = lib.nn.utils.skip_init(lib.nn.Conv2d, 2, out_channels=3, kernel_size=2, dtype=lib.float64)
        report = [tuple(layer.weight.shape), str(layer.weight.dtype), layer.weight.requires_grad, lib.rand(3)]
        report += [outcome(lambda _: lib.nn.utils.skip_init(lib.nn.ReLU), lib)]
        return [*report, outcome(lambda _: lib.nn.utils.skip_init(dict), lib)]

    same(action)


@pytest.mark.parametrize("x", [1, (1, 2), [3], "ab", None, 2.5, range(3)])
def test_tuples(x):
    theirs = torch.nn.modules.utils
    for name in ("_single", "_pair", "_triple", "_quadruple"):
        assert getattr(our_utils, name)(x) == getattr(theirs, name)(x)
        assert getattr(our_utils, name).__name__ == name
    assert our_utils._ntuple(7)(x) == theirs._ntuple(7)(x)


@given(
    keys=st.lists(
        st.sampled_from(["module.a", "module.b.c", "a", "modules.x", "module", "other.module.a"]), unique=True
    )
)
def test_consume_prefix(keys):
    def action(utils):
        state = OrderedDict((key, i) for i, key in enumerate(keys))
        state._metadata = OrderedDict((key, {}) for key in ("", "module", "module.b", "else"))  # type: ignore[attr-defined]
        utils.consume_prefix_in_state_dict_if_present(state, "module.")
        return list(state.items()), list(state._metadata)  # type: ignore[attr-defined]

    assert action(our_utils) == action(torch.nn.modules.utils)
    plain = {"module.a": 1}
    our_utils.consume_prefix_in_state_dict_if_present(plain, "module.")
    assert plain == {"a": 1}


def test_data_parallel():
    def action(lib):
        lib.manual_seed(0)
        inner = lib.nn.Linear(2, 2)
        net = lib.nn.DataParallel(inner, device_ids=[0, 1])  # of no effect without GPUs
        assert net.module is inner and lib.nn.parallel.DataParallel is lib.nn.DataParallel
        net(lib.ones(1, 2)).sum().backward()
        state = net.state_dict()
        lib.nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
        lib.nn.Linear(2, 2).load_state_dict(state)
        without = outcome(lambda _: lib.nn.parallel.data_parallel(inner, lib.ones(1, 2)), lib)
        return [repr(net), net.device_ids, list(net.state_dict()), inner.bias.grad, without, list(state)]

    if torch.cuda.is_available():
        pytest.skip("the wrapper without a GPU")
    same(action)


@pytest.mark.parametrize("devices, count", [(None, 2), ([0, 1], 2), ([], 2), (None, 1), ([0], 2)])
def test_data_parallel_with_gpus(monkeypatch, devices, count):
    """Which GPU is used, on a machine that says it has some."""
    module = importlib.import_module("minitorch2.nn.parallel.data_parallel")  # the name alone is the function
    runtime = SimpleNamespace(getDeviceCount=lambda: count, getDevice=lambda: 0)
    monkeypatch.setattr(module, "has_gpu", lambda: True)
    monkeypatch.setattr(module, "cupy", lambda: SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
    inner = mt.nn.Linear(2, 2)
    moved = []
    monkeypatch.setattr(inner, "to", moved.append)
    n = count if devices is None else len(devices)
    if n != 1:
        with pytest.raises(NotImplementedError, match=f"DataParallel on {n} GPUs is not supported"):
            mt.nn.DataParallel(inner, devices)
        return
    net = mt.nn.DataParallel(inner, devices)
    assert (net.device_ids, net.output_device, moved) == ([0], 0, [mt.device("cuda:0")])
    with pytest.raises(RuntimeError, match="must have its parameters and buffers on device cuda:0"):
        net(mt.ones(1, 2))


def test_what_needs_several_processes():
    net = mt.nn.Sequential(mt.nn.BatchNorm1d(2))
    with pytest.raises(NotImplementedError, match="is not supported, since there are no process groups"):
        mt.nn.parallel.DistributedDataParallel(net)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norms_made_synchronous(training):
    def action(lib):
        nn = lib.nn
        inner = nn.Sequential(nn.BatchNorm1d(3, 1e-3, 0.3), nn.Sequential(nn.BatchNorm1d(3, affine=False)), nn.Tanh())
        net = nn.Sequential(nn.InstanceNorm1d(3), inner, nn.BatchNorm1d(3, track_running_stats=False, bias=False))
        net[1][0].weight.requires_grad_(False).mul_(2)
        own = [*net.parameters(), *net.buffers()]
        made = nn.SyncBatchNorm.convert_sync_batchnorm(net.train(training), 7)
        kept = [a is b for a, b in zip([*made.parameters(), *made.buffers()], own, strict=True)]
        alone = nn.SyncBatchNorm.convert_sync_batchnorm(nn.BatchNorm2d(2).double())
        groups = [m.process_group for m in made.modules() if isinstance(m, nn.SyncBatchNorm)]
        y = made(lib.arange(30.0).reshape(2, 3, 5).sin())
        facts = repr(made), made is net, kept, groups, [m.training for m in made.modules()], repr(alone), alone.weight
        return facts, [t.double().round(decimals=5) for t in (y, *made.buffers())]

    assert isinstance(same(action), list)


@given(
    n=st.integers(0, 20),
    replicas=st.integers(1, 7),
    rank=st.integers(-1, 7),
    shuffle=st.booleans(),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 3),
    drop_last=st.booleans(),
)
def test_distributed_sampler(n, replicas, rank, shuffle, seed, epoch, drop_last):
    def action(cls):
        sampler = cls(range(n), replicas, rank, shuffle=shuffle, seed=seed, drop_last=drop_last)
        sampler.set_epoch(epoch)
        return list(sampler), len(sampler), sampler.total_size

    def result(cls):
        return outcome(lambda _: values(action(cls)), None)

    assert result(DistributedSampler) == result(TheirSampler)


@pytest.mark.parametrize("lib", BOTH)
def test_distributed_sampler_without_a_process_group(lib):
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        lib.utils.data.DistributedSampler([1, 2])
    sampler = lib.utils.data.DistributedSampler([1, 2, 3], num_replicas=2, rank=1, shuffle=False)
    loader = lib.utils.data.DataLoader([1, 2, 3], batch_size=2, sampler=sampler)
    assert [batch.tolist() for batch in loader] == [[2, 1]]
