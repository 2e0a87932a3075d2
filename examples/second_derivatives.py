"""What create_graph=True is for: gradients of gradients, each checked against the number it must be.

    python examples/second_derivatives.py

An assert after each part holds it to that number.
"""

from __future__ import annotations

import math
import sys

import minitorch2 as torch
import minitorch2.nn as nn
from minitorch2.autograd import grad


def rosenbrock(p):
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


def hessian(f, p):
    """The matrix of second derivatives of f at p: the gradient of every component of the gradient."""
    (g,) = grad(f(p), p, create_graph=True)
    return torch.stack([grad(component, p, retain_graph=True)[0] for component in g])


def newton() -> None:
    """Newton's method on Rosenbrock's valley: its minimum, (1, 1), in a handful of steps."""
    p = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    steps = 0
    while steps < 20:
        steps += 1
        h = hessian(rosenbrock, p)
        (g,) = grad(rosenbrock(p), p)
        (a, b), (c, d) = h.tolist()
        u, v = g.tolist()
        determinant = a * d - b * c
        with torch.no_grad():
            p -= torch.tensor([d * u - b * v, a * v - c * u], dtype=torch.float64) / determinant
        if g.norm() < 1e-10:
            break
    print(f"Newton on Rosenbrock: ({p[0]:.10f}, {p[1]:.10f}) after {steps} steps")
    assert max(abs(p[0].item() - 1), abs(p[1].item() - 1)) < 1e-8


def hessian_vector_product() -> None:
    """H v without H: the gradient of <g, v>. Costs two gradients, whatever the number of parameters."""
    torch.manual_seed(0)
    x = torch.randn(50, dtype=torch.float64, requires_grad=True)
    m = torch.randn(50, 50, dtype=torch.float64)
    v = torch.randn(50, dtype=torch.float64)
    f = 0.5 * (x @ m @ x) + x.exp().sum()
    (g,) = grad(f, x, create_graph=True)
    (hv,) = grad((g * v).sum(), x)
    exact = 0.5 * (m + m.t()) @ v + x.detach().exp() * v
    print(f"Hessian-vector product: largest error {(hv - exact).abs().max():.1e}")
    assert torch.allclose(hv, exact)


def gradient_penalty() -> None:
    """Gulrajani et al., 2017: a critic whose slope is held to 1 by a term that contains its own gradient."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(critic.parameters(), lr=5e-3)
    for step in range(301):
        x = torch.randn(64, 2, requires_grad=True)
        (slope,) = grad(critic(x).sum(), x, create_graph=True)
        penalty = ((slope.norm(dim=1) - 1) ** 2).mean()
        optimizer.zero_grad()
        penalty.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"gradient penalty, step {step:3d}: {penalty:.4f}")
    assert penalty < 0.05


def oscillator() -> None:
    """u'' = -u, u(0) = 0, u'(0) = 1 by a network that never sees the solution, sin(t), only the equation."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1500)
    t = torch.linspace(0, math.pi, 40).unsqueeze(1).requires_grad_()

    def u(t):  # fulfils the two conditions at t = 0, whatever the network says
        return t + t**2 * net(t)

    for _ in range(1500):
        (du,) = grad(u(t).sum(), t, create_graph=True)
        (ddu,) = grad(du.sum(), t, create_graph=True)
        loss = ((ddu + u(t)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    error = (u(t) - t.sin()).abs().max().item()
    print(f"u'' = -u on [0, pi]: residual {loss:.1e}, largest distance from sin(t) {error:.1e}")
    assert error < 1e-2


def main() -> int:
    newton()
    hessian_vector_product()
    gradient_penalty()
    oscillator()
    return 0


if __name__ == "__main__":
    sys.exit(main())
