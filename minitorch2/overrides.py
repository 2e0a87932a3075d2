"""torch.overrides where no class overrides functions: __torch_function__ is not asked here."""

from __future__ import annotations

from typing import Any

from .core.absent import absent
from .ops.inquiry import is_tensor as is_tensor_like


def has_torch_function(relevant_args: Any) -> bool:
    """False: a subclass's __torch_function__ is never called."""
    return False


has_torch_function_unary = has_torch_function


def has_torch_function_variadic(*relevant_args: Any) -> bool:
    """False."""
    return False


globals().update(
    absent(
        "overrides",
        "a subclass's __torch_function__ is never called here",
        ("handle_torch_function", "wrap_torch_function", "resolve_name"),
        ("TorchFunctionMode", "BaseTorchFunctionMode"),
    )
)

__all__ = ["has_torch_function", "has_torch_function_unary", "has_torch_function_variadic", "is_tensor_like"]
