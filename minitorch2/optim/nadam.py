"""NAdam. Source: https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ and torch's page
"torch.optim.NAdam"."""

from __future__ import annotations

from typing import Any, ClassVar

from minitorch2_kernels.reference import optim as kernels

from ..creation import zeros_like
from ..tensor import Tensor
from ._parameterwise import (
    ParameterwiseOptimizer,
    advance,
    apply,
    check_betas,
    check_lr,
    check_nonnegative,
    counter,
    number,
)
from .optimizer import ParamsT

__all__ = ["NAdam"]


class NAdam(ParameterwiseOptimizer):
    """Adam with Nesterov momentum; its coefficient mu rises to betas[0] at the pace of momentum_decay.

    State per parameter: "step" (0-d), "mu_product" (0-d, the product of all mu so far), "exp_avg",
    "exp_avg_sq". ValueError for a negative lr, eps, weight_decay or momentum_decay and for betas outside [0,
    1). See `_parameterwise` on foreach, capturable and differentiable.
    """

    _later_options: ClassVar = {
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_nonnegative("epsilon value", eps)
        check_betas(betas)
        check_nonnegative("weight_decay value", weight_decay)
        check_nonnegative("momentum_decay value", momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _update(self, p: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["step"] = counter()
            state["mu_product"] = counter(1.0)
            state["exp_avg"] = zeros_like(p)
            state["exp_avg_sq"] = zeros_like(p)
        step = advance(state)
        beta1, beta2 = group["betas"]
        mu = beta1 * (1.0 - 0.5 * (0.96 ** (step * group["momentum_decay"])))
        mu_next = beta1 * (1.0 - 0.5 * (0.96 ** ((step + 1) * group["momentum_decay"])))
        mu_product = state["mu_product"]
        mu_product._data *= mu
        mu_product._bump()
        apply(
            kernels.nadam,
            p,
            (state["exp_avg"], state["exp_avg_sq"]),
            step,
            mu,
            mu_next,
            mu_product._data.item(),
            number(group["lr"]),
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            group["decoupled_weight_decay"],
            group["maximize"],
        )
