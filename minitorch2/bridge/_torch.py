"""The import of torch: when a bridge is crossed, not before."""

from __future__ import annotations

from typing import Any


def import_torch() -> Any:
    """The module torch; ImportError, saying what else there is, where it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"minitorch2.bridge needs PyTorch, whose import failed ({error}). Install it (pip install torch), or go by "
            "files: minitorch2.load reads what torch.save wrote, and needs no torch",
            name=error.name,
        ) from error
    return torch
