"""How long a training step of torchvision's and timm's models, from their own code, takes in minitorch2 and in PyTorch.

    make packages                                          installs them into build/packages (and compares the numbers)
    python benchmarks/packages.py                          all of them: a quarter of an hour
    python benchmarks/packages.py timm resnet18 levit_128s      only these
    python benchmarks/packages.py --out                    also writes benchmarks/results/DATE-COMMIT-packages.json

Four images of each model's size, forward, backward and SGD, float32. A process of each framework makes a model, and
then they compute in turn; a ratio is the median of such pairs. `tools/compare_packages.py` holds the numbers of these
models to PyTorch's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import run
import workloads

sys.path.append(str(Path(__file__).resolve().parent.parent / "tools"))

PACKAGES = ("torchvision", "timm")
IMAGES = 4
LEAST = 3  # pairs


def serve(framework: str, package: str, threads: int) -> None:
    """A line of stdin is a number of seconds, to time steps for, or the name of the model to make next."""
    from compare_packages import MODELS, model_of
    from frameworks import become

    torch, step = become(framework), None
    torch.set_num_threads(threads)
    workloads.say(models=MODELS[package])
    for line in map(str.strip, sys.stdin):
        if line[0].isdigit():
            workloads.say(seconds=workloads.slice_of(step, float(line)))
        else:
            step = step_of(torch, *model_of(torch, package, line)[:2])
            step()
            workloads.say(made=line)
    workloads.say_peak()


def step_of(torch: Any, model: Any, inputs: tuple[Any, ...]) -> Any:
    """A step of training with IMAGES images of the size of the input."""
    torch.manual_seed(0)
    images = torch.randn(IMAGES, *inputs[0].shape[1:])
    optimizer = torch.optim.SGD(model.train().parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        y = model(images)
        y = y.logits if hasattr(y, "logits") else y[0] if isinstance(y, tuple | list) else y
        y.square().mean().backward()
        optimizer.step()

    return step


def measure(workers: dict[str, run.Worker], name: str, seconds: float) -> dict[str, float]:
    """The medians of both frameworks, and of the ratios of pairs: LEAST of them, and as many as `seconds` take."""
    for worker in workers.values():
        worker.ask(name)
    pairs: list[tuple[float, float]] = []
    end = time.perf_counter() + 2 * seconds
    while len(pairs) < LEAST or time.perf_counter() < end:
        ours, theirs = (worker.ask(str(run.SLICE))["seconds"] for worker in workers.values())
        pairs.append((ours, theirs))
    ours, theirs = (statistics.median(each) for each in zip(*pairs, strict=True))
    return {run.OURS: ours, run.THEIRS: theirs, "ratio": statistics.median(a / b for a, b in pairs)}


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
        serve(args.child, args.package, args.threads)
        return 0

    about, found = run.introduce(args), {}
    for package in [args.package] if args.package else PACKAGES:
        frameworks = run.OURS, run.THEIRS
        workers = {each: run.Worker(args, __file__, package, "--child", each) for each in frameworks}
        for name in args.models or workers[run.OURS].first["models"]:
            found[f"{package} {name}"] = result = measure(workers, name, args.rounds * args.seconds)
            times = " / ".join(run.short_time(result[each]) for each in frameworks)
            print(f"{package:12}{name:34}{times:>22}{result['ratio']:>7.2f}", flush=True)
        for worker in workers.values():
            worker.end()
    ratios = [model["ratio"] for model in found.values()]
    mean = statistics.geometric_mean(ratios)
    print(f"{len(ratios)} models: geometric mean {mean:.2f}, {min(ratios):.2f} to {max(ratios):.2f}")
    run.write(args, about, {"images": IMAGES, "geometric_mean": mean, "models": found}, "-packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
