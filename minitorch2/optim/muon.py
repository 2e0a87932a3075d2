"""Muon. Source: Jordan and others, "Muon: An optimizer for hidden layers in neural networks", 2024; Liu and others,
"Muon is Scalable for LLM Training", 2025; and torch's page "torch.optim.Muon"."""

from __future__ import annotations

import math
from typing import Any

from ..creation import zeros_like
from ..tensor import Tensor
from ._parameterwise import ParameterwiseOptimizer, check_at_least, check_one_rate, check_shapes, number
from .optimizer import ParamsT

__all__ = ["Muon"]


class Muon(ParameterwiseOptimizer):
    """Momentum, made orthogonal: of the averaged gradient U S V^T of a matrix the step takes about U V^T, so that all
    directions move alike. For the matrices of hidden layers; biases, embeddings and heads go to AdamW.

    ns_coefficients: (a, b, c) of x -> a x + b x^3 + c x^5, which `ns_steps` iterations (below 100) apply to the
    singular values. adjust_lr_fn: "original" (also None) scales lr by sqrt(max(1, rows / columns)), "match_rms_adamw"
    by 0.2 sqrt(max(rows, columns)), which suits a learning rate chosen for AdamW. weight_decay as in AdamW.

    State per parameter: "momentum_buffer". ValueError for parameters that are no matrices and values out of range.
    The iterations are computed in bfloat16, as torch's are.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_one_rate(lr)
        check_at_least(0, "Learning rate", lr)
        check_at_least(0, "momentum", momentum)
        check_at_least(0, "weight decay", weight_decay)
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(
                        f"Muon only supports 2D parameters whereas we found a parameter with size: {p.size()}"
                    )

    def _update(self, p: Tensor, group: dict[str, Any]) -> None:
        state, g = self.state[p], p.grad
        if g.ndim != 2:
            raise ValueError("Param gradient must be a 2D matrix")
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = zeros_like(g)
        average, momentum, lr = state["momentum_buffer"], group["momentum"], number(group["lr"])
        check_shapes(p, (average,))
        average.lerp_(g, 1 - momentum)
        direction = g.lerp(average, momentum) if group["nesterov"] else average
        direction = _orthogonal(direction, group["ns_coefficients"], group["ns_steps"], group["eps"])
        p.mul_(1 - lr * group["weight_decay"])
        p.add_(direction, alpha=-_adjusted(lr, group["adjust_lr_fn"], *p.shape))


def _orthogonal(x: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """About U V^T of x = U S V^T, in bfloat16, by Newton and Schulz's x -> a x + (b x x^T + c (x x^T)^2) x."""
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    tall = x.shape[0] > x.shape[1]
    x = x.bfloat16()
    x = x.T if tall else x  # the products are of the smaller side
    x = x / x.norm().clamp(min=eps)  # no singular value above 1
    for _ in range(steps):
        gram = x @ x.T
        x = x.addmm(gram.addmm(gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


def _adjusted(lr: Any, function: str | None, rows: int, columns: int) -> Any:
    if function == "match_rms_adamw":
        return lr * 0.2 * math.sqrt(max(rows, columns))
    return lr * math.sqrt(max(1, rows / columns))
