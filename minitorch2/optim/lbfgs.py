"""L-BFGS. Source: Nocedal and Wright, "Numerical optimization", 2nd edition, algorithms 3.5, 3.6 and 7.4; the steps,
their limits and the state are those of torch's page "torch.optim.LBFGS", which goes back to Schmidt's minFunc.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..core.grad_mode import enable_grad, no_grad
from ..ops.joining import cat
from ..tensor import Tensor
from ._parameterwise import check_lr
from .optimizer import Optimizer, ParamsT

__all__ = ["LBFGS"]

CURVATURE = 1e-10  # of a pair (change of the gradient, step), below which it says nothing of the curvature


class LBFGS(Optimizer):
    """Newton's method with the inverse Hessian estimated from the last `history_size` changes of the gradient.

    One call of `step(closure)` is up to `max_iter` iterations, each of which calls the closure at least once; it has to
    clear the gradients, compute the loss, call backward and return the loss. The gradients should be of one function,
    not of a batch drawn anew.

    Args:
        lr: the step length, times min(1, 1 / |g|_1) in the first iteration; the first guess of a line search.
        max_eval: most calls of the closure in a step; 5 / 4 of max_iter if None.
        tolerance_grad: a gradient whose largest number is no larger ends the step.
        tolerance_change: a step, or a change of the loss, no larger than this ends it.
        line_search_fn: None, or "strong_wolfe".

    State, of the first parameter: "func_evals", "n_iter", and what the next iteration goes on from, by torch's names.
    ValueError for a negative lr or more than one parameter group.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_lr(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    @no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Up to max_iter iterations; returns the closure's loss from before them."""
        group = self.param_groups[0]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluate() -> tuple[Any, float, Tensor]:
            with enable_grad():
                found = closure()
            state["func_evals"] += 1
            return found, float(found), self._gradient()

        begun = state["func_evals"]
        first, loss, gradient = evaluate()
        if _largest(gradient) <= group["tolerance_grad"]:
            return first
        for i in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = self._direction(state, gradient, group["history_size"])
            previous, state["prev_flat_grad"], state["prev_loss"] = loss, gradient, loss
            length = group["lr"]
            if state["n_iter"] == 1:
                length = min(1.0, 1.0 / gradient.abs().sum()) * length
            state["d"], state["t"] = direction, length
            slope = gradient.dot(direction)
            if slope > -group["tolerance_change"]:
                break
            if group["line_search_fn"] is None:
                self._move(length, direction)
                if i < group["max_iter"]:
                    _, loss, gradient = evaluate()
            elif group["line_search_fn"] == "strong_wolfe":
                start = [p.clone() for p in self._params]

                def at(t: Any, start=start, direction=direction) -> Point:
                    self._move(t, direction)
                    _, loss, gradient = evaluate()
                    for p, x in zip(self._params, start, strict=True):
                        p.copy_(x)
                    return Point(t, loss, gradient, gradient.dot(direction))

                left = group["max_eval"] - (state["func_evals"] - begun)
                found = strong_wolfe(at, length, Point(0, loss, gradient, slope), _largest(direction), most=left)
                state["t"] = length = found.t
                loss, gradient = found.loss, found.gradient
                self._move(length, direction)
            else:
                raise RuntimeError("only 'strong_wolfe' is supported")
            if (
                state["func_evals"] - begun >= group["max_eval"]
                or _largest(gradient) <= group["tolerance_grad"]
                or _largest(direction * length) <= group["tolerance_change"]
                or abs(loss - previous) < group["tolerance_change"]
            ):
                break
        return first

    def _direction(self, state: dict[str, Any], gradient: Tensor, history_size: int) -> Tensor:
        """Minus the estimated inverse Hessian times the gradient, after taking the last step into the estimate."""
        if state["n_iter"] == 1:
            state["old_dirs"], state["old_stps"], state["ro"], state["H_diag"] = [], [], [], 1
            return -gradient
        changes, steps, weights = state["old_dirs"], state["old_stps"], state["ro"]
        change, step = gradient - state["prev_flat_grad"], state["d"] * state["t"]
        curvature = change.dot(step)
        if curvature > CURVATURE:
            if len(changes) == history_size:
                for kept in (changes, steps, weights):
                    kept.pop(0)
            changes.append(change)
            steps.append(step)
            weights.append(1.0 / curvature)
            state["H_diag"] = curvature / change.dot(change)
        # the two loops of algorithm 7.4
        shares = state.setdefault("al", [None] * history_size)
        q = -gradient
        for i in reversed(range(len(changes))):
            shares[i] = steps[i].dot(q) * weights[i]
            q.add_(changes[i], alpha=-shares[i].item())
        r = q * state["H_diag"]
        for i in range(len(changes)):
            back = changes[i].dot(r) * weights[i]
            r.add_(steps[i], alpha=(shares[i] - back).item())
        return r

    def _gradient(self) -> Tensor:
        """All gradients as one vector, zeros for those that are not there."""
        return cat([(p.new_zeros(p.numel()) if p.grad is None else p.grad.reshape(-1)) for p in self._params])

    def _move(self, t: Any, direction: Tensor) -> None:
        """Adds t * direction, a vector, to the parameters."""
        offset = 0
        for p in self._params:
            p.add_(direction[offset : offset + p.numel()].view_as(p), alpha=float(t))
            offset += p.numel()


def _largest(x: Tensor) -> Tensor:
    return x.abs().max()


class Point(NamedTuple):
    """What is known at the step length t: the loss, its gradient, and the loss's slope along the direction."""

    t: Any
    loss: float
    gradient: Tensor
    slope: Tensor


def strong_wolfe(
    at: Callable[[Any], Point],
    t: Any,
    start: Point,
    largest: Tensor,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance_change: float = 1e-9,
    most: int = 25,
) -> Point:
    """A point where the loss has fallen by c1 of what the slope promised, and the slope is c2 of it or less.

    at(t) evaluates the loss; t is the first guess; largest is the direction's largest number; most: evaluations after
    the first, after which the best point found is returned.
    """

    def too_high(point: Point) -> bool:
        return point.loss > start.loss + c1 * point.t * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -c2 * start.slope

    # algorithm 3.5: lengthen the step until an interval holds such a point
    before, point, tried = start, at(t), 0
    while tried < most:
        if not (too_high(point) or (tried > 1 and point.loss >= before.loss)):
            if flat(point):
                return point
            if point.slope < 0:
                bounds = point.t + 0.01 * (point.t - before.t), point.t * 10
                before, point = point, at(_lowest(before, point, *bounds))
                tried += 1
                continue
        ends = [before, point]
        break
    else:
        ends = [start, point]

    # algorithm 3.6: narrow it; ends[low] is the better of the two
    low = 0 if ends[0].loss <= ends[1].loss else 1
    stalled = False
    while tried < most and not abs(ends[1].t - ends[0].t) * largest < tolerance_change:
        left, right = sorted(end.t for end in ends)
        t, margin = _lowest(ends[0], ends[1], left, right), 0.1 * (right - left)
        if min(right - t, t - left) < margin:  # close to an end: once is accepted, then it goes a tenth inside
            if stalled or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stalled = False
            else:
                stalled = True
        else:
            stalled = False
        point = at(t)
        tried += 1
        if too_high(point) or point.loss >= ends[low].loss:
            ends[1 - low] = point
            low = 0 if ends[0].loss <= ends[1].loss else 1
            continue
        if flat(point):
            return point
        if point.slope * (ends[1 - low].t - ends[low].t) >= 0:
            ends[1 - low] = ends[low]
        ends[low] = point
    return ends[low]


def _lowest(a: Point, b: Point, least: Any, most: Any) -> Any:
    """Where the cubic through both losses and slopes is lowest, within the bounds (Nocedal and Wright, 3.59)."""
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if square < 0:
        return (least + most) / 2.0
    d2 = square.sqrt()
    if a.t > b.t:
        a, b = b, a
    t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(t, least), most)
