"""The MNIST network: two convolutions, pooling, dropout, two linear layers; 99 % right in minutes on a CPU.

    python examples/mnist.py                 the full MNIST (downloaded into data/), results in runs/mnist
    python examples/mnist.py --data mini     the 6,000 digits that ship with the package: no network needed
    python examples/mnist.py --resume        goes on where an interrupted run stopped

Ctrl-C ends a run after the step it is in and leaves a checkpoint.
"""

from __future__ import annotations

import argparse
import sys

from training import Trainer, keep, normalised, share

import minitorch2 as torch
import minitorch2.nn as nn
import minitorch2.nn.functional as F
from minitorch2.vision.datasets import MNIST, MiniMNIST, load_or_mini

MEAN, STD = [0.1307], [0.3081]  # of the training images


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):  # (N, 1, 28, 28)
        x = F.relu(self.conv1(x))  # (N, 32, 26, 26)
        x = F.relu(self.conv2(x))  # (N, 64, 24, 24)
        x = F.max_pool2d(x, 2)  # (N, 64, 12, 12)
        x = torch.flatten(self.dropout1(x), 1)  # (N, 9216)
        x = F.relu(self.fc1(x))  # (N, 128)
        x = self.fc2(self.dropout2(x))  # (N, 10)
        return F.log_softmax(x, dim=1)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=["full", "mini"], default="full", help="all of it, or 6,000 digits")
    parser.add_argument("--root", default="data", help="where the data set lies or is downloaded to")
    parser.add_argument("--out", default="runs/mnist", help="where checkpoint and pictures go")
    parser.add_argument("--fraction", type=share, default=1.0, help="how much of the images to use, up to 1")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-3, help="the peak of the one-cycle schedule")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    args = parser.parse_args(argv)

    if args.data == "mini":
        train, test = MiniMNIST(train=True), MiniMNIST(train=False)
    else:
        train = load_or_mini(args.root, train=True)
        full = type(train) is MNIST
        test = MNIST(args.root, train=False, download=True) if full else MiniMNIST(train=False)
    train, test = keep(train, args.fraction), keep(test, args.fraction)

    torch.manual_seed(args.seed)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    steps = args.epochs * -(-len(train) // args.batch_size)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=args.lr, total_steps=steps)
    trainer = Trainer(
        model,
        optimizer,
        scheduler,
        F.nll_loss,
        normalised(train, MEAN, STD),
        normalised(test, MEAN, STD),
        batch_size=args.batch_size,
        epochs=args.epochs,
        seed=args.seed,
        out=args.out,
    )
    parameters = sum(p.numel() for p in model.parameters())
    print(
        f"{len(train):,} training and {len(test):,} test images; {parameters:,} parameters; "
        f"{torch.get_num_threads()} threads"
    )
    if args.resume:
        trainer.resume()
    if not trainer.fit():
        return 130
    trainer.report("MNIST", [str(digit) for digit in range(10)], test.data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
