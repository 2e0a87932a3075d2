"""Tensors of the meta device: shapes and dtypes as torch's, no numbers, and the programs that they are for."""

import copy
import io
import pickle

import pytest
import torch
from side_by_side import BOTH, same

import minitorch2 as mt
from minitorch2.core.meta import MetaArray


def described(x):
    return tuple(x.shape), str(x.dtype).rpartition(".")[2], x.stride(), str(x.device), x.requires_grad, x.is_leaf


def on_meta(lib, *shape, **options):
    return lib.zeros(*shape, device="meta", **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda lib: lib.rand(4, 2),
        lambda lib: lib.arange(5),
        lambda lib: lib.arange(0, 1, 0.25),
        lambda lib: lib.linspace(0, 1, 5),
        lambda lib: lib.eye(3),
        lambda lib: lib.tensor([1, 2.0]),
        lambda lib: lib.full((2, 3), True),
        lambda lib: lib.randperm(5),
        lambda lib: lib.randint(0, 5, (3,)),
        lambda lib: lib.empty(2, 3, 4, 5, memory_format=lib.channels_last),
        lambda lib: lib.nn.Linear(2, 3).weight,
        lambda lib: lib.nn.BatchNorm2d(3).num_batches_tracked,
        lambda lib: lib.nn.Embedding(10, 4)(lib.arange(5)),
        lambda lib: lib.nn.Conv2d(3, 8, 3)(lib.rand(2, 3, 8, 8)),
        lambda lib: lib.nn.LSTM(3, 4)(lib.rand(5, 2, 3))[0],
        lambda lib: 1.0 / (10000 ** (lib.arange(0, 8, 2).float() / 8)),
        lambda lib: (lib.rand(4, 2) > 0.5).sum(),
        lambda lib: lib.rand(4, 2).max(1).indices,
        lambda lib: lib.rand(4, 2).t(),
        lambda lib: lib.rand(4, 2)[:, 1:],
        lambda lib: lib.rand(4, 2)[lib.arange(3)],
        lambda lib: lib.rand(1, 2).expand(3, 2),
        lambda lib: lib.rand(4, 2).half(),
        lambda lib: lib.rand(2).new_zeros(3),
        lambda lib: lib.zeros_like(lib.rand(2, 3).t()),
        lambda lib: lib.rand(4, 2).add_(1).mul_(2).zero_().fill_(3).uniform_().normal_(),
        lambda lib: lib.rand(4, 2).copy_(lib.ones(2, device="cpu")),
        lambda lib: lib.rand(4, 2) + lib.tensor(1.0, device="cpu"),
        lambda lib: lib.nn.init.kaiming_uniform_(lib.rand(4, 2)),
        lambda lib: lib.nn.init.orthogonal_(lib.rand(4, 2)),
        lambda lib: lib.nn.init.trunc_normal_(lib.rand(4, 2)),
    ],
)
def test_shapes_dtypes_and_order(make):
    def action(lib):
        with lib.device("meta"):
            return described(make(lib))

    same(action)


@pytest.mark.parametrize(
    "action",
    [
        lambda lib: on_meta(lib, 2).sum().item(),
        lambda lib: bool(on_meta(lib, 2).sum() > 0),
        lambda lib: float(on_meta(lib, ())),
        lambda lib: on_meta(lib, 2).tolist(),
        lambda lib: on_meta(lib, 2).numpy(),
        lambda lib: on_meta(lib, 2).cpu(),
        lambda lib: lib.ones(2).copy_(on_meta(lib, 2)),
        lambda lib: lib.nn.Linear(2, 3, device="meta").to("cpu"),
        lambda lib: repr(on_meta(lib, 2, 3)),
        lambda lib: repr(on_meta(lib, 2, dtype=lib.int64)),
        lambda lib: repr(lib.nn.Linear(1, 2, device="meta").weight),
        lambda lib: repr(lib.nn.Linear(1, 2, device="meta")(on_meta(lib, 3, 1))),
        lambda lib: (on_meta(lib, 2).is_meta, on_meta(lib, 2).is_cpu, lib.ones(2).is_meta, on_meta(lib, 2).data_ptr()),
    ],
)
def test_there_are_no_numbers(action):
    same(action)


def test_mixing_and_gradients_are_refused():
    with pytest.raises(RuntimeError, match=r"same device.*meta and cpu"):
        on_meta(mt, 2) + mt.ones(2)
    loss = mt.nn.Linear(2, 3, device="meta")(on_meta(mt, 4, 2)).sum()
    with pytest.raises(NotImplementedError, match="gradients on the meta device"):
        loss.backward()
    x = on_meta(mt, 2)
    for action in (x.nonzero, x.unique, lambda: x[x > 0], lambda: x.masked_select(x > 0)):
        with pytest.raises(NotImplementedError, match="no data"):
            action()


@pytest.mark.parametrize("lib", BOTH)
def test_a_model_gets_a_checkpoints_weights(lib):
    lib.manual_seed(0)
    net = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.BatchNorm1d(4))
    with lib.device("meta"):
        empty = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.BatchNorm1d(4))
    with pytest.warns(UserWarning, match="copying from a non-meta parameter"):
        empty.load_state_dict(net.state_dict())
    assert empty[0].weight.is_meta
    empty.load_state_dict(net.state_dict(), assign=True)
    x = lib.rand(5, 3)
    assert lib.equal(empty(x), net(x)) and not empty[1].running_mean.is_meta
    assert all(p.device.type == "cpu" for p in lib.nn.Linear(2, 2, device="meta").to_empty(device="cpu").parameters())


@pytest.mark.parametrize("lib", BOTH)
def test_functional_call_on_a_model_without_weights(lib):
    net = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.BatchNorm1d(4))
    base = copy.deepcopy(net).to("meta")
    assert all(t.is_meta for t in (*base.parameters(), *base.buffers()))
    x, tensors = lib.rand(5, 3), (dict(net.named_parameters()), dict(net.named_buffers()))
    assert lib.func.functional_call(base, tensors, (x,)).shape == (5, 4)


@pytest.mark.parametrize("lib", BOTH)
def test_no_random_number_is_used_up(lib):
    lib.manual_seed(0)
    expected = lib.rand(3)
    lib.manual_seed(0)
    lib.rand(5, device="meta")
    lib.nn.Linear(3, 3, device="meta")
    assert lib.equal(lib.rand(3), expected)


def test_no_memory_is_used():
    layer = mt.nn.Linear(100_000, 10_000, device="meta")  # 4 GB
    twin = copy.deepcopy(layer).requires_grad_(False)
    assert twin.weight.numel() == 10**9 and type(twin.weight._data) is MetaArray


def test_files_in_both_directions(tmp_path):
    def content(lib):
        return {"a": on_meta(lib, 2, 3).t(), "p": lib.nn.Parameter(on_meta(lib, 2)), "r": lib.ones(2)}

    for source, target in ((mt, torch), (torch, mt), (mt, mt)):
        source.save(content(source), tmp_path / "file.pt")
        loaded = target.load(tmp_path / "file.pt")
        assert {k: described(v) for k, v in loaded.items()} == {k: described(v) for k, v in content(target).items()}
    loaded = mt.load(tmp_path / "file.pt", map_location="meta")
    assert loaded["r"].is_meta and loaded["r"].shape == (2,)
    assert described(pickle.loads(pickle.dumps(content(mt)["a"]))) == described(content(mt)["a"])


def test_a_file_cannot_ask_for_more_than_there_is():
    file = io.BytesIO()
    torch.save(torch.empty(2**40, 2**20, device="meta"), file)
    with pytest.raises(pickle.UnpicklingError, match="larger than any memory"):
        mt.load(io.BytesIO(file.getvalue()))


def test_tensors_larger_than_the_memory():
    def run(lib):
        made = lib.nn.Linear(2**20, 2**20, device="meta"), lib.empty(2**20, 3, 2**20, device="meta")
        x = lib.rand(2**21, 2**20, device="meta")
        return made[0].weight.shape, made[1].stride(), x.t().stride(), lib.ones(2**41, device="meta").shape

    assert run(mt) == run(torch)


def test_backward_of_several_is_refused_by_what_it_is():
    x = mt.ones(2, device="meta", requires_grad=True)
    with pytest.raises(NotImplementedError, match="gradients on the meta device"):
        mt.autograd.backward([(x * 2).sum(), (x * 3).sum()])
