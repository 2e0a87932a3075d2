"""torch.nn._reduction: the words for reductions as numbers, and what there was before the words."""

from __future__ import annotations

import warnings

from .functional.loss import reduction_of

__all__ = ["get_enum", "legacy_get_enum", "legacy_get_string"]


def get_enum(reduction: str) -> int:
    """0 for 'none', 1 for 'mean', 2 for 'sum'. ValueError for other words."""
    if reduction == "elementwise_mean":
        warnings.warn("reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.", stacklevel=2)
        reduction = "mean"
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return ("none", "mean", "sum").index(reduction)


def legacy_get_string(size_average: bool | None, reduce: bool | None, emit_warning: bool = True) -> str:
    """The word for the deprecated size_average and reduce, with torch's warning."""
    return reduction_of(size_average, reduce, 2 if emit_warning else None)


def legacy_get_enum(size_average: bool | None, reduce: bool | None, emit_warning: bool = True) -> int:
    """The number for them."""
    return get_enum(legacy_get_string(size_average, reduce, emit_warning))
