"""Trees, as torch.utils._pytree has them, by the names that torch.func uses for them here."""

from __future__ import annotations

from ..utils._pytree import _broadcast_to_and_flatten as spread
from ..utils._pytree import tree_flatten as flatten
from ..utils._pytree import tree_map as map_leaves
from ..utils._pytree import tree_unflatten as unflatten
from ..utils._treespec import _LEAF_SPEC as LEAF
from ..utils._treespec import treespec_pprint as describe

__all__ = ["LEAF", "describe", "flatten", "map_leaves", "spread", "unflatten"]
