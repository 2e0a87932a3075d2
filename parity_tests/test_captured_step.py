"""A training step captured as a CUDA graph does what the step alone does.

Without a GPU on the stand-in, whose graphs work, as CUDA's do, on the memory of their capture
(cupy_standin/recording.py; no GPU code runs). The same tests run on a real GPU.
"""

import gc

import numpy as np
import pytest
from on_gpu import REAL, gpu

import minitorch2 as mt
from minitorch2 import nn
from minitorch2.nn import functional as F

pytestmark = [pytest.mark.gpu] if REAL else []  # where there is a GPU, `-m gpu` runs all of this

# The launches are the same; but sums that several blocks add up atomically come in another order each time.
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6} if REAL else {"rtol": 0, "atol": 0}


@pytest.fixture(autouse=True)
def cuda():
    with gpu():
        yield mt.cuda


class Step:
    """A net, its optimizer and a step of both, all seeded."""

    def __init__(self, make_net, make_optimizer, shape, classes=5, to_none=True):
        mt.manual_seed(0)
        self.net = make_net().to("cuda")
        self.optimizer = make_optimizer(self.net.parameters())
        self.to_none = to_none
        generator = np.random.default_rng(1)
        self.batches = [
            (
                mt.tensor(generator.standard_normal(shape).astype("float32")),
                mt.tensor(generator.integers(0, classes, shape[0])),
            )
            for _ in range(20)
        ]
        mt.cuda.manual_seed_all(3)

    def __call__(self, x, y):
        self.optimizer.zero_grad(set_to_none=self.to_none)
        loss = F.cross_entropy(self.net(x), y)
        loss.backward()
        self.optimizer.step()
        return loss

    def train(self, captured):
        """The losses of 20 steps, and all that they changed."""
        step = mt.cuda.capture_step(self) if captured else self
        losses = [step(x.to("cuda"), y.to("cuda")).item() for x, y in self.batches]
        if captured:
            assert step.graph is not None
        state = [value for each in self.optimizer.state.values() for value in each.values() if value is not None]
        changed = [*self.net.state_dict().values(), *(t for t in state if isinstance(t, mt.Tensor))]
        return losses, [t.cpu().numpy() for t in changed]


def mlp():
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.GELU(), nn.Linear(16, 5))


def cnn():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 5)
    )


def with_dropout():
    return nn.Sequential(nn.Linear(6, 16), nn.Dropout(0.5), nn.LayerNorm(16), nn.Linear(16, 5))


def sgd(parameters):
    return mt.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=1e-3, dampening=0.1)


def plain_sgd(parameters):
    return mt.optim.SGD(parameters, lr=0.1)


def adam(parameters):
    return mt.optim.Adam(parameters, lr=0.01, capturable=True)


def adamw(parameters):
    return mt.optim.AdamW(parameters, lr=mt.tensor(0.01, device="cuda"), amsgrad=True, capturable=True)


CASES = {
    "mlp, sgd": (mlp, plain_sgd, (8, 6)),
    "mlp, momentum": (mlp, sgd, (8, 6)),
    "mlp, adam": (mlp, adam, (8, 6)),
    "mlp, adamw": (mlp, adamw, (8, 6)),
    "cnn, momentum": (cnn, sgd, (4, 2, 6, 6)),
    "cnn, adam": (cnn, adam, (4, 2, 6, 6)),
    "dropout, momentum": (with_dropout, sgd, (8, 6)),
}


@pytest.mark.parametrize("case", CASES)
def test_training_is_the_same(case):
    losses, changed = Step(*CASES[case]).train(captured=False)
    ours, ours_changed = Step(*CASES[case]).train(captured=True)
    np.testing.assert_allclose(ours, losses, **TOLERANCE)
    assert len(set(losses)) > 10
    assert len(changed) == len(ours_changed)
    for expected, found in zip(changed, ours_changed, strict=True):
        np.testing.assert_allclose(found, expected, **TOLERANCE)


def test_clipped_gradients_and_what_else_joins_many_arrays():
    """CuPy would send the addresses of more than eight to the device."""

    class Clipped(Step):
        def __call__(self, x, y):
            self.optimizer.zero_grad()
            pieces = [piece * k for k in range(1, 11) for piece in self.net(x).split(2, 1)]
            logits = mt.stack(pieces[::3], -1).sum(-1) + mt.cat(pieces[1::3][:9], 1).sum(1, keepdim=True)
            loss = F.cross_entropy(logits, y % 2)
            loss.backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 0.1)
            self.optimizer.step()
            return loss

    def deep():
        return nn.Sequential(*(nn.Linear(6, 6) for _ in range(6)))

    losses, results = ([], [])
    for captured in (False, True):
        found, arrays = Clipped(deep, lambda p: mt.optim.SGD(p, lr=0.1), (7, 6)).train(captured)
        losses.append(found)
        results.append(arrays)
    np.testing.assert_allclose(losses[1], losses[0], **TOLERANCE)
    for plain, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, plain, **TOLERANCE)


def test_gradients_that_are_zeroed_in_place():
    losses, _ = Step(mlp, sgd, (8, 6), to_none=False).train(captured=False)
    ours, _ = Step(mlp, sgd, (8, 6), to_none=False).train(captured=True)
    np.testing.assert_allclose(ours, losses, **TOLERANCE)


def test_capturing_by_hand(cuda):
    """The way of torch's notes on CUDA graphs."""
    losses, changed = Step(mlp, sgd, (8, 6)).train(captured=False)
    step = Step(mlp, sgd, (8, 6))
    found = []
    stream = cuda.Stream()
    stream.wait_stream(cuda.current_stream())
    with cuda.stream(stream):
        for x, y in step.batches[:3]:
            found.append(step(x.to("cuda"), y.to("cuda")).item())
    cuda.current_stream().wait_stream(stream)
    x, y = (mt.empty_like(t, device="cuda") for t in step.batches[0])
    x.zero_()
    y.zero_()
    graph = cuda.CUDAGraph()
    with cuda.graph(graph):
        loss = step(x, y)
    for new_x, new_y in step.batches[3:]:
        x.copy_(new_x)
        y.copy_(new_y)
        graph.replay()
        found.append(loss.item())
    np.testing.assert_allclose(found, losses, **TOLERANCE)
    for expected, p in zip(changed, step.net.parameters(), strict=False):
        np.testing.assert_allclose(p.detach().cpu().numpy(), expected, **TOLERANCE)


def test_inputs_from_the_cpu_and_results_in_any_nesting(cuda):
    def step(pair, factor, extra):
        a, b = pair
        return {"sum": (a + b) * factor, "both": [a, (b, extra, None)]}

    fast = cuda.capture_step(step)
    for i in range(5):
        a, b = mt.full((3,), float(i)), mt.full((3,), 10.0 * i, device="cuda")
        found = fast((a.to("cuda"), b), 2, "word")
        assert found["sum"].tolist() == [22.0 * i] * 3
        assert found["both"][1][1:] == ("word", None)

    fast = cuda.capture_step(lambda a: a * 2 if a.is_cuda else a.to("cuda") * 2)
    assert [fast(mt.full((2,), float(i))).tolist() for i in range(5)] == [[2.0 * i] * 2 for i in range(5)]


def test_results_are_the_same_tensors_each_time(cuda):
    fast = cuda.capture_step(lambda x: x * 2, warmup=1)
    x = mt.ones(3, device="cuda")
    fast(x)
    first = fast(x)
    second = fast(x * 5)
    assert first is second
    assert first.tolist() == [10, 10, 10]


def test_example_inputs_say_what_inputs_look_like(cuda):
    fast = cuda.capture_step(lambda x: x * 2, mt.ones(3, device="cuda"))
    with pytest.raises(RuntimeError, match=r"input 0 is .*float32 of shape \(4,\) on cuda:0, and .* of shape \(3,\)"):
        fast(mt.ones(4, device="cuda"))
    with pytest.raises(RuntimeError, match="int64"):
        fast(mt.ones(3, device="cuda", dtype=mt.int64))
    with pytest.raises(RuntimeError, match="2 inputs, and the step was captured for 1"):
        fast(mt.ones(3, device="cuda"), 1)
    with pytest.raises(TypeError, match="NumPy array"):
        fast(np.ones(3))
    with pytest.raises(RuntimeError, match="returns a tensor on the CPU"):
        cuda.capture_step(lambda: mt.ones(2))()
    with pytest.raises(ValueError, match="warmup must be"):
        cuda.capture_step(lambda: None, warmup=0)


def test_a_step_that_breaks_in_the_capture_leaves_all_as_it_was(cuda):
    step = Step(mlp, sgd, (8, 6))
    calls = []

    def broken(x, y):
        calls.append(0)
        loss = step(x, y)
        if len(calls) == 3:
            loss.item()
        return loss

    fast = cuda.capture_step(broken)
    (x, y), stream = (t.to("cuda") for t in step.batches[0]), cuda.current_stream()
    fast(x, y)
    fast(x, y)
    parameters = list(step.net.parameters())

    def values():
        tensors = [t for p in parameters for t in (p.detach(), p.grad, step.optimizer.state[p]["momentum_buffer"])]
        return [t.cpu().numpy() for t in tensors]

    before = values()
    gradients = [p.grad for p in parameters]
    gc.collect()
    reserved = cuda.memory_reserved()
    with pytest.raises(RuntimeError, match=r"`item`, called at .*test_captured_step.py:\d+, cannot be captured"):
        fast(x, y)
    gc.collect()
    assert cuda.memory_reserved() <= reserved  # the memory of the capture is gone
    assert cuda.current_stream() == stream
    assert not cuda.is_current_stream_capturing()
    assert all(p.grad is g for p, g in zip(parameters, gradients, strict=True))
    for a, b in zip(values(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    fast(x, y)  # and now it is whole
    assert fast.graph is not None


def test_random_numbers_after_a_broken_capture(cuda):
    cuda.manual_seed(5)
    expected = [mt.rand(4, device="cuda").tolist() for _ in range(4)]
    cuda.manual_seed(5)
    calls = []

    def step():
        calls.append(0)
        drawn = mt.rand(4, device="cuda")
        if len(calls) == 3:
            drawn.tolist()
        return drawn

    fast = cuda.capture_step(step)
    found = [fast().tolist(), fast().tolist()]
    with pytest.raises(RuntimeError, match="`tolist`"):
        fast()
    found += [fast().tolist(), fast().tolist()]
    assert found == expected


def test_rates_of_a_scheduler_and_a_loaded_state(cuda):
    """What the optimizer is told between steps holds for the captured step too."""

    def train(captured):
        step = Step(mlp, sgd, (8, 6))
        scheduler = mt.optim.lr_scheduler.StepLR(step.optimizer, 6, 0.1)
        fast = cuda.capture_step(step) if captured else step
        losses = []
        for i, (x, y) in enumerate(step.batches):
            losses.append(fast(x.to("cuda"), y.to("cuda")).item())
            scheduler.step()
            if i == 9:
                step.optimizer.load_state_dict(step.optimizer.state_dict())
                step.optimizer.param_groups[0]["weight_decay"] = 0.2
        return losses

    np.testing.assert_allclose(train(captured=True), train(captured=False), **TOLERANCE)


def test_state_made_in_the_capture(cuda):
    """Each replay would make it anew."""
    step, calls = Step(mlp, sgd, (8, 6)), []

    def late(x, y):
        calls.append(0)
        if len(calls) < 3:
            return x.sum()
        return step(x, y)

    fast = cuda.capture_step(late)
    x, y = (t.to("cuda") for t in step.batches[0])
    fast(x, y)
    fast(x, y)
    with pytest.raises(RuntimeError, match="SGD made state during the capture"):
        fast(x, y)
    assert fast.graph is None


def test_adagrad(cuda):
    """Its rate depends on the number of the step only where lr_decay says so."""

    def adagrad(lr_decay):
        return Step(mlp, lambda parameters: mt.optim.Adagrad(parameters, lr=0.05, lr_decay=lr_decay), (8, 6))

    losses, _ = adagrad(0).train(captured=False)
    ours, _ = adagrad(0).train(captured=True)
    np.testing.assert_allclose(ours, losses, **TOLERANCE)
    with pytest.raises(RuntimeError, match="for an instance of Adagrad with lr_decay"):
        adagrad(0.1).train(captured=True)


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW", "RMSprop", "Adadelta", "NAdam", "Adamax", "RAdam"])
def test_steps_counted_on_the_cpu_cannot_be_captured(cuda, optimizer):
    """torch refuses them too: what depends on the number of the step would stay what it was."""
    step = Step(mlp, lambda parameters: getattr(mt.optim, optimizer)(parameters, lr=0.01), (8, 6))
    fast = cuda.capture_step(step)
    x, y = (t.to("cuda") for t in step.batches[0])
    fast(x, y)
    fast(x, y)
    with pytest.raises(RuntimeError, match=f"capture of step\\(\\) for an instance of {optimizer} but .*capturable"):
        fast(x, y)


@pytest.mark.gpu
def test_private_memory_under_pressure(cuda):
    """What a graph works in is nobody else's, however short memory gets."""
    step = Step(mlp, sgd, (8, 6))
    fast = cuda.capture_step(step)
    losses = []
    for x, y in step.batches:
        losses.append(fast(x.to("cuda"), y.to("cuda")).item())
        filled = [mt.full((1 << 18,), 7.0, device="cuda") for _ in range(64)]
        cuda.empty_cache()
        with pytest.raises(cuda.OutOfMemoryError):
            mt.empty(1 << 45, device="cuda")
        assert all((t == 7).all().item() for t in filled[::16])
    expected, _ = Step(mlp, sgd, (8, 6)).train(captured=False)
    np.testing.assert_allclose(losses, expected, **TOLERANCE)


@pytest.mark.gpu
def test_a_graph_keeps_alive_what_it_writes(cuda):
    step = Step(mlp, sgd, (8, 6))
    fast = cuda.capture_step(step)
    x, y = (t.to("cuda") for t in step.batches[0])
    for _ in range(3):
        fast(x, y)
    for p in step.net.parameters():
        p.grad = None
    step.optimizer.load_state_dict(step.optimizer.state_dict())  # gone: the state that the graph writes to
    step.optimizer.state.clear()
    gc.collect()
    cuda.empty_cache()
    filled = [mt.full((1 << 12,), 7.0, device="cuda") for _ in range(256)]
    assert fast.graph is not None
    fast.graph.replay()
    cuda.synchronize()
    assert all((t == 7).all().item() for t in filled)


@pytest.mark.parametrize(
    "compute",
    [lambda x: F.layer_norm(x, (4100,), x[0], x[1]), lambda x: mt.cdist(x, x[:1] + 1), lambda x: F.group_norm(x, 2)],
    ids=["a wide layer_norm", "cdist", "group_norm"],
)
def test_sums_of_products_are_captured(compute):
    """None of them by the cuBLAS of CuPy's einsum."""
    x = mt.randn(3, 4100, device="cuda", requires_grad=True)

    def step(x):
        return mt.autograd.grad(compute(x).square().sum(), x)[0]

    expected, captured = step(x), mt.cuda.capture_step(step)
    for _ in range(4):
        np.testing.assert_allclose(captured(x).tolist(), expected.tolist(), rtol=1e-4, atol=1e-5)
    assert captured.graph is not None
