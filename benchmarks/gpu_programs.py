"""The programs that gpu.py times: those of workloads.py, and two that are large enough to fill a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workloads import PROGRAMS, Program, classifier, gpt


def resnet18(torch: Any, batch: int = 256, width: int = 64) -> Program:
    """ResNet-18 as it is used on CIFAR (3x3 first layer, no pooling), batch 256, SGD with momentum"""
    nn, relu = torch.nn, torch.nn.functional.relu

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
            self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
            self.around = nn.Sequential()
            if inputs != outputs:
                self.around = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

        def forward(self, x):
            y = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
            return relu(y + self.around(x))

    plan, inputs = [], width
    for outputs, stride in ((width, 1), (2 * width, 2), (4 * width, 2), (8 * width, 2)):
        plan += [(inputs, outputs, stride), (outputs, outputs, 1)]
        inputs = outputs
    net = nn.Sequential(
        nn.Conv2d(3, width, 3, 1, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        *(Block(*sizes) for sizes in plan),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8 * width, 10),
    )
    # A tenth of the usual rate: on labels drawn at random the first steps of 0.1 amplify rounding beyond comparing.
    options = {"lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4}
    return classifier(torch, net, ("SGD", options), (batch, 3, 32, 32))


def transformer(torch: Any, length: int = 256, width: int = 512, layers: int = 6, batch: int = 32) -> Program:
    """6 layers of 8 heads, width 512, on 32 sequences of 256 out of 1024 symbols, AdamW"""
    return gpt(torch, 1024, length, width, 8, layers, batch)


GPU_PROGRAMS: dict[str, Callable[..., Program]] = {**PROGRAMS, "resnet18": resnet18, "transformer": transformer}

# Arguments that make a program small enough to try everything but the speed on a CPU.
SMALL: dict[str, dict[str, int]] = {
    "mlp": {"batch": 8},
    "mnist_cnn": {"batch": 2},
    "lenet_128": {"batch": 4},
    "resnet20": {"batch": 2},
    "lstm": {"batch": 2},
    "gpt": {"length": 8, "width": 16, "layers": 1, "batch": 2},
    "mobilenet": {"size": 32},
    "resnet18": {"batch": 2, "width": 4},
    "transformer": {"length": 8, "width": 32, "layers": 1, "batch": 2},
}
