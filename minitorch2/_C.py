"""torch._C, PyTorch's compiled core: the few names in it that packages use while they are imported."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from .core.absent import absent_class
from .core.device import device as device
from .core.dtypes import dtype as dtype
from .core.grad_mode import no_grad
from .core.placing import place
from .core.size import Size as Size
from .jit import ScriptFunction as ScriptFunction  # type: ignore[attr-defined]
from .jit import ScriptModule as ScriptModule  # type: ignore[attr-defined]
from .nn.modules._convert import _parse_to
from .ops.random import Generator as Generator
from .tensor import Tensor

_TensorMeta = type(Tensor)
_nn = place("_C._nn", {"_parse_to": _parse_to})


def _get_tracing_state() -> None:
    """None: nothing is traced here."""


def _log_api_usage_once(event: str) -> None:
    """Nothing: PyTorch counts calls inside Meta."""


class DisableTorchFunctionSubclass(nullcontext):
    """Nothing: subclasses of Tensor have no __torch_function__ here that could be disabled."""


DisableTorchFunction = DisableTorchFunctionSubclass
_AutoDispatchBelowAutograd = no_grad  # in which an operator's implementation for "Autograd" is not called


class _Keys(type):
    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class DispatchKey(metaclass=_Keys):
    """The names of PyTorch's dispatcher's keys, as text: packages keep sets of them."""


class DispatchKeySet(frozenset):
    """A set of such keys."""

    def __new__(cls, key: str | frozenset[str] = frozenset()):
        return super().__new__(cls, [key] if isinstance(key, str) else key)

    def __or__(self, other: Any) -> DispatchKeySet:
        return DispatchKeySet(frozenset(self) | frozenset(other))


def _disabled_torch_function_impl(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """func(*args, **kwargs), which is what a class gets here whatever its __torch_function__."""
    return func(*args, **(kwargs or {}))


Graph, Value = (absent_class(f"_C.{name}", "nothing is traced here") for name in ("Graph", "Value"))
_ExcludeDispatchKeyGuard = absent_class("_C._ExcludeDispatchKeyGuard", "there is no dispatcher of operators here")
TensorBase = _TensorBase = Tensor
ScriptMethod = absent_class("_C.ScriptMethod", "there is no TorchScript here")


def _is_tracing() -> bool:
    """False: nothing is traced here."""
    return False
