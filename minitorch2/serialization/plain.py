"""The closing check of a load: what comes out is plain data, and no deeper than code can follow."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core.device import device
from ..core.dtypes import dtype
from ..core.size import Size
from ..nn.modules.module import Module
from ..tensor import Tensor
from .errors import damaged
from .safe_globals import registered_by_path
from .storages import Storage

MAX_DEPTH = 200  # recursive code (copy.deepcopy, repr, torch.save) must be able to follow

_CONTAINERS = (list, tuple, set, frozenset, dict, OrderedDict, Counter, defaultdict)
_LEAVES = (type(None), bool, int, float, complex, str, bytes, bytearray, dtype, device, Size)


def check_plain(root: Any) -> None:
    """Raises UnpicklingError if `root` contains anything but plain data, itself, or too many levels of it."""
    trusted = list(registered_by_path().values())
    heights: dict[int, int] = {}  # finished containers; 0 while one is still open
    pending = [(root, False)]
    while pending:
        item, children_done = pending.pop()
        if _is_leaf(item):
            continue
        if not (type(item) in _CONTAINERS or isinstance(item, Tensor)):
            if not any(item is one or type(item) is one for one in trusted):
                if isinstance(item, Storage):
                    raise NotImplementedError(
                        "minitorch2: the file contains a bare storage; load it with torch and save a tensor of it "
                        "(torch.tensor(storage)) instead"
                    )
                damaged(f"the file contains a {type(item).__name__} where only data can stand")
            if not isinstance(item, Module):
                continue  # what it holds is its own affair
        children = [child for child in _children(item) if not _is_leaf(child)]
        if children_done:
            heights[id(item)] = height = 1 + max((heights.get(id(child), 0) for child in children), default=0)
            if height > MAX_DEPTH:
                damaged(f"the file nests objects deeper than {MAX_DEPTH} levels")
            continue
        if id(item) in heights:
            if heights[id(item)] == 0:
                damaged("the file has a container that contains itself")
            continue
        heights[id(item)] = 0
        pending.append((item, True))
        pending.extend((child, False) for child in children)


def _is_leaf(item: Any) -> bool:
    return type(item) in _LEAVES or isinstance(item, np.number | np.bool) or type(item) is np.ndarray


def _children(item: Any) -> Iterable[Any]:
    if isinstance(item, dict):
        yield from item  # keys: tuples may hide anything
        yield from item.values()
    elif isinstance(item, Module):
        yield from vars(item).values()
    elif not isinstance(item, Tensor):
        yield from item
    if isinstance(item, Tensor):
        yield from own_attributes(item).values()
    elif isinstance(item, OrderedDict):
        yield from vars(item).values()
    elif isinstance(item, defaultdict):
        yield item.default_factory


def own_attributes(tensor: Tensor) -> dict[str, Any]:
    """The Python attributes a user has set on a tensor (`t.name = ...`), without those of its class."""
    internal = {"_data", "_counter"}
    return {k: v for k, v in vars(tensor).items() if k not in internal and not hasattr(type(tensor), k)}
