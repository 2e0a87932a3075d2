"""The name of a type, as error messages write it."""

from __future__ import annotations

from typing import Any

from ...tensor import Tensor


def typename(obj: Any) -> str:
    """torch.FloatTensor for a tensor; the full name of a class or function, or else of the object's class."""
    if isinstance(obj, Tensor):
        return str(obj.type())
    named = obj if hasattr(obj, "__qualname__") else type(obj)
    module = named.__module__
    return named.__qualname__ if module in ("builtins", None) else f"{module}.{named.__qualname__}"
