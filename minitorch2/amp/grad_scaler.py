"""GradScaler: multiplies the loss, so that float16 gradients do not vanish, and looks for the factor that may be used.

Source: torch's page "Automatic Mixed Precision package", Gradient Scaling; Micikevicius et al., "Mixed Precision
Training", 2018.
"""

from __future__ import annotations

import inspect
import warnings
from collections import defaultdict
from collections.abc import Iterable
from enum import Enum
from typing import Any

import minitorch2_kernels as K
from minitorch2_kernels.reference.amp import unscale, update_scale

from ..core.device import device, has_gpu
from ..core.dtypes import LOW_PRECISION, float16, float32, int32
from ..core.quiet import IGNORE, restore, silence
from ..creation import full
from ..optim import Optimizer
from ..tensor import Tensor


class OptState(Enum):
    """Where in the present iteration an optimizer stands."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


def _refresh_per_optimizer_state() -> dict[str, Any]:
    return {"stage": OptState.READY, "found_inf_per_device": {}}


class GradScaler:
    """Scales the loss by a factor, and takes it out of the gradients again before the optimizer's step.

        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    A gradient with an inf or a nan means that the factor was too large: the optimizer's step is left out, and update()
    makes the factor smaller; after growth_interval good steps in a row it makes it larger.

    Args:
        device: "cuda" or "cpu". Without a GPU, "cuda" warns and the scaler is not enabled.
        init_scale: the first factor.
        growth_factor, backoff_factor: what the factor is multiplied by, above and below 1; else AssertionError.
        growth_interval: how many good steps in a row it takes to grow.
        enabled: if False, step() is optimizer.step() and nothing else does anything.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._device = device
        self._enabled = enabled
        if enabled and device == "cuda" and not has_gpu():
            warnings.warn("torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.", stacklevel=2)
            self._enabled = False
        if not self._enabled:
            return
        if growth_factor <= 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if backoff_factor >= 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._init_scale = init_scale
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._init_growth_tracker = 0
        # Both are made by the first scale(), where its argument is: 0-d, so that nothing waits for the GPU.
        self._scale: Tensor | None = None
        self._growth_tracker: Tensor | None = None
        self._per_optimizer_states: defaultdict[Any, dict[str, Any]] = defaultdict(_refresh_per_optimizer_state)

    def scale(self, outputs: Any) -> Any:
        """outputs (a tensor, or an iterable of them, nested) times the scale; unchanged where not enabled.

        A list stays a list, a tuple a tuple, another iterable becomes an iterator. ValueError for anything else.
        """
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            if self._scale is None:
                self._begin(outputs.device)
            assert self._scale is not None
            return outputs * self._scale.to(device=outputs.device)
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, list | tuple) else scaled  # type: ignore[call-arg]
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def _begin(self, where: device) -> None:
        self._scale = full((), self._init_scale, dtype=float32, device=where)
        self._growth_tracker = full((), self._init_growth_tracker, dtype=int32, device=where)

    def _begun(self, called: str) -> tuple[Tensor, Tensor]:
        for name, value in (("_scale", self._scale), ("_growth_tracker", self._growth_tracker)):
            if value is None:
                raise AssertionError(
                    f"Attempted {called} but {name} is None.  This may indicate your script did not use "
                    "scaler.scale(loss or outputs) earlier in the iteration."
                )
        return self._scale, self._growth_tracker  # type: ignore[return-value]

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divides the optimizer's gradients by the scale, and looks whether they are finite.

        step() does so by itself; call it before, and once, where the gradients themselves are wanted: to clip them.
        RuntimeError where that was done since update(), ValueError for float16 gradients.
        """
        if not self._enabled:
            return
        scale, _ = self._begun("unscale_")
        state = self._per_optimizer_states[optimizer]
        if state["stage"] is OptState.UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        inverse = scale.double().reciprocal().float()
        state["found_inf_per_device"] = _unscale_gradients(optimizer, inverse, allow_half=False)
        state["stage"] = OptState.UNSCALED

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """unscale_(optimizer), unless that was done, and optimizer.step(*args, **kwargs), if all gradients are finite.

        Returns what that returns; None where it was left out. RuntimeError for a second step before update(), or a
        closure; AssertionError where there is no gradient at all.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._begun("step")
        state = self._per_optimizer_states[optimizer]
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if getattr(optimizer, "_step_supports_amp_scaling", False):
            return self._step_that_unscales(optimizer, state, args, kwargs)
        if state["stage"] is OptState.READY:
            self.unscale_(optimizer)
        if not state["found_inf_per_device"]:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        finite = not sum(found.item() for found in state["found_inf_per_device"].values())
        result = optimizer.step(*args, **kwargs) if finite else None
        state["stage"] = OptState.STEPPED
        return result

    def _step_that_unscales(self, optimizer: Any, state: dict[str, Any], args: Any, kwargs: Any) -> Any:
        """For an optimizer that says it takes the scale out itself: it finds grad_scale and found_inf as attributes."""
        takes_scaler = "grad_scaler" in inspect.signature(optimizer.step).parameters
        if takes_scaler:
            warnings.warn(
                "GradScaler is going to stop passing itself as a keyword argument to the passed optimizer. In the near "
                "future GradScaler registers `grad_scale: Tensor` and `found_inf: Tensor` to the passed optimizer and "
                "let the optimizer use them directly.",
                FutureWarning,
                stacklevel=3,
            )
            kwargs = {**kwargs, "grad_scaler": self}
        else:
            if state["stage"] is OptState.READY:
                self._check_inf_per_device(optimizer)
            assert self._scale is not None
            where = self._scale.device
            optimizer.found_inf = sum(found.to(where) for found in state["found_inf_per_device"].values())
            given = getattr(optimizer, "grad_scale", None)
            if state["stage"] is not OptState.UNSCALED:
                given = self._scale if given is None else self._scale * given
            optimizer.grad_scale = given
        result = optimizer.step(*args, **kwargs)
        state["stage"] = OptState.STEPPED
        if not takes_scaler:
            del optimizer.grad_scale, optimizer.found_inf
        return result

    def _check_inf_per_device(self, optimizer: Optimizer) -> dict[device, Tensor]:
        scale, _ = self._begun("_check_inf_per_device")
        one = full((), 1.0, dtype=float32, device=scale.device)
        found = _unscale_gradients(optimizer, one, allow_half=True)
        self._per_optimizer_states[optimizer]["found_inf_per_device"] = found
        return found

    def _found_inf_per_device(self, optimizer: Optimizer) -> dict[device, Tensor]:
        return self._per_optimizer_states[optimizer]["found_inf_per_device"]

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Ends the iteration: the scale shrinks, grows or stays, or becomes new_scale (a float, or a tensor of one).

        AssertionError where no optimizer was unscaled since the last update(), or for another kind of new_scale.
        """
        if not self._enabled:
            return
        scale, tracker = self._begun("update")
        if isinstance(new_scale, float):
            scale.fill_(new_scale)
        elif new_scale is not None:
            given: Any = new_scale
            if given.device.type != self._device or given.numel() != 1 or given.requires_grad:
                raise AssertionError(
                    "new_scale should be a float or a 1-element torch.cuda.FloatTensor or torch.FloatTensor with "
                    "requires_grad=False."
                )
            scale.copy_(given)
        else:
            states = self._per_optimizer_states.values()
            found = [f.to(scale.device) for state in states for f in state["found_inf_per_device"].values()]
            if not found:
                raise AssertionError("No inf checks were recorded prior to update.")
            factors = self._growth_factor, self._backoff_factor, self._growth_interval
            token = silence(IGNORE)
            try:
                update_scale(scale._data, tracker._data, sum(f._data for f in found), *factors)
            finally:
                restore(token)
        self._per_optimizer_states = defaultdict(_refresh_per_optimizer_state)

    def _get_scale_async(self) -> Tensor | None:
        return self._scale

    def get_scale(self) -> float:
        """The scale as a number; 1.0 where not enabled. Waits for the GPU."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else self._scale.item()

    def get_growth_factor(self) -> float:
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        self._growth_interval = new_interval

    def _get_growth_tracker(self) -> int:
        if not self._enabled:
            return 0
        return self._init_growth_tracker if self._growth_tracker is None else self._growth_tracker.item()

    def is_enabled(self) -> bool:
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """The scale, the factors, the interval and the count of good steps, as numbers; {} where not enabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what state_dict() returned; does nothing where not enabled. RuntimeError for an empty one."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
            )
        self._init_scale = state_dict["scale"]
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._init_growth_tracker = state_dict["_growth_tracker"]
        if self._scale is not None:
            self._scale.fill_(self._init_scale)
        if self._growth_tracker is not None:
            self._growth_tracker.fill_(self._init_growth_tracker)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if self._enabled:
            if self._per_optimizer_states:
                raise AssertionError(
                    "A GradScaler instance may only be pickled at the beginning of an iteration, or at the end after "
                    "scaler.update()."
                )
            state["_init_scale"], state["_init_growth_tracker"] = self.get_scale(), self._get_growth_tracker()
            state["_scale"] = state["_growth_tracker"] = None  # made again where they are needed
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def _unscale_gradients(optimizer: Optimizer, inverse: Tensor, allow_half: bool) -> dict[device, Tensor]:
    """All gradients times `inverse`, in place: for every device they are on, 1 if one of them is not finite, else 0."""
    inverses: dict[device, Tensor] = {}
    found: dict[device, Tensor] = {}
    alike: dict[Any, list[Tensor]] = {}
    token = silence(IGNORE)
    try:
        for param in (p for group in optimizer.param_groups for p in group["params"]):
            grad = param.grad
            if grad is None:
                continue
            if not allow_half and grad.dtype is float16:
                raise ValueError("Attempting to unscale FP16 gradients.")
            where = grad.device
            if where not in found:
                inverses[where] = inverse.to(where)
                found[where] = full((), 0.0, dtype=float32, device=where)
            alike.setdefault((where, grad.dtype), []).append(grad)
        for (where, _), grads in alike.items():
            _unscale(grads, inverses[where]._data, found[where]._data)
    finally:
        restore(token)
    return found


def _unscale(grads: list[Tensor], inverse: Any, found: Any) -> None:
    """`unscale` of tensors of one device and dtype."""
    arrays = [grad._data for grad in grads]
    if arrays[0].dtype in LOW_PRECISION:
        wide = [K.cast(a, float32.numpy) for a in arrays]
        unscale(wide, inverse, found)
        for array, result in zip(arrays, wide, strict=True):
            K.copyto(array, K.cast(result, array.dtype))
    else:
        unscale(arrays, inverse, found)
    for grad in grads:
        grad._bump()
