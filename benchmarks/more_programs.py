"""Programs beside those of workloads.py, to see that what was made fast for these is fast elsewhere.

python benchmarks/run.py resnet18 mobilenet_64 vit autoencoder
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gpu_programs
from workloads import ADAM, Program, classifier, mobilenet


def resnet18(torch: Any) -> Program:
    """ResNet-18 as it is used on CIFAR, batch 16, SGD with momentum"""
    return gpu_programs.resnet18(torch, batch=16)


def mobilenet_64(torch: Any) -> Program:
    """training of mobilenet's network on 16 images of 3x64x64, SGD"""
    return classifier(torch, mobilenet(torch).net.train(), ("SGD", {"lr": 0.01}), (16, 3, 64, 64))


def vit(torch: Any, width: int = 192, heads: int = 3, layers: int = 3) -> Program:
    """a vision transformer of 3 layers, 3 heads, width 192, on 64 patches of 4x4 pixels, batch 16, Adam"""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x):
            y = self.ln_1(x)
            x = x + self.attn(y, y, y, need_weights=False)[0]
            return x + self.mlp(self.ln_2(x))

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches, self.places = nn.Conv2d(3, width, 4, 4), nn.Parameter(torch.zeros(1, 64, width))
            self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
            self.ln, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2) + self.places
            return self.head(self.ln(self.blocks(x)).mean(1))

    return classifier(torch, Network(), ADAM, (16, 3, 32, 32))


def autoencoder(torch: Any) -> Program:
    """a convolutional autoencoder like a DCGAN's halves: 1x16x16 to 64 numbers and back, batch 32, Adam"""
    nn = torch.nn

    def narrow(inputs: int, outputs: int) -> list[Any]:
        return [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]

    def widen(inputs: int, outputs: int, stride: int, padding: int) -> list[Any]:
        conv = nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False)
        return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]

    encoder = nn.Sequential(*narrow(1, 32), *narrow(32, 64), nn.Conv2d(64, 64, 4))
    decoder = nn.Sequential(
        *widen(64, 64, 1, 0), *widen(64, 32, 2, 1), nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Sigmoid()
    )
    net = nn.Sequential(encoder, decoder)
    batches = [(torch.rand(32, 1, 16, 16),) for _ in range(4)]
    return Program(net, lambda images: torch.nn.functional.mse_loss(net(images), images), batches, ADAM)


MORE: dict[str, Callable[..., Program]] = {f.__name__: f for f in (resnet18, mobilenet_64, vit, autoencoder)}
