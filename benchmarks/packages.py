"""How long a training step of torchvision's and timm's models, from their own code, takes in minitorch2 and in PyTorch.

    make packages                                          installs them into build/packages (and compares the numbers)
    python benchmarks/packages.py                          all of them: a quarter of an hour
    python benchmarks/packages.py timm resnet18 levit_128s      only these
    python benchmarks/packages.py --out                    also writes benchmarks/results/DATE-COMMIT-packages.json

Four images of each model's size, forward, backward and SGD, float32. A process of a framework takes one model after the
other, so a ratio is not of pairs taken in turn, as run.py's are: differences of a tenth are noise. What takes a model
much longer than PyTorch is worth a look; `tools/compare_packages.py` holds the numbers of these models to PyTorch's.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

import ops
import run

sys.path.append(str(Path(__file__).resolve().parent.parent / "tools"))

PACKAGES = ("torchvision", "timm")
IMAGES = 4


def step_times(framework: str, package: str, names: list[str], threads: int, seconds: float) -> dict[str, float]:
    """{model: seconds of a step} in this process."""
    from compare_packages import MODELS, model_of
    from frameworks import become

    torch = become(framework)
    torch.set_num_threads(threads)
    times = {}
    for name in names or MODELS[package]:
        torch.manual_seed(0)
        model, (images,), _ = model_of(torch, package, name)
        images = torch.randn(IMAGES, *images.shape[1:])
        optimizer = torch.optim.SGD(model.train().parameters(), lr=1e-3)

        def step(model: Any = model, images: Any = images, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            y = model(images)
            y = y.logits if hasattr(y, "logits") else y[0] if isinstance(y, tuple | list) else y
            y.square().mean().backward()
            optimizer.step()

        times[name] = ops.median_time(step, seconds)
    return times


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", nargs="?", choices=PACKAGES, help="both without it")
    parser.add_argument(
        "models", nargs="*", metavar="model", help="of that package; those of make packages without any"
    )
    run.add_options(parser, rounds=1, seconds=1.5)
    parser.add_argument("--child", choices=[run.OURS, run.THEIRS], help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.child:
        print(json.dumps(step_times(args.child, args.package, args.models, args.threads, args.seconds)))
        return 0

    about, found = run.introduce(args), {}
    options = ["--threads", str(args.threads), "--seconds", str(args.seconds)]
    for package in [args.package] if args.package else PACKAGES:
        runs: dict[str, list[dict[str, float]]] = {run.OURS: [], run.THEIRS: []}
        for _ in range(args.rounds):
            for framework, measured in runs.items():
                child = package, *args.models, "--child", framework, *options
                measured.append(run.in_process(__file__, args, *child))
        for name in runs[run.OURS][0]:
            ours, theirs = (statistics.median(r[name] for r in runs[framework]) for framework in runs)
            found[f"{package} {name}"] = {run.OURS: ours, run.THEIRS: theirs, "ratio": ours / theirs}
            times = f"{run.short_time(ours)} / {run.short_time(theirs)}"
            print(f"{package:12}{name:34}{times:>22}{ours / theirs:>7.2f}", flush=True)
    ratios = [model["ratio"] for model in found.values()]
    mean = math.exp(statistics.fmean(map(math.log, ratios)))
    print(f"{len(ratios)} models: geometric mean {mean:.2f}, {min(ratios):.2f} to {max(ratios):.2f}")
    run.write(args, about, {"images": IMAGES, "geometric_mean": mean, "models": found}, "-packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
