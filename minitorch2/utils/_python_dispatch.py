"""torch.utils._python_dispatch, where packages ask for modes that see every op; here there is none."""

from __future__ import annotations

from typing import Any

from ..core.absent import absent

globals().update(
    absent(
        "utils._python_dispatch",
        "a class's or mode's __torch_dispatch__ is never called here",
        ("return_and_correct_aliasing", "transform_subclass"),
        ("BaseTorchDispatchMode", "TorchDispatchMode"),
    )
)


def is_traceable_wrapper_subclass(t: Any) -> bool:
    """False: no tensor holds others."""
    return False


is_traceable_wrapper_subclass_type = is_traceable_wrapper_subclass


def _get_current_dispatch_mode(pre_dispatch: bool = False) -> None:
    """None."""


def _get_current_dispatch_mode_stack() -> list[Any]:
    """No modes."""
    return []


def is_in_torch_dispatch_mode(include_infra_modes: bool = True) -> bool:
    """False."""
    return False


__all__ = ["is_in_torch_dispatch_mode", "is_traceable_wrapper_subclass", "is_traceable_wrapper_subclass_type"]
