"""The programs that are timed, each written once for both frameworks, and the process that times one of them.

    python benchmarks/workloads.py minitorch2 mlp --threads 2 --seconds 2

prints a line of JSON; run.py starts it for every workload, framework and round. Nothing heavy is imported above
main(): the time that `import minitorch2` takes is one of the workloads.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

WARM_UP = 3  # steps before the clock starts; their losses show that both frameworks compute the same
FEWEST = 5  # steps that are timed at least

Step = Callable[[], float]


def training(torch: Any, net: Any, optimizer: Any, loss_of: Any, shape: tuple[int, ...]) -> Step:
    """One step of an ordinary training loop, on four batches that lie ready in memory."""
    batches = [(torch.randn(shape), torch.randint(0, 10, shape[:1])) for _ in range(4)]
    turn = 0

    def step() -> float:
        nonlocal turn
        images, labels = batches[turn % len(batches)]
        turn += 1
        optimizer.zero_grad()
        loss = loss_of(net(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def mlp(torch: Any) -> Step:
    """784-128-64-10, batch 64, Adam"""
    nn = torch.nn
    net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    return training(torch, net, optimizer, nn.functional.cross_entropy, (64, 784))


def mnist_cnn(torch: Any) -> Step:
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
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    return training(torch, net, optimizer, nn.functional.nll_loss, (64, 1, 28, 28))


def lenet(torch: Any, batch: int) -> Step:
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
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    return training(torch, net, optimizer, nn.functional.cross_entropy, (batch, 3, 32, 32))


def lenet_4(torch: Any) -> Step:
    """LeNet on 32x32 RGB, batch 4, SGD with momentum"""
    return lenet(torch, 4)


def lenet_128(torch: Any) -> Step:
    """LeNet on 32x32 RGB, batch 128, SGD with momentum"""
    return lenet(torch, 128)


def resnet20(torch: Any) -> Step:
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
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    return training(torch, net, optimizer, nn.functional.cross_entropy, (128, 3, 32, 32))


def small_op(torch: Any) -> Step:
    """10x10 plus 10x10, forward and backward: what an op costs before it computes"""
    a, b = torch.randn(10, 10, requires_grad=True), torch.randn(10, 10, requires_grad=True)
    gradient = torch.ones(10, 10)

    def step() -> float:
        a.grad = b.grad = None
        (a + b).backward(gradient)
        return 0.0

    return step


TRAINING = {program.__name__: program for program in (mlp, mnist_cnn, lenet_4, lenet_128, resnet20)}
WORKLOADS = {**TRAINING, "small_op": small_op}
IMPORT = "import"


def measure(framework: str, name: str, threads: int, seconds: float) -> dict[str, Any]:
    """What run.py wants to know of one process: seconds a step, peak memory (MiB), the losses of the warm-up."""
    started = time.perf_counter()
    torch = importlib.import_module(framework)
    for part in ("nn", "optim", "utils.data"):
        importlib.import_module(f"{framework}.{part}")
    if name == IMPORT:
        times, losses = [time.perf_counter() - started], []
    else:
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        step = WORKLOADS[name](torch)
        losses = [step() for _ in range(WARM_UP)]
        times, end = [], time.perf_counter() + seconds
        while len(times) < FEWEST or time.perf_counter() < end:
            started = time.perf_counter()
            step()
            times.append(time.perf_counter() - started)
    # In KiB on Linux. It starts at the size of the parent, which therefore imports neither framework.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": statistics.median(times), "steps": len(times), "peak_mib": peak, "losses": losses}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework", choices=["minitorch2", "torch"])
    parser.add_argument("workload", choices=[*WORKLOADS, IMPORT])
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="how long to go on timing steps")
    args = parser.parse_args()
    print(json.dumps(measure(args.framework, args.workload, args.threads, args.seconds)))


if __name__ == "__main__":
    main()
