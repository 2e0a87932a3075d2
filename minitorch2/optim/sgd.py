"""Stochastic gradient descent. Source: torch's page "torch.optim.SGD"."""

from __future__ import annotations

from typing import Any, ClassVar

from minitorch2_kernels.reference import optim as kernels

from ..creation import empty_like
from ..tensor import Tensor
from ._parameterwise import (
    ParameterwiseOptimizer,
    apply,
    check_fused,
    check_lr,
    check_nonnegative,
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

    def _buffers(self, params: list[Tensor], group: dict[str, Any]) -> tuple[list[Tensor] | None, list[bool]]:
        """The momentum buffers, None where there is no momentum, and for each whether this is its first step."""
        if group["momentum"] == 0:
            return None, [False] * len(params)
        states = [self.state[p] for p in params]
        buffers: list[Any] = [state.get("momentum_buffer") for state in states]
        first = [buffer is None for buffer in buffers]
        if True in first:
            for i, p in enumerate(params):
                if first[i]:
                    buffers[i] = states[i]["momentum_buffer"] = empty_like(p)
        return buffers, first

    def _update_many(self, params: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        buffers, first = self._buffers(params, group)
        batches, left = self._batches(group, params, (buffers,), first)
        for batch in batches:
            numbers = rate(group["lr"]), *self._numbers(group), first[batch.places[0]]
            batch.apply(kernels.sgd_many, params, *numbers)
        for i in left:
            buffer = None if buffers is None else buffers[i]
            apply(kernels.sgd, params[i], (buffer,), number(group["lr"]), *self._numbers(group), first[i])
        return []

    @staticmethod
    def _numbers(group: dict[str, Any]) -> tuple[Any, ...]:
        decay = number(group["weight_decay"])
        return group["momentum"], group["dampening"], decay, group["nesterov"], group["maximize"]
