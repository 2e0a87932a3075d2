"""Whole training runs, side by side with torch from one seed: the same weights, batches, masks, losses.

How close? Each step both libraries compute the same gradient in float32, with sums in different orders: errors of
some eps (1.2e-7) times the number of terms' square root. A step multiplies what was there by the network's own
sensitivity, so the difference grows with the steps, not with their square, as long as training is stable. LOSS is the
bound that leaves a factor of about ten over what 30 such steps show; a wrong constant anywhere (epsilon inside or
outside a root, a bias correction, one mask element) moves losses by 1e-3 and more.
"""

import numpy as np
import pytest
import torch

import minitorch2 as mt

LOSS = 1e-5  # relative
NEAR_ZERO = 2.0**-23  # a cross-entropy near 0 is a difference of numbers near 1, in both libraries
WEIGHTS = 1e-4  # relative to the largest weight of the tensor; Adam divides by square roots of squares near 0

pytestmark = pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*:UserWarning")


def images(n=96, size=12, classes=4):
    """Pictures with something to learn: a bright square whose place is the class, under noise."""
    rng = np.random.RandomState(0)
    labels = rng.randint(0, classes, n)
    x = rng.standard_normal((n, 1, size, size)).astype(np.float32) * 0.5
    for i, label in enumerate(labels):
        row, col = divmod(label, 2)
        x[i, 0, 2 + 5 * row : 5 + 5 * row, 2 + 5 * col : 5 + 5 * col] += 1.5
    return x, labels.astype(np.int64)


def mlp(nn):
    return nn.Sequential(nn.Flatten(), nn.Linear(144, 32), nn.ReLU(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 4))


def cnn(nn):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3),
        nn.ReLU(),
        nn.Dropout2d(0.25),
        nn.Flatten(),
        nn.Linear(256, 32),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(32, 4),
    )


def normalized(nn):
    # No bias before a batch norm, which takes it away again: its gradient is rounding noise and nothing else, and Adam
    # makes full steps of noise.
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(200, 24, bias=False),
        nn.BatchNorm1d(24),
        nn.GELU(),
        nn.LayerNorm(24),
        nn.Linear(24, 4),
    )


def sgd(lib, model, steps):
    return lib.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4, nesterov=True), None


def adam_one_cycle(lib, model, steps):
    optimizer = lib.optim.Adam(model.parameters(), lr=1e-3)
    return optimizer, lib.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=steps)


def adamw_cosine(lib, model, steps):
    optimizer = lib.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05, amsgrad=True)
    return optimizer, lib.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)


def loader(lib, batch_size, **options):
    x, y = images()
    data = lib.utils.data.TensorDataset(lib.from_numpy(x), lib.from_numpy(y))
    return lib.utils.data.DataLoader(data, batch_size=batch_size, shuffle=True, **options)


def train(lib, network, make_optimizer, epochs=5, batch_size=16, clip=None):
    """(losses, learning rates, labels in the order seen, final state, accuracy in eval mode)"""
    lib.manual_seed(0)
    model = network(lib.nn)
    batches = loader(lib, batch_size)
    optimizer, schedule = make_optimizer(lib, model, epochs * len(batches))
    losses, rates, seen = [], [], []
    model.train()
    for _ in range(epochs):
        for x, y in batches:
            seen += y.tolist()
            optimizer.zero_grad()
            loss = lib.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            if clip:
                lib.nn.utils.clip_grad_norm_(model.parameters(), clip)
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if schedule:
                schedule.step()
            losses.append(loss.item())
    model.eval()
    x, y = images()
    with lib.no_grad():
        right = (model(lib.from_numpy(x)).argmax(1) == lib.from_numpy(y)).float().mean().item()
    return losses, rates, seen, {k: v.numpy() for k, v in model.state_dict().items()}, right


RUNS = {
    "mlp, SGD with momentum": (mlp, sgd, {}),
    "cnn with dropout, Adam under OneCycleLR": (cnn, adam_one_cycle, {}),
    "batch and layer norm, SGD": (normalized, sgd, {}),
    "batch and layer norm, AdamW, clipped": (normalized, adamw_cosine, {"clip": 0.5}),
    "a last batch that is smaller": (mlp, adam_one_cycle, {"batch_size": 20}),
}


@pytest.mark.parametrize("run", RUNS)
def test_training_runs(run):
    network, make_optimizer, options = RUNS[run]
    ours, theirs = (train(lib, network, make_optimizer, **options) for lib in (mt, torch))
    assert ours[2] == theirs[2], "the batches come in another order"
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-12, err_msg="learning rates")
    np.testing.assert_allclose(ours[0], theirs[0], rtol=LOSS, atol=NEAR_ZERO, err_msg="losses")
    assert ours[0][-1] < 0.7 * ours[0][0], "nothing was learned: the comparison says little"
    assert ours[3].keys() == theirs[3].keys()
    for name, w in theirs[3].items():
        largest = max(1e-3, np.abs(w).max())
        np.testing.assert_allclose(ours[3][name], w, rtol=0, atol=WEIGHTS * largest, err_msg=name)
    assert ours[4] == theirs[4], "accuracy in eval mode"


def test_the_first_step_to_the_last_bits():
    """Before differences can grow: one batch's loss and gradients, within a few eps of the largest."""

    def step(lib):
        lib.manual_seed(0)
        model = cnn(lib.nn)
        x, y = next(iter(loader(lib, 16)))
        loss = lib.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        return [loss.detach().numpy(), *(p.grad.numpy() for p in model.parameters())]

    for a, b in zip(step(mt), step(torch), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=16 * 2.0**-23 * np.abs(b).max())


@pytest.mark.parametrize("options", [{}, {"drop_last": True}, {"generator": True}, {"num_workers": 1}], ids=str)
def test_the_same_batches(options):
    """Shuffling, epoch after epoch, and what the default generator gives afterwards."""

    def order(lib):
        lib.manual_seed(7)
        kept = dict(options)
        if kept.pop("generator", False):
            kept["generator"] = lib.Generator().manual_seed(3)
        batches = loader(lib, 20, **kept)
        return [[y.tolist() for _, y in batches] for _ in range(2)], lib.rand(3).tolist()

    assert order(mt) == order(torch)


def test_the_same_splits():
    def parts(lib):
        lib.manual_seed(1)
        split = lib.utils.data.random_split(range(20), [12, 8], generator=lib.Generator().manual_seed(5))
        return [list(p.indices) for p in split], lib.randperm(9).tolist()

    assert parts(mt) == parts(torch)


def test_evaluation_of_a_trained_network_is_deterministic():
    """Dropout off, running statistics instead of the batch's: two passes agree to the bit, torch's to rounding."""

    def run(lib):
        lib.manual_seed(0)
        model = normalized(lib.nn)
        x = lib.from_numpy(images()[0])
        model(x)
        model.eval()
        with lib.no_grad():
            first, second = model(x), model(x)
        assert first.tolist() == second.tolist()
        return first.numpy(), [m.training for m in model.modules()]

    (a, flags), (b, their_flags) = run(mt), run(torch)
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    assert flags == their_flags
