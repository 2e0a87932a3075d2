"""The examples that start from somebody's weights, on little data, without the network: made-up weights and images."""

import importlib
import re
from pathlib import Path

import pytest
from example_cases import Colours, assert_pictures

import minitorch2 as torch
from minitorch2.vision.models import efficientnet_lite0

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture
def load(monkeypatch):
    """Imports an example."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module


def accuracies(text: str, *stages: str) -> list[float]:
    found = [re.search(rf"^{stage} +([\d.]+)% of the test images right$", text, re.M) for stage in stages]
    assert all(found), text
    return [float(match[1]) for match in found]


@pytest.fixture
def digits(load, tmp_path):
    """The arguments of finetune_digits.py for weights of nobody and 200 of the digits that ship with the package."""
    torch.manual_seed(0)
    torch.save(load("finetune_digits").DigitNet().state_dict(), tmp_path / "weights.pt")
    files = ["--weights", tmp_path / "weights.pt", "--out", tmp_path / "out", "--root", tmp_path / "data"]
    return [*map(str, files), "--data", "mini", "--fraction", "0.04", "--epochs", "3"]


def test_digits(load, digits, tmp_path, capsys):
    example = load("finetune_digits")
    assert example.main(digits) == 0
    text = capsys.readouterr().out
    assert "of 1,000 digits right, as it came" in text and "200 training and 1,000 test images of 4 classes" in text
    assert "loaded 8 of 10 tensors" in text
    _, free, _ = accuracies(text, "convolutions frozen", "then all free", "from random weights")
    assert free > 40  # guessing gives a quarter
    assert_pictures(tmp_path / "out", "mistakes.png")
    net = example.DigitNet(4)
    net.load_state_dict(torch.load(tmp_path / "out" / "model.pt"))
    assert not (tmp_path / "data").exists()  # nothing was downloaded


@pytest.fixture
def cifar(load, monkeypatch, tmp_path):
    """(the example, its arguments for weights of nobody and coloured images)"""
    example = load("finetune_imagenet_to_cifar")
    monkeypatch.setattr(example, "CIFAR10", Colours)
    torch.manual_seed(0)
    net = efficientnet_lite0()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the statistics of these images: what a trained network has of its own
    with torch.no_grad():
        net(example.enlarged(Colours(None).data, 32))
    torch.save(net.state_dict(), tmp_path / "weights.pt")
    files = ["--weights", tmp_path / "weights.pt", "--out", tmp_path / "out", "--root", tmp_path / "data"]
    return example, [
        *map(str, files),
        "--fraction",
        "1",
        "--size",
        "32",
        "--epochs",
        "2",
        "--batch-size",
        "16",
        "--patience",
        "9",
    ]


def test_imagenet_to_cifar(load, cifar, monkeypatch, tmp_path, capsys):
    example, arguments = cifar
    assert example.main(arguments) == 0
    text = capsys.readouterr().out
    assert "loaded 294 of 296 tensors" in text and "108 images to train, 12 to validate, 30 to test" in text
    head, blocks, _ = accuracies(text, "a new last layer", "the last 4 blocks, too", "from random weights")
    assert max(head, blocks) > 45  # guessing gives a third, and these are not the weights for anything
    assert_pictures(tmp_path / "out", "curves.png", "confusion_matrix.png", "mistakes.png")
    net = efficientnet_lite0(3)
    net.load_state_dict(torch.load(tmp_path / "out" / "best.pt"))

    # Again: the features come from disk, and everything else is as before.
    def fail(*_):
        raise AssertionError("the first blocks were run again")

    monkeypatch.setattr(example, "first_blocks", fail)
    monkeypatch.setattr(example, "from_scratch", lambda *_: (net, 0))
    assert example.main(arguments) == 0
    assert accuracies(capsys.readouterr().out, "a new last layer", "the last 4 blocks, too") == [head, blocks]
    # Other images have other features.
    with pytest.raises(AssertionError, match="run again"):
        example.main([*arguments, "--fraction", "0.5"])


def test_cut_anywhere_the_network_is_the_same(load, cifar):
    example, _ = cifar
    net = efficientnet_lite0(7).eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        whole = net(x)
        for last in (1, 4, 15):
            cut = net._fc(example.last_blocks(net, example.first_blocks(net, x, last), last))
            assert torch.equal(whole, cut)


class Fixed:
    """A stage whose validation is given: right[i] of the ten images after epoch i."""

    def __init__(self, load, right, tmp_path, patience):
        self.net, self.right, self.epoch = torch.nn.Linear(1, 2), iter(right), -1
        labels = torch.zeros(10, dtype=torch.int64)
        fit = load("finetuning").Fit(self.net, labels, labels, tmp_path / "best.pt", batch_size=5, patience=patience)
        optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)
        fit.stage("stage", self.forward, self.held, optimizer, len(right) - 1)
        self.history = fit.history

    def forward(self, at):
        return self.net(torch.ones(len(at), 1))

    def held(self):
        self.epoch += 1
        with torch.no_grad():
            self.net.bias[0] = self.epoch  # a mark of when the weights were kept
        wrong = 10 - next(self.right)
        return torch.tensor([[0.0, 1.0]] * wrong + [[1.0, 0.0]] * (10 - wrong))


@pytest.mark.parametrize(
    ("right", "patience", "epochs", "kept"),
    [
        ([5, 6, 7, 8], 2, 3, 3),  # better each time
        ([5, 7, 6, 6, 9], 2, 3, 1),  # two epochs without a better one
        ([8, 5, 6], 5, 2, 0),  # never as good as before it began
        ([5, 6, 6, 5], 3, 3, 1),  # the first of equals
    ],
)
def test_a_stage_keeps_its_best_epoch_and_stops(load, tmp_path, right, patience, epochs, kept):
    stage = Fixed(load, right, tmp_path, patience)
    assert len(stage.history["val_accuracy"]) == epochs
    assert stage.history["val_accuracy"] == [number / 10 for number in right[1 : epochs + 1]]
    assert stage.net.bias[0].item() == kept


@pytest.mark.parametrize("name", ["finetune_digits", "finetune_imagenet_to_cifar"])
def test_help_and_wrong_arguments(load, capsys, name):
    main = load(name).main
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert f"python examples/{name}.py" in capsys.readouterr().out
    for wrong in (["--fraction", "0"], ["--fraction", "1.5"]):
        with pytest.raises(SystemExit) as end:
            main(wrong)
        assert end.value.code == 2 and wrong[0] in capsys.readouterr().err
