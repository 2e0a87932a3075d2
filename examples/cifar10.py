"""CIFAR-10 with LeNet or with a small ResNet.

    python examples/cifar10.py                              LeNet: minutes
    python examples/cifar10.py --model resnet               ResNet-20 with augmentation: long on a CPU
    python examples/cifar10.py --model resnet --fraction 0.1 --epochs 5

The data is downloaded into data/ at first; Ctrl-C leaves a checkpoint and --resume goes on from it.
"""

from __future__ import annotations

import argparse
import sys

from training import Trainer, keep, normalised, share

import minitorch2 as torch
import minitorch2.nn as nn
import minitorch2.nn.functional as F
from minitorch2.vision.datasets import CIFAR10

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]  # of the training images, by channel


class LeNet(nn.Module):
    """LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998, for three channels."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):  # (N, 3, 32, 32)
        x = self.pool(F.relu(self.conv1(x)))  # (N, 6, 14, 14)
        x = self.pool(F.relu(self.conv2(x)))  # (N, 16, 5, 5)
        x = torch.flatten(x, 1)  # (N, 400)
        x = F.relu(self.fc2(F.relu(self.fc1(x))))  # (N, 84)
        return self.fc3(x)  # (N, 10)


class Block(nn.Module):
    """Two 3x3 convolutions and a way around them, which takes every second pixel where the shape changes."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.grow = outputs - inputs
        self.stride = stride

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.grow:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.grow))
        return F.relu(x + y)


class ResNet20(nn.Module):
    """He et al., "Deep Residual Learning for Image Recognition", 2015, section 4.2, n = 3."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        plan = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
        self.blocks = nn.Sequential(*(Block(*sizes) for sizes in plan))
        self.fc = nn.Linear(64, 10)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x):  # (N, 3, 32, 32)
        x = F.relu(self.bn(self.conv(x)))  # (N, 16, 32, 32)
        x = self.blocks(x)  # (N, 64, 8, 8)
        return self.fc(x.mean((2, 3)))  # (N, 10)


def crop_and_flip(images):
    """Each image moved by up to 4 pixels, zeros coming in, and mirrored in one of two cases."""
    n, _, height, width = images.shape
    padded = F.pad(images, (4, 4, 4, 4))
    down, right = torch.randint(0, 9, (n, 1, 1)), torch.randint(0, 9, (n, 1, 1))
    mirrored = torch.rand(n, 1, 1) < 0.5
    column = torch.arange(width).view(1, 1, -1)
    column = torch.where(mirrored, width - 1 - column, column) + right  # (N, 1, W)
    row = torch.arange(height).view(1, -1, 1) + down  # (N, H, 1)
    image = torch.arange(n).view(-1, 1, 1)
    return padded[image, :, row, column].permute(0, 3, 1, 2).contiguous()  # indexed as (N, H, W, C)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=["lenet", "resnet"], default="lenet")
    parser.add_argument("--root", default="data", help="where the data set lies or is downloaded to")
    parser.add_argument("--out", default="runs/cifar10", help="where checkpoint and pictures go")
    parser.add_argument("--fraction", type=share, default=1.0, help="how much of the images to use, up to 1")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, help="4 for lenet, 128 for resnet")
    parser.add_argument("--lr", type=float, help="0.001 for lenet, 0.2 (the peak of one cycle) for resnet")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    args = parser.parse_args(argv)

    train, test = CIFAR10(args.root, train=True, download=True), CIFAR10(args.root, train=False)
    classes = train.classes
    train, test = keep(train, args.fraction), keep(test, args.fraction)

    torch.manual_seed(args.seed)
    resnet = args.model == "resnet"
    model = ResNet20() if resnet else LeNet()
    batch_size = args.batch_size or (128 if resnet else 4)
    lr = args.lr or (0.2 if resnet else 0.001)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4 if resnet else 0.0)
    steps = args.epochs * -(-len(train) // batch_size)
    if resnet:
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=steps)
    else:
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    trainer = Trainer(
        model,
        optimizer,
        scheduler,
        F.cross_entropy,
        normalised(train, MEAN, STD),
        normalised(test, MEAN, STD),
        batch_size=batch_size,
        epochs=args.epochs,
        seed=args.seed,
        out=args.out,
        augment=crop_and_flip if resnet else None,
    )
    if args.resume:
        trainer.resume()
    if not trainer.fit():
        return 130
    trainer.report(f"CIFAR-10, {args.model}", classes, test.data.transpose(0, 3, 1, 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
