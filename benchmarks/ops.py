"""Times single operations of minitorch2 against PyTorch's: the map for work on speed.

    python benchmarks/ops.py                    every operation: a few minutes
    python benchmarks/ops.py conv softmax       those whose name contains one of these
    python benchmarks/ops.py --out              also writes benchmarks/results/DATE-COMMIT-ops.json

Each framework gets a process of its own in turn, as in run.py; in it each operation is run forward alone, and
forward and backward. The figures are medians, the ratio is minitorch2's time over PyTorch's.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import run

Case = Callable[[Any], tuple[list[Any], Callable[..., Any]]]  # framework -> the inputs, what is done with them
CASES: dict[str, Case] = {}


def case(name: str, operation: Callable[..., Any], *shapes: tuple[int, ...]) -> None:
    """`operation(torch, *inputs)` on normal random inputs of these shapes."""

    def make(torch: Any):
        return [torch.randn(shape) for shape in shapes], lambda *inputs: operation(torch, *inputs)

    CASES[name] = make


def layer(name: str, make_layer: Callable[[Any], Any], shape: tuple[int, ...]) -> None:
    """A layer on a normal random input; its parameters get gradients, too."""

    def make(torch: Any):
        module = make_layer(torch.nn)
        return [torch.randn(shape), *module.parameters()], lambda x, *_: module(x)

    CASES[name] = make


def indexed(
    name: str, operation: Callable[..., Any], below: int, of: tuple[int, ...], *shapes: tuple[int, ...]
) -> None:
    """As case; the operation's first argument after torch is an int64 tensor of shape `of`, numbers from 0 on."""

    def make(torch: Any):
        index = torch.randint(0, below, of)
        return [torch.randn(shape) for shape in shapes], lambda *inputs: operation(torch, index, *inputs)

    CASES[name] = make


def _cross_entropy(torch: Any):
    labels = torch.randint(0, 1000, (256,))
    return [torch.randn(256, 1000)], lambda x: torch.nn.functional.cross_entropy(x, labels)


def _embedding(torch: Any):
    indices = torch.randint(0, 1000, (16, 64))
    return [torch.randn(1000, 128)], lambda weight: torch.nn.functional.embedding(indices, weight)


def _optimizer(name: str, **options: Any) -> Case:
    def make(torch: Any):
        parameters = [torch.nn.Parameter(torch.randn(n)) for n in (1_179_648, 18_432, 1280, 288)]
        for p in parameters:
            p.grad = torch.randn_like(p)
        optimizer = getattr(torch.optim, name)(parameters, **options)
        return [], lambda: optimizer.step()

    return make


SMALL, IMAGES, LARGE = (10, 10), (64, 32, 26, 26), (1024, 1024)
GRID = (8, 32, 64, 64), (8, 64, 64, 2)
case("add 10x10", lambda torch, a, b: a + b, SMALL, SMALL)
case("add 1M", lambda torch, a, b: a + b, LARGE, LARGE)
case("mul by a row", lambda torch, a, b: a * b, LARGE, (1024,))
case("add a column", lambda torch, a, b: a + b, LARGE, (1024, 1))
case("mul by channels", lambda torch, a, b: a * b, IMAGES, (64, 32, 1, 1))
case("mul by channels, channels last", lambda torch, a, b: _channels_last(torch, a) * b, IMAGES, (64, 32, 1, 1))
case("mul by a number", lambda torch, a: a * 2.5, LARGE)
case("halves multiplied", lambda torch, a: torch.mul(*a.chunk(2, 1)), LARGE)
case("where", lambda torch, a, b: torch.where(a > 0, a, b), LARGE, LARGE)
case("masked fill", lambda torch, a: a.masked_fill(a > 0, 0.0), LARGE)
case("clamp", lambda torch, a: a.clamp(-1, 1), LARGE)
case("lerp", lambda torch, a, b: torch.lerp(a, b, 0.3), LARGE, LARGE)
case("abs", lambda torch, a: a.abs(), LARGE)
case("log", lambda torch, a: (a.abs() + 1).log(), LARGE)
case("erf 1M", lambda torch, a: a.erf(), LARGE)
case("silu 1M", lambda torch, a: torch.nn.functional.silu(a), LARGE)
case("softplus 1M", lambda torch, a: torch.nn.functional.softplus(a), LARGE)
layer("prelu", lambda nn: nn.PReLU(32), IMAGES)
case("glu 1M", lambda torch, a: torch.nn.functional.glu(a, 1), LARGE)
case("relu 1.4M", lambda torch, x: torch.relu(x), IMAGES)
case("exp 1M", lambda torch, x: torch.exp(x), LARGE)
case("tanh 1M", lambda torch, x: torch.tanh(x), LARGE)
case("sigmoid 1M", lambda torch, x: torch.sigmoid(x), LARGE)
case("gelu 0.5M", lambda torch, x: torch.nn.functional.gelu(x), (1024, 512))
case("sum 1M", lambda torch, x: x.sum(), LARGE)
case("sum of rows", lambda torch, x: x.sum(1), LARGE)
case("mean of columns", lambda torch, x: x.mean(0), LARGE)
case("sum over the middle", lambda torch, x: x.sum(1), (64, 64, 256))
case("mean of planes", lambda torch, x: x.mean((2, 3)), IMAGES)
case("std 1M", lambda torch, x: x.std(), LARGE)
case("norm of rows", lambda torch, x: x.norm(dim=1), LARGE)
case("cumsum of rows", lambda torch, x: x.cumsum(1), LARGE)
case("amax of rows", lambda torch, x: x.amax(1), LARGE)
case("sort 256x1024", lambda torch, x: x.sort(1).values, (256, 1024))
case("topk 256x1024", lambda torch, x: x.topk(5, 1).values, (256, 1024))
case("mse 1M", lambda torch, a, b: torch.nn.functional.mse_loss(a, b), LARGE, LARGE)
case("smooth l1 1M", lambda torch, a, b: torch.nn.functional.smooth_l1_loss(a, b), LARGE, LARGE)
case("max of rows", lambda torch, x: x.max(1).values, LARGE)
case("transpose 1M", lambda torch, x: x.t().contiguous(), LARGE)
case("heads in front", lambda torch, x: x.transpose(1, 2).contiguous(), (16, 64, 4, 32))
case("channels last", lambda torch, x: x.permute(0, 2, 3, 1).contiguous(), IMAGES)
case("add a transpose", lambda torch, a, b: a + b.t(), LARGE, LARGE)
case("flip 1M", lambda torch, x: x.flip(1), LARGE)
case("tril 1M", lambda torch, x: x.tril(), LARGE)
case("pad", lambda torch, x: torch.nn.functional.pad(x, (1, 1, 1, 1)), IMAGES)
case("reflect", lambda torch, x: torch.nn.functional.pad(x, (1, 1, 1, 1), mode="reflect"), IMAGES)
case("double 1M", lambda torch, x: x.double(), LARGE)
indexed("gather 1024x256", lambda torch, i, x: x.gather(1, i), 1024, (1024, 256), LARGE)
indexed("rows by index", lambda torch, i, x: x[i], 1024, (512,), LARGE)
indexed("columns by index", lambda torch, i, x: x[:, i], 1024, (512,), LARGE)
indexed("scatter add", lambda torch, i, x, y: x.scatter_add(0, i, y), 1024, (512, 1024), LARGE, (512, 1024))
case("cat 2x0.5M", lambda torch, a, b: torch.cat([a, b], 1), (1024, 512), (1024, 512))
case("slice", lambda torch, x: x[:, ::2] * 2, LARGE)
case("softmax 256x1000", lambda torch, x: torch.softmax(x, 1), (256, 1000))
case("log softmax of channels", lambda torch, x: torch.log_softmax(x, 1), (8, 21, 64, 64))
indexed("mean of bags", lambda torch, i, w: torch.nn.functional.embedding_bag(i, w), 9999, (64, 40), (10_000, 64))
case("grid sample", lambda torch, x, g: torch.nn.functional.grid_sample(x, g, align_corners=False), *GRID)
CASES["cross entropy 256x1000"] = _cross_entropy
CASES["embedding 1024 of 1000x128"] = _embedding
case("dropout 0.6M", lambda torch, x: torch.nn.functional.dropout(x, 0.5), (64, 9216))
case("matmul 64x784x128", lambda torch, a, b: a @ b, (64, 784), (784, 128))
case("matmul 1024x512x512", lambda torch, a, b: a @ b, (1024, 512), (512, 512))
case("bmm 64 of 64x32x64", lambda torch, a, b: a @ b, (64, 64, 32), (64, 32, 64))
case("bmm 16 of 256x64x256", lambda torch, a, b: a @ b, (16, 256, 64), (16, 64, 256))
case("matrix times vector", lambda torch, a, b: a @ b, LARGE, (1024,))
layer("linear 64x9216-128", lambda nn: nn.Linear(9216, 128), (64, 9216))
layer("layer norm 1024x128", lambda nn: nn.LayerNorm(128), (1024, 128))
layer("batch norm 64x32x26x26", lambda nn: nn.BatchNorm2d(32), IMAGES)
layer("batch norm 256x512", lambda nn: nn.BatchNorm1d(512), (256, 512))
layer("group norm 64x32x26x26", lambda nn: nn.GroupNorm(8, 32), IMAGES)
layer("rms norm 1024x512", lambda nn: nn.RMSNorm(512), (1024, 512))
layer("conv 1-32 3x3, 64x28x28", lambda nn: nn.Conv2d(1, 32, 3), (64, 1, 28, 28))
layer("conv 32-64 3x3, 64x26x26", lambda nn: nn.Conv2d(32, 64, 3), IMAGES)
layer("conv 3-6 5x5, 128x32x32", lambda nn: nn.Conv2d(3, 6, 5), (128, 3, 32, 32))
layer("conv 16-16 3x3, 128x32x32", lambda nn: nn.Conv2d(16, 16, 3, padding=1), (128, 16, 32, 32))
layer("conv 64-64 3x3, 128x8x8", lambda nn: nn.Conv2d(64, 64, 3, padding=1), (128, 64, 8, 8))
layer("conv 1x1 96-24, 8x56x56", lambda nn: nn.Conv2d(96, 24, 1), (8, 96, 56, 56))
layer("depthwise 96 3x3, 8x56x56", lambda nn: nn.Conv2d(96, 96, 3, padding=1, groups=96), (8, 96, 56, 56))
layer("conv 64-128 3x3 by 2, 32x32x32", lambda nn: nn.Conv2d(64, 128, 3, 2, 1), (32, 64, 32, 32))
layer("transposed 64-32 4x4 by 2", lambda nn: nn.ConvTranspose2d(64, 32, 4, 2, 1), (16, 64, 16, 16))
layer("conv1d 64-64 5, 32x256", lambda nn: nn.Conv1d(64, 64, 5, padding=2), (32, 64, 256))
layer("conv3d 8-16 3, 4x16x32x32", lambda nn: nn.Conv3d(8, 16, 3, padding=1), (4, 8, 16, 32, 32))
layer("max pool 3 by 2, 16x64x56x56", lambda nn: nn.MaxPool2d(3, 2, 1), (16, 64, 56, 56))
layer("bilinear by 2, 16x32x26x26", lambda nn: nn.Upsample(scale_factor=2, mode="bilinear"), (16, 32, 26, 26))
layer("max pool 64x64x24x24", lambda nn: nn.MaxPool2d(2), (64, 64, 24, 24))
layer("avg pool 64x64x24x24", lambda nn: nn.AvgPool2d(2), (64, 64, 24, 24))
layer("lstm 64-128, 32 steps of 32", lambda nn: _output(nn, nn.LSTM(64, 128)), (32, 32, 64))
layer("gru 64-128, 32 steps of 32", lambda nn: _output(nn, nn.GRU(64, 128)), (32, 32, 64))
layer("two ways 64-64, 32 steps", lambda nn: _output(nn, nn.LSTM(64, 64, 2, bidirectional=True)), (32, 32, 64))
layer(
    "encoder layer 16x64x128", lambda nn: nn.TransformerEncoderLayer(128, 4, 256, 0.0, batch_first=True), (16, 64, 128)
)
case(
    "attention 16x4x64x32",
    lambda torch, q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True),
    *[(16, 4, 64, 32)] * 3,
)
CASES["adam 1.2M"] = _optimizer("Adam")
CASES["adamw 1.2M"] = _optimizer("AdamW")
CASES["sgd momentum 1.2M"] = _optimizer("SGD", lr=0.1, momentum=0.9)


def _output(nn: Any, recurrent: Any) -> Any:
    """The recurrent layer's output without its last state."""

    class Output(nn.Module):
        def __init__(self):
            super().__init__()
            self.recurrent = recurrent

        def forward(self, x):
            return self.recurrent(x)[0]

    return Output()


def _channels_last(torch: Any, images: Any) -> Any:
    return images.contiguous(memory_format=torch.channels_last)


def median_time(action: Callable[[], Any], seconds: float) -> float:
    """Of calls for `seconds`, at least five after two that are not timed."""
    action(), action()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def time_operations(framework: str, names: list[str], threads: int, seconds: float) -> dict[str, dict[str, float]]:
    """{operation: {"forward": seconds, "both": seconds with backward}} in this process."""
    torch = importlib.import_module(framework)
    importlib.import_module(f"{framework}.nn")
    importlib.import_module(f"{framework}.optim")
    torch.set_num_threads(threads)
    result = {}
    for name in names:
        torch.manual_seed(0)
        inputs, operation = CASES[name](torch)
        with torch.no_grad():
            result[name] = {"forward": median_time(functools.partial(operation, *inputs), seconds)}
        if not inputs:
            continue
        for x in inputs:
            x.requires_grad_()
        gradient = torch.ones_like(operation(*inputs))

        def both(inputs=inputs, operation=operation, gradient=gradient):
            for x in inputs:
                x.grad = None
            operation(*inputs).backward(gradient)

        result[name]["both"] = median_time(both, seconds)
    return result


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only operations whose name contains one of these")
    run.add_options(parser, rounds=3, seconds=0.1)
    parser.add_argument("--child", choices=["minitorch2", "torch"], help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    names = [name for name in CASES if not args.words or any(word in name for word in args.words)]
    if not names:
        parser.error(f"no operation's name contains {' or '.join(args.words)}; there are: {'; '.join(CASES)}")
    if args.child:
        print(json.dumps(time_operations(args.child, names, args.threads, args.seconds)))
        return 0

    about = run.introduce(args)
    runs: dict[str, list[dict[str, dict[str, float]]]] = {run.OURS: [], run.THEIRS: []}
    options = [*args.words, "--threads", str(args.threads), "--seconds", str(args.seconds)]
    for _ in range(args.rounds):
        for framework, measured in runs.items():
            measured.append(run.in_process(__file__, args, "--child", framework, *options))
    results: dict[str, Any] = {}
    print(f"{'operation':<32}{'forward':>22}{'ratio':>7}{'with backward':>24}{'ratio':>7}")
    for name in names:
        results[name], line = {}, f"{name:<32}"
        for part, width in (("forward", 22), ("both", 24)):
            if part not in runs[run.OURS][0][name]:
                continue
            ours, theirs = (statistics.median(r[name][part] for r in runs[f]) for f in (run.OURS, run.THEIRS))
            results[name][part] = {run.OURS: ours, run.THEIRS: theirs, "ratio": ours / theirs}
            line += f"{run.short_time(ours) + ' / ' + run.short_time(theirs):>{width}}{ours / theirs:>7.2f}"
        print(line)
    run.write(args, about, {"operations": results}, "-ops")
    return 0


if __name__ == "__main__":
    sys.exit(main())
