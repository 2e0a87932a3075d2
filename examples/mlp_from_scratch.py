"""The engine laid bare: one network three times, each time with less of the framework.

1. minitorch2 as one uses it: tensors, backward(), an update under no_grad.
2. The idea of minitorch2/core/engine.py in forty lines of NumPy: a value remembers what made it; backward
   walks the values from the last to the first and hands each one's gradient to those it was made from.
3. No engine at all: the chain rule worked out by hand for this one network.

All three give the same gradients, and the training at the end uses the second.

    python examples/mlp_from_scratch.py
"""

from __future__ import annotations

import sys

import numpy as np

import minitorch2 as torch
import minitorch2.nn.functional as F
from minitorch2.vision.datasets import MiniMNIST


class Value:
    """An array, the values it was made from, and how to turn its gradient into theirs."""

    def __init__(self, array, parents=(), backward=None):
        self.array, self.parents, self.backward_rule, self.grad = array, parents, backward, None

    def __matmul__(self, other):  # d(A B) = dA B + A dB
        a, b = self.array, other.array
        return Value(a @ b, (self, other), lambda g: (g @ b.T, a.T @ g))

    def __add__(self, bias):  # one bias for all rows: its gradient is summed over them
        return Value(self.array + bias.array, (self, bias), lambda g: (g, g.sum(0)))

    def relu(self):
        return Value(np.maximum(self.array, 0), (self,), lambda g: (g * (self.array > 0),))

    def cross_entropy(self, labels):  # the mean of -log softmax at the label; slope: (softmax - one hot) / n
        shifted = self.array - self.array.max(1, keepdims=True)
        log_softmax = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        n, rows = len(labels), np.arange(len(labels))

        def rule(g):
            slope = np.exp(log_softmax)
            slope[rows, labels] -= 1
            return (g * slope / n,)

        return Value(-log_softmax[rows, labels].mean(), (self,), rule)

    def backward(self):
        """The same walk as core/engine.py's: a value's turn comes when all that used it have had theirs."""
        waiting, stack = {self: 0}, [self]
        while stack:
            for parent in stack.pop().parents:
                if parent not in waiting:
                    stack.append(parent)
                waiting[parent] = waiting.get(parent, 0) + 1
        self.grad, ready = 1.0, [self]
        while ready:
            value = ready.pop()
            gradients = value.backward_rule(value.grad) if value.parents else ()
            for parent, g in zip(value.parents, gradients, strict=True):
                parent.grad = g if parent.grad is None else parent.grad + g
                waiting[parent] -= 1
                if waiting[parent] == 0:
                    ready.append(parent)


def by_hand(x, labels, w1, b1, w2, b2):
    """The chain rule for relu(x w1 + b1) w2 + b2 and cross-entropy, from the last line to the first."""
    z = x @ w1 + b1
    h = np.maximum(z, 0)
    scores = h @ w2 + b2
    e = np.exp(scores - scores.max(1, keepdims=True))
    d_scores = e / e.sum(1, keepdims=True)
    d_scores[np.arange(len(labels)), labels] -= 1
    d_scores /= len(labels)
    d_z = (d_scores @ w2.T) * (z > 0)
    return x.T @ d_z, d_z.sum(0), h.T @ d_scores, d_scores.sum(0)


def main() -> int:
    digits, test = MiniMNIST(train=True), MiniMNIST(train=False)
    images = digits.data.numpy().reshape(-1, 784).astype(np.float32) / 255
    labels = digits.targets.numpy()
    test_images = test.data.numpy().reshape(-1, 784).astype(np.float32) / 255

    torch.manual_seed(0)
    shapes = [(784, 64), (64,), (64, 10), (10,)]
    start = [torch.zeros(s) if len(s) == 1 else torch.randn(s) * (2 / s[0]) ** 0.5 for s in shapes]
    x, y = images[:100], labels[:100]

    # 1. minitorch2
    w1, b1, w2, b2 = (p.clone().requires_grad_() for p in start)
    hidden = torch.relu(torch.from_numpy(x) @ w1 + b1)
    loss = F.cross_entropy(hidden @ w2 + b2, torch.from_numpy(y))
    loss.backward()
    framework = [p.grad.numpy() for p in (w1, b1, w2, b2)]

    # 2. forty lines
    values = [Value(p.numpy()) for p in start]
    small = ((Value(x) @ values[0] + values[1]).relu() @ values[2] + values[3]).cross_entropy(y)
    small.backward()

    # 3. none
    hand = by_hand(x, y, *(p.numpy() for p in start))
    print(f"loss: minitorch2 {loss.item():.7f}, forty lines {small.array:.7f}")
    for name, f, v, h in zip(("w1", "b1", "w2", "b2"), framework, values, hand, strict=True):
        difference = max(np.abs(f - v.grad).max(), np.abs(f - h).max())
        print(f"  gradient of {name}: the three differ by at most {difference:.1e}")
        assert difference < 1e-6

    weights = [p.numpy().copy() for p in start]
    order = np.random.default_rng(0)
    for epoch in range(5):
        for batch in np.array_split(order.permutation(len(images)), len(images) // 50):
            values = [Value(w) for w in weights]
            out = (Value(images[batch]) @ values[0] + values[1]).relu() @ values[2] + values[3]
            out.cross_entropy(labels[batch]).backward()
            for w, value in zip(weights, values, strict=True):
                w -= 0.1 * value.grad
        scores = np.maximum(test_images @ weights[0] + weights[1], 0) @ weights[2] + weights[3]
        right = (scores.argmax(1) == test.targets.numpy()).mean()
        print(f"epoch {epoch + 1}, forty lines: {right:.1%} of the test digits right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
