"""The programs that are timed, each written once for both frameworks, and the process that times one of them.

    echo 2 | python benchmarks/workloads.py minitorch2 mlp --threads 2

prints a line of JSON for its first steps, one for each line that it reads, of steps for so many seconds, and one at the
end; run.py starts it for every workload, framework and round. Nothing heavy is imported above main(): the time that
`import minitorch2` takes is one of the workloads.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WARM_UP = 3  # steps before the clock starts; their losses show that both frameworks compute the same
LEAD = 0.005  # seconds of steps that are not timed after the other program had the machine

Step = Callable[[], float]


@dataclass
class Program:
    """A network and what is done with it, all of it on the CPU yet."""

    net: Any
    loss: Callable[..., Any]  # of the tensors of one batch, a 0-d tensor
    batches: list[tuple[Any, ...]]
    optimizer: tuple[str, dict[str, Any]] | None = None  # its class and arguments; without one this is inference


def step_on(torch: Any, program: Program, optimizer: Any) -> Callable[..., Any]:
    """One step on the tensors of a batch; the loss comes back as a tensor, so that nothing waits for a GPU."""

    def train(*batch: Any) -> Any:
        optimizer.zero_grad()
        loss = program.loss(*batch)
        loss.backward()
        optimizer.step()
        return loss.detach()

    def infer(*batch: Any) -> Any:
        with torch.no_grad():
            return program.loss(*batch)

    return infer if optimizer is None else train


def optimizer_of(torch: Any, program: Program, **more: Any) -> Any:
    """The program's optimizer, with more arguments than it asks for; None where it only infers."""
    if program.optimizer is None:
        return None
    name, options = program.optimizer
    return getattr(torch.optim, name)(program.net.parameters(), **options, **more)


def classifier(torch: Any, net: Any, optimizer: tuple[str, dict[str, Any]], shape: tuple[int, ...], loss=None):
    """An ordinary training program, on four batches that lie ready in memory."""
    loss_of = loss or torch.nn.functional.cross_entropy
    batches = [(torch.randn(shape), torch.randint(0, 10, shape[:1])) for _ in range(4)]
    return Program(net, lambda images, labels: loss_of(net(images), labels), batches, optimizer)


ADAM = ("Adam", {"lr": 1e-3})


def mlp(torch: Any, batch: int = 64) -> Program:
    """784-128-64-10, batch 64, Adam"""
    nn = torch.nn
    net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    return classifier(torch, net, ADAM, (batch, 784))


def mnist_cnn(torch: Any, batch: int = 64) -> Program:
    """the network of examples/mnist.py, batch 64, Adam"""
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
        nn.LogSoftmax(dim=1),
    )
    return classifier(torch, net, ADAM, (batch, 1, 28, 28), nn.functional.nll_loss)


def lenet(torch: Any, batch: int) -> Program:
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(3, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )
    return classifier(torch, net, ("SGD", {"lr": 1e-3, "momentum": 0.9}), (batch, 3, 32, 32))


def lenet_4(torch: Any) -> Program:
    """LeNet on 32x32 RGB, batch 4, SGD with momentum"""
    return lenet(torch, 4)


def lenet_128(torch: Any, batch: int = 128) -> Program:
    """LeNet on 32x32 RGB, batch 128, SGD with momentum"""
    return lenet(torch, batch)


def resnet20(torch: Any, batch: int = 128) -> Program:
    """ResNet-20 on 32x32 RGB, batch 128, SGD with momentum"""
    nn, relu, pad = torch.nn, torch.nn.functional.relu, torch.nn.functional.pad

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
            self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
            self.grow, self.stride = outputs - inputs, stride

        def forward(self, x):
            y = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
            if self.grow:
                x = pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.grow))
            return relu(x + y)

    plan = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        *(Block(*sizes) for sizes in plan),
        nn.AvgPool2d(8),
        nn.Flatten(),
        nn.Linear(64, 10),
    )
    options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}
    return classifier(torch, net, ("SGD", options), (batch, 3, 32, 32))


def lstm(torch: Any, batch: int = 32) -> Program:
    """LSTM 64-128 over 32 steps and a linear layer on the last, batch 32, Adam"""
    nn = torch.nn

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.head = nn.LSTM(64, 128, batch_first=True), nn.Linear(128, 10)

        def forward(self, x):
            output, _ = self.lstm(x)
            return self.head(output[:, -1])

    return classifier(torch, Reader(), ADAM, (batch, 32, 64))


def gpt(torch: Any, characters=65, length=64, width=128, heads=4, layers=4, batch=16) -> Program:
    """a GPT of 4 layers, 4 heads, width 128, on 16 sequences of 64 characters (of 65), AdamW"""
    nn, F = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.attn, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x):
            b, n, _ = x.shape
            split = self.attn(self.ln_1(x)).split(width, dim=2)
            q, k, v = (part.view(b, n, heads, width // heads).transpose(1, 2) for part in split)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.proj(y.transpose(1, 2).contiguous().view(b, n, width))
            return x + self.mlp(self.ln_2(x))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.place = nn.Embedding(characters, width), nn.Embedding(length, width)
            self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
            self.ln, self.head = nn.LayerNorm(width), nn.Linear(width, characters, bias=False)

        def forward(self, tokens):
            x = self.token(tokens) + self.place(torch.arange(length, device=tokens.device))
            return self.head(self.ln(self.blocks(x)))

    net = GPT()
    texts = [torch.randint(0, characters, (batch, length + 1)) for _ in range(4)]

    def loss(text: Any) -> Any:
        logits = net(text[:, :-1])
        return F.cross_entropy(logits.view(-1, characters), text[:, 1:].reshape(-1))

    return Program(net, loss, [(text,) for text in texts], ("AdamW", {"lr": 1e-3}))


def mobilenet(torch: Any, size: int = 224) -> Program:
    """a MobileNetV2 on one image of 3x224x224, inference"""
    nn = torch.nn

    def conv(inputs: int, outputs: int, size: int = 1, stride: int = 1, groups: int = 1) -> Any:
        return [
            nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int, expand: int):
            super().__init__()
            width = inputs * expand
            widen = [*conv(inputs, width), nn.ReLU6(inplace=True)] if expand > 1 else []
            depthwise = [*conv(width, width, 3, stride, width), nn.ReLU6(inplace=True)]
            self.layers, self.adds = nn.Sequential(*widen, *depthwise, *conv(width, outputs)), inputs == outputs

        def forward(self, x):
            return x + self.layers(x) if self.adds else self.layers(x)

    plan = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    layers, inputs = [*conv(3, 32, 3, 2), nn.ReLU6(inplace=True)], 32
    for expand, outputs, repeats, stride in plan:
        for i in range(repeats):
            layers.append(Block(inputs, outputs, stride if i == 0 else 1, expand))
            inputs = outputs
    layers += [*conv(320, 1280), nn.ReLU6(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)]
    net = nn.Sequential(*layers).eval()
    return Program(net, lambda image: net(image).square().mean(), [(torch.randn(1, 3, size, size),)])


def small_op(torch: Any) -> Step:
    """10x10 plus 10x10, forward and backward: what an op costs before it computes"""
    a, b = torch.randn(10, 10, requires_grad=True), torch.randn(10, 10, requires_grad=True)
    gradient = torch.ones(10, 10)

    def step() -> float:
        a.grad = b.grad = None
        (a + b).backward(gradient)
        return 0.0

    return step


TRAINING = {program.__name__: program for program in (mlp, mnist_cnn, lenet_4, lenet_128, resnet20, lstm, gpt)}
PROGRAMS = {**TRAINING, "mobilenet": mobilenet}
WORKLOADS = (*PROGRAMS, "small_op")
IMPORTS = ("import", "import_all")  # the framework; and with all that a training program names


def step_of(torch: Any, name: str) -> Step:
    """The step of a workload on the CPU, with the wait for its loss."""
    if name == "small_op":
        return small_op(torch)
    make = PROGRAMS.get(name)
    if make is None:
        from more_programs import MORE

        make = MORE[name]
    program = make(torch)
    step, turn = step_on(torch, program, optimizer_of(torch, program)), itertools.count()
    return lambda: step(*program.batches[next(turn) % len(program.batches)]).item()


def slice_of(step: Step, seconds: float) -> float:
    """The median time of a step, of steps for so long, one at least; the first few warm what the others left cold."""
    end = time.perf_counter() + LEAD
    step()
    while time.perf_counter() < end:
        step()
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def say_peak() -> None:
    # In KiB on Linux. It starts at the size of the parent, which therefore imports neither framework.
    say(peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework", choices=["minitorch2", "torch"])
    parser.add_argument("workload", help=f"of {', '.join([*WORKLOADS, *IMPORTS])}, or more_programs.py's")
    parser.add_argument("--threads", type=int, required=True)
    args = parser.parse_args()
    started = time.perf_counter()
    torch = importlib.import_module(args.framework)
    if args.workload != "import":
        for part in ("nn", "optim", "utils.data"):
            importlib.import_module(f"{args.framework}.{part}")
    if args.workload in IMPORTS:
        say(losses=[], seconds=time.perf_counter() - started)
    else:
        torch.set_num_threads(args.threads)
        torch.manual_seed(0)
        step = step_of(torch, args.workload)
        say(losses=[step() for _ in range(WARM_UP)])
        for line in sys.stdin:
            say(seconds=slice_of(step, float(line)))
    say_peak()


if __name__ == "__main__":
    main()
