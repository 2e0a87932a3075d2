"""Adam. Source: https://arxiv.org/abs/1412.6980 and torch's page "torch.optim.Adam"."""

from __future__ import annotations

from typing import Any, ClassVar

from minitorch2_kernels import on_device
from minitorch2_kernels.reference import optim as kernels

from ..core.dtypes import float32
from ..creation import zeros, zeros_like
from ..tensor import Tensor
from ._parameterwise import (
    ParameterwiseOptimizer,
    advance,
    apply,
    check_betas,
    check_fused,
    check_lr,
    check_nonnegative,
    counter,
    number,
    rate,
)
from .optimizer import ParamsT

__all__ = ["Adam"]

_MOMENTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")


class Adam(ParameterwiseOptimizer):
    """p -= lr * m / (sqrt(v) + eps), with m and v the bias-corrected averages of the gradient and its square.

    weight_decay is added to the gradient, or with decoupled_weight_decay shrinks the parameter itself
    (AdamW). amsgrad divides by the largest v so far (https://openreview.net/forum?id=ryQu7f-RZ).

    State per parameter: "step" (0-d), "exp_avg", "exp_avg_sq", and "max_exp_avg_sq" under amsgrad. ValueError
    for a negative lr, eps or weight_decay and for betas outside [0, 1). AssertionError in `step` where
    capturable=True and a parameter or its "step" is not on a GPU. See `_parameterwise` on foreach, fused,
    capturable and differentiable.
    """

    _supported = frozenset({"capturable"})

    _later_options: ClassVar = {
        "amsgrad": False,
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
        "fused": None,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        if isinstance(lr, Tensor):
            _refuse_foreach("lr", foreach, capturable)
        check_lr(lr)
        check_nonnegative("epsilon value", eps)
        check_betas(betas)
        check_nonnegative("weight_decay value", weight_decay)
        if not any(all(isinstance(beta, kind) for beta in betas) for kind in (float, Tensor)):
            raise ValueError("betas must be either both floats or both Tensors")
        for i, beta in enumerate(betas):
            if isinstance(beta, Tensor):
                _refuse_foreach(f"betas[{i}]", foreach, capturable)
                if beta.numel() != 1:
                    raise ValueError(f"Tensor betas[{i}] must be 1-element")
        check_fused(fused, foreach, differentiable)
        defaults = {
            "lr": lr,
            "betas": tuple(beta.squeeze() if isinstance(beta, Tensor) else beta for beta in betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _state_of(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """p's state, made at its first step. "step" is on the CPU, where counting costs no launch, but for capturable
        and fused. AssertionError where it is not where capturable needs it."""
        state = self.state[p]
        there = group["capturable"] or group["fused"]
        if not state:
            state["step"] = zeros((), dtype=float32, device=p.device) if there and p.is_cuda else counter()
            state["exp_avg"] = zeros_like(p)
            state["exp_avg_sq"] = zeros_like(p)
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = zeros_like(p)
        if group["capturable"] and not (p.is_cuda and state["step"].is_cuda):
            raise AssertionError(
                "If capturable=True, params and state_steps must be on supported devices: ['cuda']. Here they are on "
                f"{p.device} and {state['step'].device}."
            )
        return state

    @staticmethod
    def _numbers(group: dict[str, Any]) -> tuple[Any, ...]:
        """What the kernels take after the learning rate."""
        beta1, beta2 = group["betas"]
        decay = number(group["weight_decay"])
        return number(beta1), number(beta2), group["eps"], decay, group["decoupled_weight_decay"], group["maximize"]

    def _update_many(self, params: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        states = [self.state[p] for p in params]
        if group["capturable"] or not all(states):
            states = [self._state_of(p, group) for p in params]
        names = _MOMENTS if group["amsgrad"] else _MOMENTS[:2]
        moments: list[Any] = [[state[name] for state in states] for name in names]
        moments += [None] * (len(_MOMENTS) - len(names))
        steps = [state["step"] for state in states]
        # Those whose steps are counted here go together where they have made as many.
        keys = [t._data.dtype if on_device(t._data) else advance(s) for t, s in zip(steps, states, strict=True)]
        batches, left = self._batches(group, params, moments, keys)
        rest = self._numbers(group)
        for batch in batches:
            made: Any = keys[batch.places[0]]
            counters = [] if isinstance(made, float) else [steps[i] for i in batch.places]
            if counters:
                made = [step._data for step in counters]
            batch.apply(kernels.adam_many, params, made, rate(group["lr"]), *rest)
            for step in counters:
                step._bump()
        for i in left:
            made = keys[i] if isinstance(keys[i], float) else advance(states[i])
            own = [None if column is None else column[i] for column in moments]
            apply(kernels.adam, params[i], tuple(own), made, number(group["lr"]), *rest)
        return []


def _refuse_foreach(name: str, foreach: bool | None, capturable: bool) -> None:
    if foreach and not capturable:
        raise ValueError(f"{name} as a Tensor is not supported for capturable=False and foreach=True")
