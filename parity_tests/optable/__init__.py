"""The table of ops: each op once, with how to call it and how close the results must be."""

from __future__ import annotations

from . import (
    combining,
    elementwise,
    factors,
    matrices,
    methods,
    moving,
    ordering,
    parts,
    placing,
    probability,
    products,
    reductions,
    shapes,
    special,
)
from .spec import OpSpec

SPECS: tuple[OpSpec, ...] = (
    *combining.SPECS,
    *elementwise.SPECS,
    *factors.SPECS,
    *matrices.SPECS,
    *methods.SPECS,
    *moving.SPECS,
    *ordering.SPECS,
    *parts.SPECS,
    *placing.SPECS,
    *probability.SPECS,
    *products.SPECS,
    *reductions.SPECS,
    *shapes.SPECS,
    *special.SPECS,
)

BY_NAME = {spec.name: spec for spec in SPECS}
assert len(BY_NAME) == len(SPECS), "an op stands twice in the table"
