"""Stochastic gradient descent. Source: torch's page "torch.optim.SGD"."""

from __future__ import annotations

from typing import Any, ClassVar

from minitorch2_kernels.reference import optim as kernels

from ..creation import empty_like
from ..tensor import Tensor
from ._parameterwise import ParameterwiseOptimizer, apply, check_fused, check_lr, check_nonnegative, number
from .optimizer import ParamsT

__all__ = ["SGD"]


class SGD(ParameterwiseOptimizer):
    """Gradient descent, with momentum where `momentum` is not 0.

    buffer = momentum * buffer + (1 - dampening) * g; p -= lr * buffer (nesterov: p -= lr * (g + momentum *
    buffer)), where g is the gradient plus weight_decay * p and the first buffer is the first g itself.

    State per parameter: "momentum_buffer". ValueError for a negative lr, momentum or weight_decay, and for
    nesterov without momentum or with dampening. See `_parameterwise` on foreach, fused and differentiable.
    """

    _later_options: ClassVar = {
        "nesterov": False,
        "maximize": False,
        "foreach": None,
        "differentiable": False,
        "fused": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_nonnegative("momentum value", momentum)
        check_nonnegative("weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        check_fused(fused, foreach, differentiable)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def _update(self, p: Tensor, group: dict[str, Any]) -> None:
        buffer, first_step = None, False
        if group["momentum"] != 0:
            state = self.state[p]
            first_step = state.get("momentum_buffer") is None
            if first_step:
                state["momentum_buffer"] = empty_like(p)
            buffer = state["momentum_buffer"]
        apply(
            kernels.sgd,
            p,
            (buffer,),
            number(group["lr"]),
            group["momentum"],
            group["dampening"],
            number(group["weight_decay"]),
            group["nesterov"],
            group["maximize"],
            first_step,
        )
