"""RMSprop. Source: https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf and torch's
page."""

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

__all__ = ["RMSprop"]


class RMSprop(ParameterwiseOptimizer):
    """Divides the gradient by a running root mean square; `centered` takes the running mean out of it first.

    State per parameter: "step" (0-d), "square_avg", "momentum_buffer" where momentum is not 0, "grad_avg"
    where centered. ValueError for a negative hyperparameter. See `_parameterwise` on foreach, capturable and
    differentiable.
    """

    _later_options: ClassVar = {
        "momentum": 0,
        "centered": False,
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_nonnegative("epsilon value", eps)
        check_nonnegative("momentum value", momentum)
        check_nonnegative("weight_decay value", weight_decay)
        check_nonnegative("alpha value", alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _update(self, p: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        with_momentum = group["momentum"] > 0
        if not state:
            state["step"] = counter()
            state["square_avg"] = zeros_like(p)
            if with_momentum:
                state["momentum_buffer"] = zeros_like(p)
            if group["centered"]:
                state["grad_avg"] = zeros_like(p)
        advance(state)
        apply(
            kernels.rmsprop,
            p,
            (
                state["square_avg"],
                state["grad_avg"] if group["centered"] else None,
                state["momentum_buffer"] if with_momentum else None,
            ),
            number(group["lr"]),
            group["alpha"],
            group["eps"],
            group["weight_decay"],
            group["momentum"],
            group["maximize"],
        )
