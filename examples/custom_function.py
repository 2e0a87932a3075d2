"""An autograd.Function of one's own: rounding that learns.

A quantized layer rounds its weights, and rounding has slope 0 everywhere: nothing would ever be learned. The
straight-through estimator (Bengio et al., 2013) rounds going forward and pretends, going backward, that it
did not. The second function here, a careful log(1 + exp(x)), is checked against differences to the second
order.

    python examples/custom_function.py
"""

from __future__ import annotations

import sys

import minitorch2 as torch
import minitorch2.nn as nn
import minitorch2.nn.functional as F
from minitorch2.autograd import Function, gradcheck, gradgradcheck
from minitorch2.vision.datasets import MiniMNIST


class RoundStraightThrough(Function):
    """x rounded to multiples of `step` within [-limit, limit]; the gradient passes where x was inside."""

    @staticmethod
    def forward(ctx, x, step, limit):
        ctx.save_for_backward(x)
        ctx.limit = limit
        return torch.round(x.clamp(-limit, limit) / step) * step

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (x.abs() <= ctx.limit), None, None


class LogOnePlusExp(Function):
    """log(1 + exp(x)) without overflow: exp is only ever taken of something negative."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))

    @staticmethod
    def backward(ctx, grad):  # the slope is the logistic function, itself differentiable
        (x,) = ctx.saved_tensors
        return grad * torch.sigmoid(x)


class TernaryLinear(nn.Linear):
    """A linear layer whose weights are -scale, 0 or scale when it computes."""

    def forward(self, x):
        scale = 2 * self.weight.detach().abs().mean().item()
        return F.linear(x, RoundStraightThrough.apply(self.weight, scale, scale), self.bias)


def main() -> int:
    x = torch.tensor([-1000.0, -2.0, 0.0, 2.0, 1000.0], dtype=torch.float64)
    print("log(1 + exp(x)) at", x.tolist(), "=", LogOnePlusExp.apply(x).tolist())
    x = torch.randn(6, dtype=torch.float64, requires_grad=True)
    print("first derivative agrees with differences: ", gradcheck(LogOnePlusExp.apply, (x,)))
    print("second derivative agrees with differences:", gradgradcheck(LogOnePlusExp.apply, (x,)))

    torch.manual_seed(0)
    digits, test = MiniMNIST(train=True), MiniMNIST(train=False)
    images, labels = digits.data.float().flatten(1) / 255, digits.targets
    net = nn.Sequential(TernaryLinear(784, 128), nn.ReLU(), TernaryLinear(128, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(4):
        for batch in torch.randperm(len(images)).split(50):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            guesses = net(test.data.float().flatten(1) / 255).argmax(1)
        right = (guesses == test.targets).float().mean().item()
        print(f"epoch {epoch + 1}: every weight one of three values, {right:.1%} of the test digits right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
