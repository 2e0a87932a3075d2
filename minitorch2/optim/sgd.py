"""Stochastic gradient descent. Source: torch's page "torch.optim.SGD"."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import Any, ClassVar

from minitorch2_kernels.reference import optim as kernels

from ..creation import empty_like
from ..tensor import Tensor
from ._parameterwise import (
    Batch,
    ParameterwiseOptimizer,
    apply,
    check_fused,
    check_lr,
    check_nonnegative,
    in_batches,
    number,
    rate,
)
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

    def _buffer(self, p: Tensor, group: dict[str, Any]) -> tuple[Tensor | None, bool]:
        """p's momentum buffer, and whether this is the first step that it is for."""
        if group["momentum"] == 0:
            return None, False
        state = self.state[p]
        buffer = state.get("momentum_buffer")
        if buffer is not None:
            return buffer, False
        buffer = state["momentum_buffer"] = empty_like(p)
        return buffer, True

    def _update_many(self, params: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        batches: defaultdict[Any, Batch] = defaultdict(partial(Batch, 1))
        left = []
        for p in params:
            buffer, first_step = self._buffer(p, group)  # of those left too: state_dict is in the parameters' order
            if not in_batches(p):
                left.append((p, buffer, first_step))
                continue
            batches[p._data.dtype, first_step].add(p, (buffer,))
        for (_, first_step), batch in batches.items():
            batch.apply(kernels.sgd_many, rate(group["lr"]), *self._numbers(group), first_step)
        for p, buffer, first_step in left:
            apply(kernels.sgd, p, (buffer,), number(group["lr"]), *self._numbers(group), first_step)
        return []

    @staticmethod
    def _numbers(group: dict[str, Any]) -> tuple[Any, ...]:
        decay = number(group["weight_decay"])
        return group["momentum"], group["dampening"], decay, group["nesterov"], group["maximize"]
