"""Checkpoints, weight and spectral norm, pruning, averages and DataParallel on the GPU (a real one, else the stand-in
for CuPy): the numbers of the CPU, up to float32's rounding."""

import warnings

import numpy as np
import pytest
from on_gpu import gpu, host

import minitorch2 as mt
from minitorch2.nn.utils import prune
from minitorch2.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from minitorch2.utils.checkpoint import checkpoint


@pytest.fixture(autouse=True)
def on_gpu():
    with gpu():
        yield


def normed(name, parametrized):
    utils = mt.nn.utils.parametrizations if parametrized else mt.nn.utils
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return getattr(utils, name)(mt.nn.Linear(4, 3))


def pruned():
    layer = prune.l1_unstructured(mt.nn.Linear(4, 3), "weight", 0.5)
    return prune.ln_structured(layer, "weight", 1, 2, 0)


LAYERS = {
    "weight_norm": lambda: normed("weight_norm", False),
    "spectral_norm": lambda: normed("spectral_norm", False),
    "parametrized weight_norm": lambda: normed("weight_norm", True),
    "parametrized spectral_norm": lambda: normed("spectral_norm", True),
    "pruned": pruned,
}


@pytest.mark.parametrize("kind", LAYERS)
def test_layers(kind):
    found = []
    for device in ("cpu", "cuda"):
        mt.manual_seed(0)
        layer = LAYERS[kind]().to(device)
        y = layer(mt.linspace(-1, 1, 8).reshape(2, 4).to(device))
        (y * y).sum().backward()
        assert all(p.grad.device.type == device for p in layer.parameters())
        found.append([host(t.detach()._data) for t in (y, *(p.grad for p in layer.parameters()), *layer.buffers())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pruning", [prune.random_unstructured, prune.l1_unstructured])
def test_pruning_there(pruning):
    layer = pruning(mt.nn.Linear(4, 3).to("cuda"), "weight", 5)
    prune.random_structured(layer, "weight", 1, 0)
    assert layer.weight_mask.device.type == "cuda"
    assert 5 <= (layer.weight == 0).sum().item() <= 9
    prune.remove(layer, "weight")
    assert layer.weight.device.type == "cuda" and layer.weight.is_leaf


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_checkpoint_draws_the_same_again(use_reentrant):
    """The GPU's own random numbers: dropout in the second run is that of the first."""
    x = mt.ones(64, device="cuda", requires_grad=True)
    masks = []

    def drop(t):
        masks.append(mt.nn.functional.dropout(t, 0.5))
        return masks[-1] * t.exp()

    y = checkpoint(drop, x, use_reentrant=use_reentrant)
    after = mt.cuda.get_rng_state()
    y.sum().backward()
    assert len(masks) == 2 and masks[0].tolist() == masks[1].tolist()
    assert mt.cuda.get_rng_state().tolist() == after.tolist()
    np.testing.assert_allclose(host(x.grad._data), host((masks[0] * 2 * np.e).detach()._data), rtol=1e-5)


def test_averages():
    model = mt.nn.Sequential(mt.nn.Linear(3, 3), mt.nn.BatchNorm1d(3)).to("cuda")
    for options in ({}, {"multi_avg_fn": get_ema_multi_avg_fn(0.5)}):
        averaged = AveragedModel(model, device="cuda", **options)
        mt.nn.init.constant_(model[0].bias, 1.0)
        averaged.update_parameters(model)
        mt.nn.init.constant_(model[0].bias, 3.0)
        averaged.update_parameters(model)
        assert averaged.module[0].bias.tolist() == [2.0, 2.0, 2.0]
    update_bn([mt.randn(4, 3)], averaged, device="cuda")
    assert averaged.module[1].running_mean.device.type == "cuda"


def test_data_parallel():
    net = mt.nn.DataParallel(mt.nn.Linear(2, 2), device_ids=[0])
    assert net(mt.ones(1, 2)).device.type == "cuda"
    assert list(net.state_dict()) == ["module.weight", "module.bias"]
    with pytest.raises(NotImplementedError, match="2 GPUs is not supported"):
        mt.nn.DataParallel(mt.nn.Linear(2, 2), device_ids=[0, 1])
    out = mt.nn.parallel.data_parallel(net.module, mt.ones(1, 2), [0])
    assert out.tolist() == net(input=mt.ones(1, 2)).tolist()
