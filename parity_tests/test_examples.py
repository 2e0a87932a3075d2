"""The examples: each runs as its user would run it, and the numbers it prints hold.

The promise that matters most is training.py's: a run interrupted by Ctrl-C and resumed ends in the same bits as
one that was not.
"""

import importlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from example_cases import Colours, assert_pictures

import minitorch2 as torch
from minitorch2 import nn
from minitorch2.utils.data import TensorDataset

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
WITH_ARGUMENTS = ("mnist", "cifar10", "compare_with_torch")
PICTURES = ("curves.png", "confusion_matrix.png", "mistakes.png")
# The mini set's first 300 digits in batches of 32: 10 steps an epoch, the last of them 12 images.
MNIST = ["--data", "mini", "--fraction", "0.06", "--epochs", "3", "--batch-size", "32"]
STEPS = 10


@pytest.fixture
def load(monkeypatch):
    """Imports an example: `python examples/NAME.py` finds training.py since Python puts the folder on the path."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module


def start(name, *arguments):
    """`python examples/NAME.py`, run from the root of the repository."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    return subprocess.Popen(
        [sys.executable, f"examples/{name}.py", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(process) -> str:
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, f"{process.args} ended with {process.returncode}\n{out}\n{err}"
    return out


def numbers(pattern: str, text: str) -> list[float]:
    found = [float(number) for number in re.findall(pattern, text)]
    assert found, f"no {pattern!r} in\n{text}"
    return found


def assert_same_bits(a, b, where):
    """Nested containers, tensors and numbers: equal to the last bit and of the same types."""
    assert type(a) is type(b), f"{where}: {type(a)} and {type(b)}"
    if isinstance(a, dict):
        assert list(a) == list(b), f"{where}: {list(a)} and {list(b)}"
        for key in a:
            assert_same_bits(a[key], b[key], f"{where}[{key!r}]")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for index, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same_bits(x, y, f"{where}[{index}]")
    elif isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape, where
        assert a.numpy().tobytes() == b.numpy().tobytes(), where
    else:
        assert a == b, f"{where}: {a!r} and {b!r}"


def checkpoint(folder) -> dict:
    """All of it but the clock."""
    state = torch.load(folder / "checkpoint.pt")
    assert state.pop("seconds") > 0
    return state


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The folder of an MNIST run from beginning to end, and what it printed."""
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, output(start("mnist", *MNIST, "--out", folder))


def test_mnist(unbroken):
    folder, text = unbroken
    assert "300 training and 60 test images; 1,199,882 parameters" in text
    history = checkpoint(folder)["history"]
    assert [len(curve) for curve in history.values()] == [3, 3, 3, 3]
    assert history["train_loss"][-1] < history["train_loss"][0] and history["test_accuracy"][-1] > 0.5
    (right,) = numbers(r"([\d.]+)% of 60 test images right", text)
    assert right == round(100 * history["test_accuracy"][-1], 2)
    assert_pictures(folder, *PICTURES)


def test_pytorch_opens_the_weights(unbroken):
    theirs = pytest.importorskip("torch")
    folder, _ = unbroken
    weights = theirs.load(folder / "model.pt", weights_only=True)
    ours = torch.load(folder / "model.pt")
    assert list(weights) == list(ours)
    for name, weight in weights.items():
        assert weight.numpy().tobytes() == ours[name].numpy().tobytes(), name


def test_mnist_interrupted_and_resumed_gives_the_same_bits(unbroken, tmp_path):
    whole, _ = unbroken
    process = start("mnist", *MNIST, "--out", tmp_path)
    for line in process.stdout:
        if line.startswith("epoch 1:"):
            break  # epoch 2 has begun
    process.send_signal(signal.SIGINT)
    text, err = process.communicate(timeout=100)
    assert process.returncode == 130 and "--resume goes on" in text, f"{process.returncode}\n{text}\n{err}"
    state = checkpoint(tmp_path)
    assert state["epoch"] == 1 and 0 < state["step"] < STEPS, "not in the middle of an epoch"
    assert not (tmp_path / "model.pt").exists()

    text = output(start("mnist", *MNIST, "--out", tmp_path, "--resume"))
    assert f"1 of 3 epochs and {state['step']} of {STEPS} steps done" in text
    assert_same_bits(checkpoint(tmp_path), checkpoint(whole), "checkpoint")
    assert_same_bits(torch.load(tmp_path / "model.pt"), torch.load(whole / "model.pt"), "model")
    for name in PICTURES:
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes(), name


class Interrupting:
    """A loss that presses Ctrl-C: in every step of the training, or in every test."""

    def __init__(self, when):
        self.when = when

    def __call__(self, output, labels):
        if self.when == ("training" if output.requires_grad else "testing"):
            signal.raise_signal(signal.SIGINT)
        return nn.functional.cross_entropy(output, labels)


def trainer(load, out, when="never", **changes):
    """A run of 3 epochs of 4 steps in which everything that has state or draws numbers takes part."""
    numpy = np.random.default_rng(0)
    images = torch.from_numpy(numpy.standard_normal((30, 2, 6, 6), np.float32))
    labels = torch.from_numpy(numpy.integers(0, 3, 30))
    torch.manual_seed(5)
    layers = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 3)
    model = nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=12)
    settings = {"batch_size": 8, "epochs": 3, "seed": 5, "out": out} | changes
    return load("training").Trainer(
        model,
        optimizer,
        scheduler,
        Interrupting(when),
        TensorDataset(images, labels),
        TensorDataset(images[:9], labels[:9]),
        augment=lambda x: x + 0.1 * torch.randn(x.shape),
        **settings,
    )


@pytest.mark.parametrize(("when", "parts"), [("training", 13), ("testing", 3)])
def test_a_run_in_pieces_gives_the_same_bits(load, tmp_path, when, parts):
    """Interrupted at every step, also at the first and last of an epoch; or each time while it tests."""
    assert trainer(load, tmp_path / "whole").fit()
    run, number = trainer(load, tmp_path / "pieces", when), 1
    while not run.fit():
        run = trainer(load, tmp_path / "pieces", when)
        run.resume()
        number += 1
    assert number == parts
    assert_same_bits(checkpoint(tmp_path / "pieces"), checkpoint(tmp_path / "whole"), "checkpoint")


def test_a_second_interruption_ends_the_run_at_once(load, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    run = trainer(load, tmp_path)
    run.loss = lambda output, labels: [signal.raise_signal(signal.SIGINT) for _ in range(2)]
    with pytest.raises(KeyboardInterrupt):
        run.fit()
    assert signal.getsignal(signal.SIGINT) is before
    assert not run.checkpoint.exists()


def test_resume_refuses_the_checkpoint_of_another_run(load, tmp_path):
    with pytest.raises(SystemExit, match=r"nothing to go on from: .*checkpoint\.pt does not exist"):
        trainer(load, tmp_path).resume()
    trainer(load, tmp_path).fit()
    with pytest.raises(SystemExit, match=r"another run: batch_size 8, not 10; seed 5, not 6$"):
        trainer(load, tmp_path, batch_size=10, seed=6).resume()


@pytest.mark.parametrize(("model", "more"), [("lenet", ["--lr", "0.01"]), ("resnet", ["--batch-size", "16"])])
def test_cifar10(load, monkeypatch, tmp_path, capsys, model, more):
    cifar10 = load("cifar10")
    monkeypatch.setattr(cifar10, "CIFAR10", Colours)
    arguments = ["--model", model, "--fraction", "0.8", "--epochs", "2", "--out", str(tmp_path), *more]
    assert cifar10.main(arguments) == 0
    text = capsys.readouterr().out
    (right,) = numbers(r"([\d.]+)% of 24 test images right", text)
    assert right > 60  # guessing gives a third
    assert_pictures(tmp_path, *PICTURES)
    assert cifar10.main([*arguments, "--resume"]) == 0  # of a run that is over: the same report once more
    again = capsys.readouterr().out
    assert "2 of 2 epochs" in again and again.splitlines()[-6:] == text.splitlines()[-6:]


def test_crop_and_flip(load):
    """Every result is a window of the padded image or of its mirror image; all places and both sides occur."""
    cifar10 = load("cifar10")
    torch.manual_seed(0)
    image = torch.arange(1, 3 * 6 * 6 + 1).view(1, 3, 6, 6).float()
    drawn = cifar10.crop_and_flip(image.expand(2000, -1, -1, -1)).numpy()
    padded = np.pad(image[0].numpy(), ((0, 0), (4, 4), (4, 4)))
    windows = {}
    for down in range(9):
        for right in range(9):
            window = padded[:, down : down + 6, right : right + 6]
            windows[window.tobytes()] = (down, right, False)
            windows[window[:, :, ::-1].tobytes()] = (down, right, True)
    assert {windows[np.ascontiguousarray(one).tobytes()] for one in drawn} == set(windows.values())


def test_mlp_from_scratch():
    text = output(start("mlp_from_scratch"))
    assert len(numbers(r"gradient of \w+: the three differ by at most (\S+)", text)) == 4
    assert max(numbers(r"the three differ by at most (\S+)", text)) < 1e-6
    theirs, ours = re.findall(r"loss: minitorch2 (\S+), forty lines (\S+)", text)[0]
    assert float(theirs) == pytest.approx(float(ours), abs=1e-6)
    assert numbers(r"([\d.]+)% of the test digits", text)[-1] > 85


def test_custom_function():
    text = output(start("custom_function"))
    assert re.findall(r"agrees with differences: +(\w+)", text) == ["True", "True"]
    assert "[0.0, 0.126928" in text and "1000.0]\n" in text  # no overflow at either end
    assert numbers(r"([\d.]+)% of the test digits", text)[-1] > 85


def test_second_derivatives():
    text = output(start("second_derivatives"))
    assert "Newton on Rosenbrock: (1.0000000000, 1.0000000000)" in text
    assert numbers(r"largest error (\S+)", text) < [1e-12]
    penalties = numbers(r"step +\d+: (\S+)", text)
    assert penalties[-1] < 0.05 < penalties[0]
    assert numbers(r"distance from sin\(t\) (\S+)", text) < [1e-2]


@pytest.mark.parametrize(
    ("model", "steps", "bound"),
    # Few steps: rounding differs from the first, and a training run amplifies it without limit. Before a batch norm
    # many gradients are near zero, and Adam makes full steps of them, either way: after two steps the losses differ by
    # 3e-5 with the compiled convolution, whose sums are in another order than torch's (by 2e-7 with im2col's).
    [("mlp", 20, 1e-5), ("cnn", 4, 1e-5), ("batchnorm", 2, 1e-4)],
)
def test_compare_with_torch(load, tmp_path, capsys, model, steps, bound):
    pytest.importorskip("torch")
    arguments = ["--model", model, "--steps", str(steps), "--out", str(tmp_path)]
    assert load("compare_with_torch").main(arguments) == 0
    text = capsys.readouterr().out
    assert numbers(r"largest difference ([\d.e+-]+)", text)[0] < bound
    assert 2.2 < numbers(r"loss ([\d.]+) ->", text)[0] < 2.5  # ln 10 and what the start adds
    assert (tmp_path / f"{model}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", WITH_ARGUMENTS)
def test_help_and_wrong_arguments(load, capsys, name):
    main = load(name).main
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert f"python examples/{name}.py" in capsys.readouterr().out
    for wrong in (["--fraction", "0"], ["--fraction", "1.5"], ["--model", "transformer"]):
        with pytest.raises(SystemExit) as end:
            main(wrong)
        assert end.value.code == 2 and wrong[0] in capsys.readouterr().err


def test_only_the_comparison_needs_torch():
    needing = [
        path.stem for path in EXAMPLES.glob("*.py") if re.search(r"^\s*(import|from) torch\b", path.read_text(), re.M)
    ]
    assert needing == ["compare_with_torch"]
