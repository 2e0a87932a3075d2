"""ASGD. Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992, and torch's page
"torch.optim.ASGD"."""

from __future__ import annotations

from typing import Any, ClassVar

from minitorch2_kernels.reference import optim as kernels

from ..creation import zeros_like
from ..tensor import Tensor
from ._parameterwise import ParameterwiseOptimizer, advance, apply, check_lr, check_nonnegative, counter, number
from .optimizer import ParamsT

__all__ = ["ASGD"]


class ASGD(ParameterwiseOptimizer):
    """Gradient descent with a falling rate, lr / (1 + lambd * lr * step)**alpha, that keeps the average of the
    parameters over the steps from t0 on in its state: that average is the result.

    State per parameter: "step", "eta" (the next step's rate) and "mu" (its weight in the average), 0-d; "ax", the
    average. ValueError for a negative lr or weight_decay. See `_parameterwise` on foreach, capturable and
    differentiable.
    """

    _later_options: ClassVar = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_nonnegative("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _update(self, p: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["step"] = counter()
            state["eta"] = counter(float(number(group["lr"])))
            state["mu"] = counter(1.0)
            state["ax"] = zeros_like(p)
        step, lr, lambd = advance(state), number(group["lr"]), group["lambd"]
        eta, mu = state["eta"], state["mu"]
        apply(kernels.asgd, p, (state["ax"],), eta.item(), mu.item(), lambd, group["weight_decay"], group["maximize"])
        eta.fill_(lr / (1 + lambd * lr * step) ** group["alpha"])
        mu.fill_(1 / max(1, step - group["t0"]))
