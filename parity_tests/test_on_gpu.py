"""Tensors on the GPU: where they are made and go, what is refused, and that nothing leaves it by itself. On the real
one where there is one, else on the stand-in for CuPy."""

import copy
import io
import sys

import numpy as np
import pytest
from conftest import CUPY_ON_CPU
from on_gpu import REAL, gpu

import minitorch2 as mt
from minitorch2 import nn
from minitorch2.utils.data import DataLoader, TensorDataset


@pytest.fixture(autouse=True)
def on_gpu():
    with gpu():
        yield


@pytest.fixture
def crossings():
    """What is true if something went from one device to the other since the test last cleared it; None on a real GPU,
    where nobody counts."""
    if REAL:
        yield None
        return
    if CUPY_ON_CPU in sys.modules:
        yield sys.modules[CUPY_ON_CPU].Crossings()
        return
    import cupy_standin

    cupy_standin.transfers.clear()
    yield cupy_standin.transfers


def conv_net():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 8, 3, stride=2, bias=False),
        nn.GELU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 10),
    ), lambda: (mt.randn(6, 1, 12, 12), mt.randint(0, 10, (6,)))


class Reader(nn.Module):
    """Embedding, attention, LSTM: what a language model is made of."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.lstm = nn.LSTM(8, 6, batch_first=True)
        self.out = nn.Linear(6, 10)

    def forward(self, x):
        y, _ = self.lstm(self.block(self.embed(x)))
        return self.out(y[:, -1])


def reader():
    return Reader(), lambda: (mt.randint(0, 11, (4, 5)), mt.randint(0, 10, (4,)))


OPTIMIZERS = {
    "sgd": lambda p: mt.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3),
    "adam": lambda p: mt.optim.Adam(p, lr=1e-2),
    "adamw": lambda p: mt.optim.AdamW(p, lr=1e-2, amsgrad=True),
    "rmsprop": lambda p: mt.optim.RMSprop(p, lr=1e-3),
}


def train(net, make_optimizer, batches, device):
    net.to(device)
    optimizer = make_optimizer(net.parameters())
    losses = []
    for x, t in batches:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), t)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.detach())
    return losses


@pytest.mark.parametrize("make", [conv_net, reader])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_is_the_cpus_and_nothing_leaves(make, optimizer, crossings):
    mt.manual_seed(0)
    net, batch = make()
    twin = copy.deepcopy(net)
    batches = [batch() for _ in range(3)]
    there = [tuple(t.cuda() for t in b) for b in batches]
    expected = train(net, OPTIMIZERS[optimizer], batches, "cpu")
    twin.cuda()
    if crossings is not None:
        crossings.clear()
    losses = train(twin, OPTIMIZERS[optimizer], there, "cuda")
    if crossings is not None:
        assert not crossings, "something crossed between the devices during training"
    assert all(t.is_cuda for t in losses)
    # the GPU's sums run in another order, and a step of Adam may turn a gradient's last bits into lr
    np.testing.assert_allclose([t.item() for t in losses], [t.item() for t in expected], rtol=2e-4)


@pytest.mark.parametrize(
    "op",
    [
        lambda x, i, q: x.nan_to_num(1.0, 2.0, 3.0),
        lambda x, i, q: mt.stack([x] * 12, 1),
        lambda x, i, q: mt.cat([x[:, :1]] * 12, 1),
        lambda x, i, q: x.median(),
        lambda x, i, q: x.quantile(q, 1),
        lambda x, i, q: x.take(i % 12),
        lambda x, i, q: x.put(i, x.reshape(-1)),
        lambda x, i, q: i // (i + 1),
        lambda x, i, q: i.pow(i - 4),
        lambda x, i, q: nn.functional.batch_norm(x, x[0], x[1].abs()),
        lambda x, i, q: nn.functional.cross_entropy(x, i[:3] % 4, label_smoothing=0.1),
        lambda x, i, q: nn.functional.cross_entropy(x, i[:3] % 4, x[0].abs(), ignore_index=2, label_smoothing=0.1),
        lambda x, i, q: nn.functional.embedding_bag(i.reshape(3, 4) % 3, x),
        lambda x, i, q: nn.functional.one_hot(i, 12),
        lambda x, i, q: nn.functional.avg_pool2d(x[None, None], 2, 1, 1, count_include_pad=False),
        lambda x, i, q: nn.functional.grid_sample(
            x[None, None], x[:2].reshape(1, 2, 2, 2), "bicubic", align_corners=False
        ),
    ],
)
def test_an_op_asks_the_gpu_for_nothing(op, crossings):
    tensors = mt.randn(3, 4), mt.arange(12), mt.tensor([0.2, 0.5])
    there = [t.cuda() for t in tensors]
    if crossings is not None:
        crossings.clear()
    found = op(*there)
    if crossings is not None:
        assert not crossings
    np.testing.assert_allclose(found.cpu().numpy(), op(*tensors).numpy(), rtol=1e-5, atol=1e-6)


def test_runs_longer_than_a_grid_reaches_are_normalised_in_steps(monkeypatch):
    x = mt.randn(2, 3, 9001)
    expected = nn.functional.instance_norm(x)
    from minitorch2_kernels.cuda import norm

    monkeypatch.setattr(norm, "MOST_CUTS", 2)
    found = nn.functional.instance_norm(x.cuda()).cpu()
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5, atol=1e-5)


def test_where_a_tensor_is():
    x = mt.zeros(2, 3, device="cuda")
    assert x.device == mt.device("cuda:0") and x.is_cuda and not x.is_cpu and x.get_device() == 0
    assert x.cpu().device == mt.device("cpu") and x.cuda() is x and x.to("cuda:0") is x
    assert repr(x).endswith("device='cuda:0')")
    assert x.to("cpu", mt.float64).dtype is mt.float64
    assert mt.arange(3).to(x).device == x.device
    assert (x + 1).device == x.new_ones(2).device == mt.zeros_like(x).device == x.device
    assert mt.zeros_like(x, device="cpu").is_cpu
    assert x.type() == "torch.cuda.FloatTensor"


@pytest.mark.parametrize(
    "make",
    [
        lambda d: mt.tensor([1, 2], device=d),
        lambda d: mt.as_tensor(np.ones(2), device=d),
        lambda d: mt.ones(2, device=d),
        lambda d: mt.empty(2, device=d),
        lambda d: mt.full((2,), 3, device=d),
        lambda d: mt.arange(0, 1, 0.5, device=d),
        lambda d: mt.linspace(0, 1, 3, device=d),
        lambda d: mt.eye(2, device=d),
        lambda d: mt.rand(2, device=d),
        lambda d: mt.randn(2, device=d),
        lambda d: mt.randint(0, 9, (2,), device=d),
        lambda d: mt.randperm(4, device=d),
        lambda d: mt.full((2,), 1, dtype=mt.bfloat16, device=d),
        lambda d: nn.Linear(2, 3, device=d).weight,
    ],
)
def test_made_on_a_device(make):
    assert make("cuda").device == mt.device("cuda:0")
    mt.set_default_device("cuda")
    try:
        assert make(None).is_cuda
    finally:
        mt.set_default_device(None)
    assert make(None).is_cpu


def test_what_lies_apart_is_refused():
    here, there = mt.ones(2), mt.ones(2, device="cuda")
    for action in (lambda: here + there, lambda: mt.cat([here, there]), lambda: there @ here):
        with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device, but found at least two"):
            action()
    with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
        there.numpy()
    with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
        np.asarray(there)
    with pytest.raises(RuntimeError, match="Expected a 'cuda:0' device type for generator but found 'cpu'"):
        mt.rand(2, generator=mt.Generator(), device="cuda")
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        mt.ones(2, device="cuda:99")


def test_numbers_and_indices_cross_by_themselves():
    number = mt.tensor(2.0, requires_grad=True)
    x = mt.arange(4.0).cuda().requires_grad_()
    (x * number)[mt.tensor([0, 3])].sum().backward()
    assert number.grad.is_cpu and number.grad.item() == 3.0
    assert x.grad.tolist() == [2.0, 0.0, 0.0, 2.0]
    y = mt.zeros(3).cuda()
    y[1] = mt.tensor(5.0)
    y.copy_(y.cpu() + 1)
    assert y.tolist() == [1.0, 6.0, 1.0]


def test_gradients_cross_back():
    x = mt.ones(3, requires_grad=True)
    (x.cuda() * 2).cpu().sum().backward()
    assert x.grad.is_cpu and x.grad.tolist() == [2.0, 2.0, 2.0]


def test_saved_there_and_loaded_anywhere():
    net = nn.Linear(3, 2).cuda()
    tied = {"net": net.state_dict(), "again": net.weight, "view": net.weight[0]}
    file = io.BytesIO()
    mt.save(tied, file)
    for where, expected in ((None, "cuda:0"), ("cpu", "cpu"), ({"cuda:0": "cpu"}, "cpu")):
        file.seek(0)
        loaded = mt.load(file, map_location=where)
        assert str(loaded["again"].device) == expected
        assert loaded["again"].tolist() == net.weight.tolist()
        assert loaded["view"].data_ptr() == loaded["again"].data_ptr()
    file.seek(0)
    torch = pytest.importorskip("torch")
    theirs = torch.load(file, map_location="cpu", weights_only=True)
    assert theirs["view"].tolist() == net.weight[0].tolist()


def test_optimizer_state_follows_its_parameters():
    net = nn.Linear(3, 2)
    optimizer = mt.optim.Adam(net.parameters())
    net(mt.ones(1, 3)).sum().backward()
    optimizer.step()
    there = nn.Linear(3, 2).cuda()
    other = mt.optim.Adam(there.parameters())
    other.load_state_dict(optimizer.state_dict())
    state = other.state[there.weight]
    assert state["exp_avg"].is_cuda and state["step"].is_cpu


def test_random_numbers_repeat_and_have_a_state():
    mt.manual_seed(3)
    first = mt.randn(5, device="cuda").tolist(), nn.functional.dropout(mt.ones(9, device="cuda"), 0.5).tolist()
    mt.manual_seed(3)
    assert first == (
        mt.randn(5, device="cuda").tolist(),
        nn.functional.dropout(mt.ones(9, device="cuda"), 0.5).tolist(),
    )
    g = mt.Generator("cuda")
    g.manual_seed(7)
    state = g.get_state()
    drawn = mt.rand(4, generator=g, device="cuda").tolist()
    g.set_state(state)
    assert drawn == mt.rand(4, generator=g, device="cuda").tolist() and state.is_cpu and state.numel() == 16
    assert sorted(mt.randperm(20, device="cuda").tolist()) == list(range(20))
    assert mt.multinomial(mt.tensor([0.0, 1.0, 0.0], device="cuda"), 5, replacement=True).tolist() == [1] * 5


@pytest.mark.skipif(not REAL, reason="pinned memory needs a GPU; no GPU code ran")
def test_batches_in_pinned_memory():
    loader = DataLoader(TensorDataset(mt.arange(6.0)), batch_size=2, pin_memory=True)
    for (batch,) in loader:
        assert batch.is_pinned() and batch.to("cuda", non_blocking=True).tolist() == batch.tolist()


def test_a_target_out_of_range_gives_nan():
    """It cannot raise without waiting for the GPU."""
    scores = mt.zeros(2, 3, device="cuda")
    assert mt.isnan(nn.functional.cross_entropy(scores, mt.tensor([0, 7]).cuda())).item()
    assert not mt.isnan(nn.functional.cross_entropy(scores, mt.tensor([0, -100]).cuda())).item()


def test_a_causal_bias_goes_where_the_query_is():
    q, k, v = (mt.randn(2, n, 4, device="cuda") for n in (3, 5, 5))
    for bias in (nn.attention.bias.causal_upper_left(3, 5), nn.attention.bias.causal_lower_right(3, 5)):
        here = nn.functional.scaled_dot_product_attention(q.cpu(), k.cpu(), v.cpu(), bias)
        there = nn.functional.scaled_dot_product_attention(q, k, v, bias)
        assert there.is_cuda and mt.allclose(there.cpu(), here, atol=1e-6)


def test_tensors_by_keyword_go_to_the_cpu_and_back():
    """Where CuPy lacks the means."""
    x = mt.tensor([3.0, 1.0, 3.0], device="cuda")
    assert mt.unique(input=x).tolist() == [1.0, 3.0] and mt.unique(input=x).is_cuda
    assert mt.isin(elements=x, test_elements=x[:1]).tolist() == [True, False, True]
    assert mt.isin(element=1.0, test_elements=x).is_cuda
