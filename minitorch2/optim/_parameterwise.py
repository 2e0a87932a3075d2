"""What the built-in optimizers share: one array kernel updates each parameter that has a gradient.

Three keywords of torch's are accepted and change no result, since there is one implementation here: `foreach`
and `fused` (None or a bool) choose among torch's equivalent loops; float16 and bfloat16 parameters are
updated in float32 and rounded once, as torch's fused loops do. `differentiable=True` is refused, and so is
`capturable=True` but by Adam and AdamW of parameters on a GPU: their "step" then lives there too, so that the
update can be captured in a CUDA graph.

On a GPU, SGD and Adam update all parameters of a group in one launch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from operator import is_
from typing import Any, ClassVar

from minitorch2_kernels import asarray, ascontiguousarray, namespace, on_device
from minitorch2_kernels.dispatch import Arrays
from minitorch2_kernels.reference.cast import cast

from ..core import dtypes
from ..core.grad_mode import enable_grad, no_grad
from ..core.quiet import IGNORE, restore, silence
from ..creation import tensor
from ..tensor import Tensor
from .optimizer import Optimizer, ParamsT

_UNSUPPORTED = {
    "differentiable": "write the update as ordinary tensor operations to differentiate through it",
    "capturable": "leave it False, or take Adam or AdamW",
}


class ParameterwiseOptimizer(Optimizer):
    """Runs `_update(p, group)` for each parameter that has a gradient and was not updated by `_update_many`."""

    # Options that torch added over the years, with the value that an older checkpoint means.
    _later_options: ClassVar[dict[str, Any]] = {}
    _supported: ClassVar[frozenset[str]] = frozenset()  # of the options in _UNSUPPORTED those that it does support

    def _update_many(self, params: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        """Updates together what can be, in a few launches or calls; returns the parameters that are left."""
        return params

    def _update(self, p: Tensor, group: dict[str, Any]) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define _update(p, group)")

    def _batches(
        self, group: dict[str, Any], params: list[Tensor], columns: Sequence[list[Tensor] | None], keys: list[Any]
    ) -> tuple[list[Batch], list[int]]:
        """Batches of those of one dtype and key, and the places of parameters that no batch takes. columns: for each
        state its tensors, or None. The last step's batches are taken again where they are of the same arrays."""
        arrays = [p._data for p in params]
        for column in columns:
            if column is not None:
                arrays += [t._data for t in column]
        one_key = keys.count(keys[0]) == len(keys) if keys else True
        kept = self._kept.get(id(group))
        if kept is not None and one_key and len(kept[0]) == len(arrays) and all(map(is_, kept[0], arrays)):
            return kept[1]
        places: defaultdict[Any, list[int]] = defaultdict(list)
        left: list[int] = []
        for i, p in enumerate(params):
            (places[p._data.dtype, keys[i]] if in_batches(p) else left).append(i)
        made = [
            Batch(some, [params[i] for i in some], [c and [c[i] for i in some] for c in columns])
            for some in places.values()
        ]
        if one_key:
            self._kept[id(group)] = arrays, (made, left)
        return made, left

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self._kept: dict[int, Any] = {}  # of a group, by its id: arrays, and what _batches made of them
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        if isinstance(param_group, dict):
            self._refuse_unsupported(self.defaults | param_group)
        super().add_param_group(param_group)

    @no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of all parameters that have a gradient; returns the closure's loss, if there is one."""
        self._refuse_capture()
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        token = silence(IGNORE)
        try:
            for group in self.param_groups:
                self._refuse_unsupported(group)  # again, because a loaded state_dict brings its own options
                for p in self._update_many([p for p in group["params"] if p._grad is not None], group):
                    self._update(p, group)
        finally:
            restore(token)
        return loss

    def _refuse_unsupported(self, group: dict[str, Any]) -> None:
        """NotImplementedError for the options that would change what a step is."""
        for option, instead in _UNSUPPORTED.items():
            if group.get(option) and option not in self._supported:
                raise NotImplementedError(f"minitorch2: optimizers do not support {option}=True; {instead}.")

    def _refuse_capture(self) -> None:
        """RuntimeError where a CUDA graph is being captured that could not count the steps, as torch has it."""
        if "capturable" not in self.defaults or all(group.get("capturable") for group in self.param_groups):
            return
        first = self.param_groups[0]["params"][:1]
        if first and on_device(first[0]._data):
            stream = namespace(first[0]._data).cuda.get_current_stream()
            if stream.is_capturing():
                raise RuntimeError(
                    f"Attempting CUDA graph capture of step() for an instance of {type(self).__name__} but "
                    "param_groups' capturable is False."
                )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._kept = {}
        for group in self.param_groups:
            for key, default in self._later_options.items():
                group.setdefault(key, default)
            for p in group["params"]:
                for name in ("step", "mu_product"):  # numbers in checkpoints of long ago
                    value = self.state[p].get(name) if p in self.state else None
                    if value is not None and not isinstance(value, Tensor):
                        self.state[p][name] = counter(float(value))


def apply(kernel: Callable[..., None], p: Tensor, state: tuple[Tensor | None, ...], *hyperparameters: Any) -> None:
    """`kernel(parameter, gradient, *state, *hyperparameters)` on the arrays, which it changes in place."""
    written = [p, *state]
    check_shapes(p, state)
    arrays = [None if t is None else t._data for t in (p, p.grad, *state)]
    if p._data.dtype in dtypes.LOW_PRECISION:
        wide = [None if a is None else asarray(cast(a, dtypes.float32.numpy)) for a in arrays]
        kernel(*wide, *hyperparameters)
        for t, result in zip(written, (wide[0], *wide[2:]), strict=True):
            if t is not None:
                t._data[...] = cast(result, t._data.dtype)
    else:
        kernel(*arrays, *hyperparameters)
    for t in written:
        if t is not None:
            t._bump()


def check_shapes(p: Tensor, state: Sequence[Tensor | None]) -> None:
    for t in state:
        if t is not None and t._data.shape != p._data.shape:
            raise RuntimeError(
                f"the optimizer holds state of shape {tuple(t.shape)} for a parameter of shape "
                f"{tuple(p.shape)}; was its state_dict saved for another model?"
            )


class Batch:
    """Parameters that one launch or call updates. places: theirs among those with a gradient; columns: for each state
    its tensors, or None for one that they do not have."""

    def __init__(self, places: list[int], params: list[Tensor], columns: Sequence[list[Tensor] | None]) -> None:
        self.places, self.written = places, list(params)
        self.params = Arrays(p._data for p in params)
        self.shapes = [a.shape for a in self.params]
        self.states: list[Arrays | None] = []
        for column in columns:
            if column is not None:
                for p, t in zip(params, column, strict=True):
                    check_shapes(p, (t,))
                self.written += column
            self.states.append(None if column is None else Arrays(t._data for t in column))

    def apply(self, kernel: Callable[..., None], params: list[Tensor], *hyperparameters: Any) -> None:
        """`kernel(parameters, gradients, *states, *hyperparameters)`, lists. params: all of which these are some."""
        grads = [params[i]._grad._data for i in self.places]
        grads = [g if g.flags.c_contiguous else ascontiguousarray(g) for g in grads]
        if [g.shape for g in grads] != self.shapes:
            p, g = next((p, g) for p, g in zip(self.written, grads, strict=False) if p._data.shape != g.shape)
            raise RuntimeError(
                f"a parameter of shape {tuple(p.shape)} has a gradient of shape {g.shape}: was its .data replaced "
                "after backward()? Call zero_grad() before."
            )
        kernel(self.params, grads, *self.states, *hyperparameters)
        for t in self.written:
            t._counter[0] += 1  # as _bump, which would be a call for each


def in_batches(p: Tensor) -> bool:
    """Whether a Batch may take this parameter: on the CPU too, where a call for each of many small ones adds up."""
    data = p._data
    return data.flags.c_contiguous and (data.dtype.char in "fd" or on_device(data))


def rate(lr: Any) -> Any:
    """A learning rate as a kernel for many tensors takes it: a number, or its array on the GPU."""
    return lr._data if isinstance(lr, Tensor) and on_device(lr._data) else number(lr)


def counter(value: float = 0.0) -> Tensor:
    """A 0-d tensor that counts steps: float32, or float64 where that is the default dtype."""
    wide = dtypes.get_default_dtype() is dtypes.float64
    return tensor(value, dtype=dtypes.float64 if wide else dtypes.float32)


def advance(state: dict[str, Any]) -> float:
    """Counts one step in state["step"], in place, and returns the new count."""
    step = state["step"]
    count = step._data
    count.fill(count.item() + 1)  # a fifth of the time of += 1
    step._bump()
    return count.item()


def number(x: Any) -> Any:
    """A hyperparameter as a number; a 1-element tensor as a NumPy scalar, which rounds as the tensor does."""
    if not isinstance(x, Tensor):
        return x
    value = x.item()
    return x.dtype.numpy.type(value) if x.dtype in (dtypes.float32, dtypes.float64) else value


def check_lr(lr: float | Tensor) -> None:
    check_one_rate(lr)
    check_nonnegative("learning rate", lr)


def check_one_rate(lr: float | Tensor) -> None:
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")


def check_nonnegative(what: str, value: float | Tensor) -> None:
    if not value >= 0.0:
        raise ValueError(f"Invalid {what}: {value}")


def check_at_least(least: int, what: str, value: float | Tensor) -> None:
    """In the words of torch's newer optimizers."""
    if not value >= least:
        raise ValueError(f"{what} should be >= {least} but is: {value}")


def check_betas(betas: tuple[Any, Any]) -> None:
    for i in (0, 1):
        if not 0.0 <= betas[i] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")


def check_fused(fused: bool | None, foreach: bool | None, differentiable: bool) -> None:
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
