"""Rprop. Source: Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: the RPROP
algorithm", 1993, and torch's page "torch.optim.Rprop"."""

from __future__ import annotations

from typing import Any, ClassVar

from minitorch2_kernels.reference import optim as kernels

from ..creation import full_like, zeros_like
from ..tensor import Tensor
from ._parameterwise import ParameterwiseOptimizer, advance, apply, check_lr, counter, number
from .optimizer import ParamsT

__all__ = ["Rprop"]


class Rprop(ParameterwiseOptimizer):
    """Steps by the sign of the gradient alone, each number by a size of its own: times etas[1] while the sign stays,
    times etas[0] where it turns, and within step_sizes. For gradients of whole data sets, not of batches.

    State per parameter: "step" (0-d), "prev" (the last gradient), "step_size", which starts at lr. ValueError for a
    negative lr and for etas that are not 0 < etas[0] < 1 < etas[1]. See `_parameterwise` on foreach, capturable and
    differentiable.
    """

    _later_options: ClassVar = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
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
            state["prev"] = zeros_like(p)
            state["step_size"] = full_like(p, float(number(group["lr"])))
        advance(state)
        apply(
            kernels.rprop,
            p,
            (state["prev"], state["step_size"]),
            *group["etas"],
            *group["step_sizes"],
            group["maximize"],
        )
