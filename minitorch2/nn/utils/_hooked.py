"""Finding the forward pre-hook by which a module's weight is computed: weight_norm, spectral_norm."""

from __future__ import annotations

from typing import Any

from ..modules.module import Module


def find_hook(module: Module, kind: type, name: str) -> int | None:
    """The key of the hook of this class for the parameter `name`, None where there is none."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, kind) and hook.name == name:  # type: ignore[attr-defined]
            return key
    return None


def take_hook(module: Module, key: int) -> Any:
    """Takes the hook off the module and returns it."""
    return module._forward_pre_hooks.pop(key)


def refuse_second(module: Module, kind: type, name: str, function: str) -> None:
    if find_hook(module, kind, name) is not None:
        raise RuntimeError(f"Cannot register two {function} hooks on the same parameter {name}")
