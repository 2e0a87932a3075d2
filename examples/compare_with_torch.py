"""The same program in PyTorch and in minitorch2, from one seed: the two loss curves on top of each other.

    pip install -c constraints.txt -e '.[examples,test]'    (this example needs torch)
    python examples/compare_with_torch.py                   the MNIST network, with dropout
    python examples/compare_with_torch.py --model mlp --steps 300

Both frameworks draw their own initial weights, shuffle their own batches and drop their own units; nothing is
copied from one to the other. What is left is the order in which floats are added, and a training run
amplifies that: as a measure of it, PyTorch is also compared with itself on one thread and with itself without
oneDNN's convolutions (--control), which add in other orders too.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from minitorch2.vision.datasets import MiniMNIST
from minitorch2.viz.figure import SERIES, STYLE, matplotlib_modules, new_figure, save


def build(torch, model: str):
    """The network, written once for both."""
    nn = torch.nn
    if model == "mlp":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
        )
    norm = nn.BatchNorm2d if model == "batchnorm" else lambda channels: nn.Identity()
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        norm(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        norm(64),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )


def train(framework: str, args) -> list[float]:
    """The losses of `--steps` steps. The program does not know which framework it was given."""
    torch = importlib.import_module(framework)
    data = importlib.import_module(f"{framework}.utils.data")
    digits = MiniMNIST(train=True)
    images = torch.from_numpy(digits.data.numpy()).unsqueeze(1).float() / 255
    labels = torch.from_numpy(digits.targets.numpy())

    torch.manual_seed(args.seed)
    net = build(torch, args.model)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    loader = data.DataLoader(data.TensorDataset(images, labels), batch_size=args.batch_size, shuffle=True)
    losses: list[float] = []
    while True:
        for x, y in loader:
            if len(losses) == args.steps:
                return losses
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())


def draw(ours, theirs, model: str, path: Path) -> None:
    mpl = matplotlib_modules()
    steps = range(1, len(ours) + 1)
    with mpl.rc_context(STYLE):
        figure = new_figure(7.2, 5.6)
        figure.suptitle(f"One seed, two frameworks: {model}", fontsize=13, fontweight="bold")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        top.plot(steps, theirs, color=SERIES[1], linewidth=4, alpha=0.5, label="PyTorch")
        top.plot(steps, ours, color=SERIES[0], linewidth=1.2, label="minitorch2")
        top.set_ylabel("Loss")
        top.legend()
        differences = [abs(a - b) for a, b in zip(ours, theirs, strict=True)]
        bottom.plot(steps, differences, color=SERIES[2], linewidth=1, marker=".", markersize=4)
        bottom.set_yscale("symlog", linthresh=1e-7)  # linear below, so that 0 has a place
        bottom.set_ylim(-3e-8, 10 * max(*differences, 1e-6))
        bottom.yaxis.set_major_locator(mpl.ticker.SymmetricalLogLocator(base=10, linthresh=1e-7))
        bottom.set_ylabel("|difference|")
        bottom.set_xlabel("Step")
        for axes in (top, bottom):
            axes.grid(True, linewidth=0.8)
            axes.set_axisbelow(True)
        save(figure, path)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=["mlp", "cnn", "batchnorm"], default="cnn")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--control", action="store_true", help="compare PyTorch with itself, too")
    parser.add_argument("--out", default="runs/compare", help="where the picture goes")
    args = parser.parse_args(argv)
    try:
        import torch
    except ImportError:
        print(
            "this example needs PyTorch, to compare with: pip install -c constraints.txt torch",
            file=sys.stderr,
        )
        return 1
    theirs, ours = train("torch", args), train("minitorch2", args)
    largest = _largest_difference(ours, theirs)
    path = Path(args.out) / f"{args.model}.png"
    draw(ours, theirs, args.model, path)
    print(
        f"{args.model}, {args.steps} steps: loss {ours[0]:.6f} -> {ours[-1]:.6f}; "
        f"largest difference {largest:.1e}; {path}"
    )
    if args.control:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        alone = train("torch", args)
        torch.set_num_threads(threads)
        with torch.backends.mkldnn.flags(enabled=False, allow_tf32=None):
            plain = train("torch", args)
        for other, losses in (("PyTorch on one", alone), ("itself without oneDNN", plain)):
            difference = _largest_difference(theirs, losses)
            print(f"PyTorch on {threads} threads against {other}: largest difference {difference:.1e}")
    return 0


def _largest_difference(a, b) -> float:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


if __name__ == "__main__":
    sys.exit(main())
