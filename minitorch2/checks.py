"""torch._assert and torch._check: conditions that packages state in their forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .tensor import Tensor

__all__ = ["_assert", "_check", "_check_index", "_check_not_implemented", "_check_type", "_check_value"]


def _assert(condition: Any, message: str) -> None:
    """AssertionError with this message unless the condition, which may be a tensor of one element, holds."""
    if not condition:
        raise AssertionError(message)


def _check_with(error: type[Exception], cond: bool, message: Callable[[], Any] | None) -> None:
    if not isinstance(cond, bool):
        kind = "a Tensor. Take all of its elements: .all().item()" if isinstance(cond, Tensor) else type(cond)
        raise TypeError(f"cond must be a bool, but got {kind}")
    if message is not None and not callable(message):
        raise TypeError("message must be a callable")
    if not cond:
        raise error("Expected cond to be True, but got False." if message is None else str(message()))


def _check(cond: bool, message: Callable[[], Any] | None = None) -> None:
    """RuntimeError, with what message() returns, unless cond holds."""
    _check_with(RuntimeError, cond, message)


def _check_value(cond: bool, message: Callable[[], Any] | None = None) -> None:
    """ValueError unless cond holds."""
    _check_with(ValueError, cond, message)


def _check_index(cond: bool, message: Callable[[], Any] | None = None) -> None:
    """IndexError unless cond holds."""
    _check_with(IndexError, cond, message)


def _check_type(cond: bool, message: Callable[[], Any] | None = None) -> None:
    """TypeError unless cond holds."""
    _check_with(TypeError, cond, message)


def _check_not_implemented(cond: bool, message: Callable[[], Any] | None = None) -> None:
    """NotImplementedError unless cond holds."""
    _check_with(NotImplementedError, cond, message)
