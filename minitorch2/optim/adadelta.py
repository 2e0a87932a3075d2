"""Adadelta. Source: https://arxiv.org/abs/1212.5701 and torch's page "torch.optim.Adadelta"."""

from __future__ import annotations

from typing import Any, ClassVar

from minitorch2_kernels.reference import optim as kernels

from ..creation import zeros_like
from ..tensor import Tensor
from ._parameterwise import (
    ParameterwiseOptimizer,
    advance,
    apply,
    check_lr,
    check_nonnegative,
    counter,
    number,
)
from .optimizer import ParamsT

__all__ = ["Adadelta"]


class Adadelta(ParameterwiseOptimizer):
    """Scales the gradient by the ratio of two running root mean squares: of past updates and of gradients.

    State per parameter: "step" (0-d), "square_avg", "acc_delta". ValueError for a negative lr, eps or
    weight_decay and for rho outside [0, 1]. See `_parameterwise` on foreach, capturable and differentiable.
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
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_nonnegative("epsilon value", eps)
        check_nonnegative("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _update(self, p: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["step"] = counter()
            state["square_avg"] = zeros_like(p)
            state["acc_delta"] = zeros_like(p)
        advance(state)
        apply(
            kernels.adadelta,
            p,
            (state["square_avg"], state["acc_delta"]),
            number(group["lr"]),
            group["rho"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
