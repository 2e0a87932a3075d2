"""Adamax. Source: https://arxiv.org/abs/1412.6980 (section 7.1) and torch's page "torch.optim.Adamax"."""

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

__all__ = ["Adamax"]


class Adamax(ParameterwiseOptimizer):
    """Adam with a decaying maximum of |gradient| in place of the root of the second moment.

    State per parameter: "step" (0-d), "exp_avg", "exp_inf". ValueError for a negative lr, eps or weight_decay
    and for betas outside [0, 1). See `_parameterwise` on foreach, capturable and differentiable.
    """

    _later_options: ClassVar = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_nonnegative("epsilon value", eps)
        check_betas(betas)
        check_nonnegative("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
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
            state["exp_avg"] = zeros_like(p)
            state["exp_inf"] = zeros_like(p)
        apply(
            kernels.adamax,
            p,
            (state["exp_avg"], state["exp_inf"]),
            advance(state),
            number(group["lr"]),
            *group["betas"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
