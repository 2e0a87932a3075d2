"""EfficientNet-lite0, which others trained on ImageNet's photographs, learns CIFAR-10's classes in minutes.

    python examples/finetune_imagenet_to_cifar.py                   4,000 images: minutes on two cores
    python examples/finetune_imagenet_to_cifar.py --fraction 1      all 50,000: more than ten times as long
    python examples/finetune_imagenet_to_cifar.py --size 96         half the time, for some of the accuracy

The first blocks stay as they are, so what they make of an image is computed once and kept in ROOT/features. On top of
that a new last layer is trained, then the last blocks as well, with smaller steps. A tenth of the images validates: the
best epoch is kept, and training ends when no better one comes. Then the same network, from random weights, gets the
same images for as long as all of this took.

The size decides: enlarged to 64, 96, 128 and 160 pixels, the last layer alone reached 66, 77, 82 and 84 % with 3,000
images, whose features cost 6, 12, 21 and 29 ms of one core each.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import pretrained
from finetuning import Fit, computed_once, in_batches
from training import keep, share

import minitorch2 as torch
import minitorch2.nn as nn
import minitorch2.nn.functional as F
from minitorch2 import metrics, viz
from minitorch2.serialization import load_matching
from minitorch2.vision.datasets import CIFAR10
from minitorch2.vision.models.efficientnet_lite import MEAN, STD, efficientnet_lite0


def enlarged(images, size):
    """uint8 (N, 32, 32, 3) as the network wants them: float (N, 3, size, size), normalised."""
    x = torch.as_tensor(images).permute(0, 3, 1, 2).float()
    x = F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)
    return (x - MEAN) / STD


def first_blocks(net, x, last):
    """Images (N, 3, size, size) through all but the `last` blocks: (N, 192, size/32, size/32) for the last 1 to 4."""
    x = F.relu6(net._bn0(net._conv_stem(x)))
    for block in net._blocks[:-last]:
        x = block(x)
    return x


def last_blocks(net, x, last):
    """What first_blocks gave, to the features (N, 1280) that the last layer sees."""
    for block in net._blocks[-last:]:
        x = block(x)
    return F.relu6(net._bn1(net._conv_head(x))).mean((2, 3))


def from_scratch(images, labels, classes, seconds, args):
    """The network from random weights, all of it trained on the images for that long; (net, images seen)."""
    net, seen, started = efficientnet_lite0(classes), 0, time.perf_counter()
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    while time.perf_counter() - started < seconds:
        for at in torch.randperm(len(labels)).split(args.batch_size):
            optimizer.zero_grad()
            F.cross_entropy(net(enlarged(images[at.numpy()], args.size)), labels[at]).backward()
            optimizer.step()
            seen += len(at)
            if time.perf_counter() - started >= seconds:
                break
    for norm in norms:  # a running average over so few batches is of weights long gone: average over a few now
        norm.reset_running_stats()
        norm.momentum = None
    with torch.no_grad():
        for at in torch.arange(min(len(labels), 512)).split(args.batch_size):
            net(enlarged(images[at.numpy()], args.size))
    return net.eval(), seen


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="where data, weights and features lie or are put")
    parser.add_argument("--weights", type=Path, help="the checkpoint, if it lies elsewhere")
    parser.add_argument("--out", type=Path, default=Path("runs/finetune"), help="where weights and pictures go")
    parser.add_argument("--fraction", type=share, default=0.08, help="how much of the images to use, up to 1")
    parser.add_argument("--size", type=int, default=128, help="what 32x32 pixels are enlarged to")
    parser.add_argument("--blocks", type=int, default=4, choices=range(1, 16), help="how many of the last to train")
    parser.add_argument("--epochs", type=int, default=3, help="at most, of the last blocks")
    parser.add_argument("--patience", type=int, default=2, help="epochs without a better one before training ends")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument(
        "--lr", type=float, default=0.01, help="the peak for the last blocks; the last layer's is twice"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)

    args.out.mkdir(parents=True, exist_ok=True)
    train, test = (keep(CIFAR10(args.root, train=part, download=True), args.fraction) for part in (True, False))
    classes, test_labels = train.classes, torch.as_tensor(test.targets)
    held = max(1, len(train) // 10)  # the last tenth validates
    labels, held_labels = torch.as_tensor(train.targets).split([len(train) - held, held])
    weights = args.weights or pretrained.find(pretrained.EFFICIENTNET_LITE0, args.root)
    torch.manual_seed(args.seed)
    net = efficientnet_lite0(len(classes))
    print(load_matching(net, torch.load(weights), skip="_fc.*"))  # a new last layer, whatever the number of classes
    print(f"{len(labels):,} images to train, {held:,} to validate, {len(test_labels):,} to test")

    # In evaluation mode from here on: BatchNorm keeps the statistics of a million photographs, and training moves its
    # scale and shift alone. With the statistics of its own batches it came out two points lower.
    net.eval()

    def maps(images, title):
        identity = images.tobytes(), weights.read_bytes(), f"{args.size} {args.blocks}".encode()
        compute = lambda x: first_blocks(net, enlarged(x, args.size), args.blocks)  # noqa: E731
        return computed_once(Path(args.root, "features"), identity, lambda: in_batches(compute, images, title))

    def features(x):
        return last_blocks(net, x, args.blocks)

    def logits(x):
        return net._fc(features(x))

    x, seconds = maps(train.data, "features to train with")
    test_x, _ = maps(test.data, "features to test with")
    x, held_x = x.split([len(labels), held])
    fit = Fit(net, labels, held_labels, args.out / "best.pt", batch_size=args.batch_size, patience=args.patience)
    fit.seconds = seconds

    started = time.perf_counter()
    seen, held_seen = in_batches(features, x), in_batches(features, held_x)
    fit.seconds += time.perf_counter() - started
    optimizer = torch.optim.Adam(net._fc.parameters(), lr=3e-3)
    fit.stage("last layer", lambda at: net._fc(F.dropout(seen[at], 0.2)), lambda: net._fc(held_seen), optimizer, 10)
    results = {"a new last layer": in_batches(logits, test_x)}

    blocks = [*net._blocks[-args.blocks :].parameters(), *net._conv_head.parameters(), *net._bn1.parameters()]
    groups = [{"params": blocks, "lr": args.lr}, {"params": net._fc.parameters(), "lr": 2 * args.lr}]
    optimizer = torch.optim.SGD(groups, lr=args.lr, momentum=0.9, weight_decay=1e-4)
    fit.stage(
        f"last {args.blocks} blocks",
        lambda at: net._fc(F.dropout(features(x[at]), 0.2)),
        lambda: in_batches(logits, held_x),
        optimizer,
        args.epochs,
    )
    results[f"the last {args.blocks} blocks, too"] = found = in_batches(logits, test_x)

    print(f"the same network from random weights, for the same {fit.seconds:.0f} s ...")
    scratch, count = from_scratch(train.data[:-held], labels, len(classes), fit.seconds, args)
    results["from random weights"] = in_batches(lambda images: scratch(enlarged(images, args.size)), test.data)
    for stage, output in results.items():
        print(f"{stage:<23} {metrics.accuracy(output, test_labels):7.2%} of the test images right")
    print(f"({fit.seconds:.0f} s for the first two, with the features; the last saw {count:,} images in that time)")

    guesses, pictures = found.argmax(1), test.data.transpose(0, 3, 1, 2)
    matrix = metrics.confusion_matrix(guesses, test_labels, len(classes))
    viz.plot_curves(fit.history, args.out / "curves.png", title="ImageNet to CIFAR-10: last layer, then last blocks")
    viz.plot_confusion_matrix(matrix, classes, args.out / "confusion_matrix.png")
    viz.plot_misclassified(pictures, test_labels, guesses, args.out / "mistakes.png", classes=classes)
    print(f"{args.out}: best.pt, the weights; curves.png, confusion_matrix.png and mistakes.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
