"""Adagrad. Source: https://jmlr.org/papers/v12/duchi11a.html and torch's page "torch.optim.Adagrad"."""

from __future__ import annotations

from typing import Any, ClassVar

from minitorch2_kernels import namespace, on_device
from minitorch2_kernels.reference import optim as kernels

from ..creation import full_like
from ..tensor import Tensor
from ._parameterwise import (
    ParameterwiseOptimizer,
    advance,
    apply,
    check_fused,
    check_lr,
    check_nonnegative,
    counter,
    number,
)
from .optimizer import ParamsT

__all__ = ["Adagrad"]


class Adagrad(ParameterwiseOptimizer):
    """Divides the gradient by the root of the sum of all squared gradients so far.

    State per parameter, there from the start: "step" (0-d) and "sum". ValueError for a negative
    hyperparameter. See `_parameterwise` on foreach, fused and differentiable.
    """

    _later_options: ClassVar = {"foreach": None, "maximize": False, "differentiable": False, "fused": None}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_nonnegative("lr_decay value", lr_decay)
        check_nonnegative("weight_decay value", weight_decay)
        check_nonnegative("initial_accumulator_value value", initial_accumulator_value)
        check_nonnegative("epsilon value", eps)
        check_fused(fused, foreach, differentiable)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                self._start(p)

    def _start(self, p: Tensor) -> None:
        # The value of the defaults, not of the group: torch starts every group alike.
        self.state[p] = {"step": counter(), "sum": full_like(p, self.defaults["initial_accumulator_value"])}

    def _update(self, p: Tensor, group: dict[str, Any]) -> None:
        data = p._data
        if group["lr_decay"] and on_device(data) and namespace(data).cuda.get_current_stream().is_capturing():
            raise RuntimeError(
                "Attempting CUDA graph capture of step() for an instance of Adagrad with lr_decay, which depends on a "
                "count of steps on the CPU"
            )
        if not self.state[p]:
            self._start(p)
        state = self.state[p]
        apply(
            kernels.adagrad,
            p,
            (state["sum"],),
            advance(state),
            number(group["lr"]),
            group["lr_decay"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
