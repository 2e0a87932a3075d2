"""A PyTorch network for digits, loaded without PyTorch and fine-tuned to clothes.

    python examples/finetune_digits.py               MNIST and Fashion-MNIST, downloaded into data/
    python examples/finetune_digits.py --data mini   the digits that ship with the package, and another question on them

Its weights come from the package digit-recognizer-py. First it reads digits; then it gets a new last layer and learns
Fashion-MNIST from few images, the convolutions frozen at first, then with everything free and smaller steps for what is
already trained. For comparison the same network learns from random weights for the same time. (Clothes are not digits:
from tens of thousands of images the random weights do as well.)
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import pretrained
from training import keep, normalised, share

import minitorch2 as torch
import minitorch2.nn as nn
import minitorch2.nn.functional as F
from minitorch2 import viz
from minitorch2.serialization import find_state_dict, load_matching
from minitorch2.utils.data import DataLoader, TensorDataset
from minitorch2.vision.datasets import MNIST, FashionMNIST, MiniMNIST

MEAN, STD = [0.1307], [0.3081]  # what the network was trained with
MINI_CLASSES = ["even, below 5", "even, from 5", "odd, below 5", "odd, from 5"]


class DigitNet(nn.Module):
    """The names are those of the checkpoint."""

    def __init__(self, classes=10):
        super().__init__()
        self.conv_layers = nn.Sequential(
            *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        )
        self.fc_layers = nn.Sequential(nn.Linear(128 * 3 * 3, 256), nn.ReLU(), nn.Linear(256, classes))

    def forward(self, x):  # (N, 1, 28, 28)
        return self.fc_layers(torch.flatten(self.conv_layers(x), 1))  # (N, classes)


@torch.no_grad()
def accuracy(net, data) -> float:
    net.eval()
    right = sum(int((net(x).argmax(1) == y).sum()) for x, y in DataLoader(data, batch_size=500))
    return right / len(data)


def train(net, optimizer, data, epochs=None, seconds=None) -> float:
    """So many epochs, or for so long; returns the time it took."""
    net.train()
    started, epoch = time.perf_counter(), 0
    while epochs is None or epoch < epochs:
        for x, y in DataLoader(data, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
            if seconds is not None and time.perf_counter() - started >= seconds:
                return time.perf_counter() - started
        epoch += 1
    return time.perf_counter() - started


def another_question(digits):
    """Instead of the digit itself: whether it is odd, and whether it is at least five."""
    digits.targets = 2 * (digits.targets % 2) + (digits.targets >= 5).long()
    return digits


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", choices=["full", "mini"], default="full", help="MNIST and Fashion-MNIST, or 6,000 digits"
    )
    parser.add_argument("--root", default="data", help="where data and weights lie or are downloaded to")
    parser.add_argument("--weights", help="the checkpoint, if it lies elsewhere")
    parser.add_argument("--out", default="runs/finetune_digits", help="where weights and picture go")
    parser.add_argument("--fraction", type=share, default=0.01, help="how much of the training images to use, up to 1")
    parser.add_argument("--epochs", type=int, default=8, help="of each of the two stages")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)

    checkpoint = torch.load(args.weights or pretrained.find(pretrained.DIGITS, args.root))
    net = DigitNet()
    net.load_state_dict(checkpoint)
    mini = args.data == "mini"
    digits = MiniMNIST(train=False) if mini else MNIST(args.root, train=False, download=True)
    print(f"{accuracy(net, normalised(digits, MEAN, STD)):.2%} of {len(digits):,} digits right, as it came")

    if mini:
        train_set, test_set = another_question(MiniMNIST(train=True)), another_question(MiniMNIST(train=False))
    else:
        train_set, test_set = (FashionMNIST(args.root, train=part, download=True) for part in (True, False))
    classes = MINI_CLASSES if mini else FashionMNIST.classes
    train_data, test_data = (normalised(part, MEAN, STD) for part in (keep(train_set, args.fraction), test_set))
    print(f"the new task: {len(train_data):,} training and {len(test_data):,} test images of {len(classes)} classes\n")

    torch.manual_seed(args.seed)
    net = DigitNet(len(classes))
    # A new head in any case, even where it has the old one's shape: it answers another question.
    print(load_matching(net, find_state_dict(checkpoint), skip="fc_layers.2.*"), "\n")
    results = {}

    # Frozen: the convolutions' outputs never change, so they are computed once.
    net.conv_layers.requires_grad_(False)
    optimizer = torch.optim.Adam(net.fc_layers.parameters(), lr=1e-3)
    seconds = train(net.fc_layers, optimizer, _features(net, train_data), args.epochs)
    results["convolutions frozen"] = accuracy(net, test_data)

    net.conv_layers.requires_grad_(True)
    groups = [{"params": net.conv_layers.parameters(), "lr": 3e-4}, {"params": net.fc_layers.parameters()}]
    seconds += train(net, torch.optim.Adam(groups, lr=1e-3), train_data, args.epochs)
    results["then all free"] = accuracy(net, test_data)

    scratch = DigitNet(len(classes))
    train(scratch, torch.optim.Adam(scratch.parameters(), lr=1e-3), train_data, seconds=seconds)
    results["from random weights"] = accuracy(scratch, test_data)
    for stage, right in results.items():
        print(f"{stage:<20} {right:7.2%} of the test images right")
    print(f"({seconds:.0f} s of training for the first two together, and as long for the last)")
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), out / "model.pt")
    with torch.no_grad():
        guesses = torch.cat([net(x).argmax(1) for x, _ in DataLoader(test_data, batch_size=500)])
    viz.plot_misclassified(test_set.data, test_data.tensors[1], guesses.numpy(), out / "mistakes.png", classes=classes)
    print(f"{out / 'model.pt'}: the weights; {out / 'mistakes.png'}: test images it got wrong")
    return 0


@torch.no_grad()
def _features(net, data) -> TensorDataset:
    features = [torch.flatten(net.conv_layers(x), 1) for x, _ in DataLoader(data, batch_size=500)]
    return TensorDataset(torch.cat(features), data.tensors[1])


if __name__ == "__main__":
    sys.exit(main())
