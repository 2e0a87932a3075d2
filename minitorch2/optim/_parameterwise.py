"""What the built-in optimizers share: one array kernel updates each parameter that has a gradient.

Three keywords of torch's are accepted and change no result, since there is one implementation here: `foreach`
and `fused` (None or a bool) choose among torch's equivalent loops; float16 and bfloat16 parameters are
updated in float32 and rounded once, as torch's fused loops do. `differentiable=True` is refused, and so is
`capturable=True` but by Adam and AdamW of parameters on a GPU: their "step" then lives there too, so that the
update can be captured in a CUDA graph.

On a GPU, SGD and Adam update all parameters of a group in one launch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from minitorch2_kernels import asarray, ascontiguousarray, namespace, on_device
from minitorch2_kernels.reference.cast import cast

from ..core import dtypes
from ..core.grad_mode import enable_grad, no_grad
from ..core.quiet import IGNORE, restore, silence
from ..creation import tensor
from ..tensor import Tensor
from .optimizer import Optimizer

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
    """Parameters that one launch or call updates, each with as many states (tensors, or None for one not there)."""

    def __init__(self, states: int) -> None:
        self.written: list[Tensor] = []
        self.params: list[Any] = []  # arrays, as the gradients and the states
        self.grads: list[Any] = []
        self.states: list[list[Any]] = [[] for _ in range(states)]

    def add(self, p: Tensor, states: Sequence[Tensor | None]) -> None:
        data, grad = p._data, p._grad._data
        self.params.append(data)
        self.grads.append(grad if grad.flags.c_contiguous else ascontiguousarray(grad))
        self.written.append(p)
        for arrays, t in zip(self.states, states):  # noqa: B905 (they are as many)
            if t is not None:
                if t._data.shape != data.shape:
                    check_shapes(p, states)
                arrays.append(t._data)
                self.written.append(t)

    def apply(self, kernel: Callable[..., None], *hyperparameters: Any) -> None:
        """`kernel(parameters, gradients, *states, *hyperparameters)`, lists; None for a state that they do not have."""
        kernel(self.params, self.grads, *[arrays or None for arrays in self.states], *hyperparameters)
        for t in self.written:
            t._bump()


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
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    check_nonnegative("learning rate", lr)


def check_nonnegative(what: str, value: float | Tensor) -> None:
    if not value >= 0.0:
        raise ValueError(f"Invalid {what}: {value}")


def check_betas(betas: tuple[Any, Any]) -> None:
    for i in (0, 1):
        if not 0.0 <= betas[i] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")


def check_fused(fused: bool | None, foreach: bool | None, differentiable: bool) -> None:
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
