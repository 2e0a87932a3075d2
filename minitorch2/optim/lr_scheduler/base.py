"""The base class of schedules. Source: torch's page "torch.optim", section "How to adjust learning rate"."""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ...tensor import Tensor
from ..optimizer import Optimizer

LearningRate = float | Tensor

EPOCH_DEPRECATION = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. "
    "Please use `scheduler.step()` to step the scheduler. During the deprecation, if epoch is different from None, the "
    "closed form is used instead of the new chainable form, where available. Please open an issue if you are unable to "
    "replicate your use case: https://github.com/pytorch/pytorch/issues/new/choose."
)


class LRScheduler:
    """Sets the "lr" of the optimizer's groups, each time `step()` is called.

    A subclass defines `get_lr`: the next learning rate of each group, from `self.last_epoch` (0 at
    construction, then one more at each step), `self.base_lrs` (where the groups started) and the groups'
    present "lr". It may define `_get_closed_form_lr`, the same from base_lrs and last_epoch alone, for
    `step(epoch)`.

    Construction takes the first step. With last_epoch other than -1 the schedule resumes there, and each
    group must have its "initial_lr" (KeyError else).
    """

    _get_lr_called_within_step: bool = False
    _is_initial: bool = False
    _get_closed_form_lr: Callable[[], list[LearningRate]]

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = check_optimizer(optimizer)
        if last_epoch == -1:
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", copied(group["lr"]))
        for i, group in enumerate(optimizer.param_groups):
            if "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with "
                    "last_epoch >= 0.\nThis typically happens when:\n1. You're trying to resume training from a "
                    "checkpoint but haven't properly loaded the optimizer state\n2. You're using last_epoch >= 0 for a "
                    "fresh training run (not recommended)"
                )
        self.base_lrs: list[LearningRate] = group_values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        _mark_steps(optimizer)
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        with self._flag("_is_initial"):
            self.step()

    @contextmanager
    def _flag(self, name: str) -> Iterator[None]:
        setattr(self, name, True)
        try:
            yield
        finally:
            setattr(self, name, False)

    def step(self, epoch: int | None = None) -> None:
        """Goes to the next learning rates; `epoch` jumps to that one (deprecated)."""
        if self._step_count == 1:
            self._warn_if_optimizer_waits()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_DEPRECATION, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _warn_if_optimizer_waits(self) -> None:
        if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
            warnings.warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
                "initialization. Please, make sure to call `optimizer.step()` before `lr_scheduler.step()`.",
                UserWarning,
                stacklevel=3,
            )
        elif not getattr(self.optimizer, "_opt_called", False):
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, you "
                "should call them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  Failure to "
                "do this will result in PyTorch skipping the first value of the learning rate schedule. See more "
                "details at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate",
                UserWarning,
                stacklevel=3,
            )

    def _update_lr(self, epoch: int | None = None) -> None:
        with self._flag("_get_lr_called_within_step"):
            if epoch is None:
                self.last_epoch += 1
                values = self.get_lr()
            else:
                self.last_epoch = epoch
                values = self._get_closed_form_lr() if hasattr(self, "_get_closed_form_lr") else self.get_lr()
        self._set_lr(values)

    def _set_lr(self, values: list[LearningRate]) -> None:
        for group, lr in zip(self.optimizer.param_groups, values, strict=True):
            set_group_value(group, "lr", lr)
        self._last_lr = group_values(self.optimizer, "lr")

    def get_last_lr(self) -> list[LearningRate]:
        """The learning rate of each group, as this schedule last set it."""
        return self._last_lr

    def get_lr(self) -> list[LearningRate]:
        """The learning rates for `self.last_epoch`; `step` calls it."""
        raise NotImplementedError(f"{type(self).__name__} does not say what follows: define get_lr()")

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer (whose own state_dict holds the present learning rates)."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what `state_dict` returned."""
        self.__dict__.update(state_dict)


def check_optimizer(optimizer: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    return optimizer


def copied(value: Any) -> Any:
    """A tensor's copy (a schedule writes to a tensor learning rate in place), any other value as it is."""
    return value.clone() if isinstance(value, Tensor) else value


def group_values(optimizer: Optimizer, key: str) -> list[Any]:
    return [copied(group[key]) for group in optimizer.param_groups]


def set_group_value(group: dict[str, Any], key: str, value: LearningRate) -> None:
    """group[key] = value; a tensor keeps its identity and takes the value."""
    if isinstance(group[key], Tensor):
        group[key].fill_(value.squeeze() if isinstance(value, Tensor) else value)
    else:
        group[key] = value


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """One value per group: the list as given, or a single value for all."""
    if not isinstance(value, list | tuple):
        value = [value] * len(optimizer.param_groups)
    elif len(value) != len(optimizer.param_groups):
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, "
            f"param_groups has {len(optimizer.param_groups)}."
        )
    return [copied(v) for v in value]


def set_group_momentum(group: dict[str, Any], momentum: float, use_beta1: bool) -> None:
    """Sets the group's "momentum", or the first of its "betas"."""
    if use_beta1:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


def momentum_is_beta1(optimizer: Optimizer) -> bool:
    """Whether momentum is the first of "betas". ValueError for an optimizer without any momentum."""
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
    return "betas" in optimizer.defaults


def start_momentum(optimizer: Optimizer, base: list[float], largest: list[float], use_beta1: bool) -> None:
    """A momentum cycle starts at its largest value."""
    for group, low, high in zip(optimizer.param_groups, base, largest, strict=True):
        set_group_momentum(group, high, use_beta1)
        group["max_momentum"] = high
        group["base_momentum"] = low


def _mark_steps(optimizer: Optimizer) -> None:
    """Makes `optimizer.step` leave a mark, by which a schedule can tell that it was called first."""
    if hasattr(optimizer.step, "_wrapped_by_lr_sched"):
        return
    step = optimizer.step.__func__  # type: ignore[attr-defined]
    optimizer_ref = weakref.ref(optimizer)  # the optimizer holds the wrapper: no cycle of references

    @functools.wraps(step)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        owner: Any = optimizer_ref()
        owner._opt_called = True
        return step(owner, *args, **kwargs)

    wrapper._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    optimizer.step = wrapper  # type: ignore[method-assign]
