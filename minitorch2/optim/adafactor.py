"""Adafactor. Source: Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018, and
torch's page "torch.optim.Adafactor"."""

from __future__ import annotations

from typing import Any, ClassVar

from ..core.dtypes import finfo
from ..creation import zeros_like
from ..tensor import Tensor
from ._parameterwise import (
    ParameterwiseOptimizer,
    advance,
    check_at_least,
    check_one_rate,
    check_shapes,
    counter,
    number,
)
from .optimizer import ParamsT

__all__ = ["Adafactor"]


class Adafactor(ParameterwiseOptimizer):
    """Adam's second moment without its memory: of a matrix only the mean squares of its rows and of its columns are
    kept, and their product stands for the moment of each number. Steps are relative to the size of the parameter.

    beta2_decay: the moment's weight of step t is t**beta2_decay. eps: (least mean square, where None is the dtype's own
    epsilon; least size a parameter counts as). d: an update whose root mean square is larger is scaled down to it.
    lr bounds the relative step, which falls with the square root of t by itself. weight_decay as in AdamW.

    State per parameter: "step" (0-d), and "row_var" (*, n, 1) and "col_var" (*, 1, m) for a parameter of shape
    (*, n, m), "variance" for one of fewer dims. ValueError for values out of range. See `_parameterwise` on foreach.
    """

    _later_options: ClassVar = {"foreach": None}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_one_rate(lr)
        check_at_least(0, "Learning rate", lr)
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None:
            check_at_least(0, "epsilon1", eps[0])
        check_at_least(0, "epsilon2", eps[1])
        check_at_least(1, "Clipping threshold d", d)
        check_at_least(0, "weight_decay", weight_decay)
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _update(self, p: Tensor, group: dict[str, Any]) -> None:
        state, g = self.state[p], -p.grad if group["maximize"] else p.grad
        factored = g.ndim > 1
        if not state:
            state["step"] = counter()
            if factored:
                state["row_var"] = g.new_zeros((*g.shape[:-1], 1))
                state["col_var"] = g.new_zeros((*g.shape[:-2], 1, g.shape[-1]))
            else:
                state["variance"] = zeros_like(g)
        step, lr = advance(state), number(group["lr"])
        weight = step ** group["beta2_decay"]
        eps = finfo(p.dtype).eps if group["eps"][0] is None else group["eps"][0]
        size = max(group["eps"][1], _root_mean_square(p)) * min(lr, 1 / step**0.5)
        if group["weight_decay"]:
            p.mul_(1 - lr * group["weight_decay"])
        if factored:
            rows, columns = state["row_var"], state["col_var"]
            rows.lerp_(_mean_square(g, -1), weight)
            columns.lerp_(_mean_square(g, -2), weight)
            variance = rows @ columns
            variance.div_(rows.mean(-2, keepdim=True).clamp_(min=eps))
        else:
            check_shapes(p, (state["variance"],))
            variance = state["variance"].lerp_(g * g, weight).clone()
        update = variance.clamp_(min=eps * eps).rsqrt_().mul_(g)
        p.add_(update, alpha=-size / max(1.0, _root_mean_square(update) / group["d"]))


def _root_mean_square(x: Tensor) -> float:
    return x.norm(2).item() / x.numel() ** 0.5 if x.numel() else float("nan")


def _mean_square(x: Tensor, dim: int) -> Tensor:
    """The mean of x * x along a dim, which is kept, without a tensor of x's size in between."""
    return x.norm(dim=dim, keepdim=True).square_().div_(x.shape[dim])
