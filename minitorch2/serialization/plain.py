"""The closing check of a load: what comes out is plain data, and no deeper than code can follow."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
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

_SMALL = 4
_CONTAINERS = (list, tuple, set, frozenset, dict, OrderedDict, Counter, defaultdict)
_LEAVES = (type(None), bool, int, float, complex, str, bytes, bytearray, dtype, device, Size)


def check_plain(root: Any) -> None:
    """Raises UnpicklingError if `root` contains anything but plain data, itself, or too many levels of it."""
    if _is_leaf(root):
        return
    trusted = list(registered_by_path().values())
    heights: dict[int, int] = {}  # finished containers; 0 while one is still open
    path: list[tuple[Any, Iterator[Any]]] = []  # the open ones, each inside the one before, and what is left of it
    tallest: list[int] = []  # of the children seen, for each of them

    def enter(item: Any) -> None:
        if _has_parts(item, trusted):
            heights[id(item)] = 0
            path.append((item, iter(_children(item))))
            tallest.append(0)

    enter(root)
    while path:
        item, left = path[-1]
        for child in left:
            if _is_leaf(child):
                continue
            known = 1 if _is_small(child) else heights.get(id(child))
            if known == 0:
                damaged("the file has a container that contains itself")
            if known is None:
                enter(child)
                if path[-1][0] is not item:
                    break
            else:
                tallest[-1] = max(tallest[-1], known)
        else:
            path.pop()
            heights[id(item)] = height = 1 + tallest.pop()
            if tallest:
                tallest[-1] = max(tallest[-1], height)
            if height > MAX_DEPTH:
                damaged(f"the file nests objects deeper than {MAX_DEPTH} levels")
        if len(path) > MAX_DEPTH:
            damaged(f"the file nests objects deeper than {MAX_DEPTH} levels")


def _has_parts(item: Any, trusted: list[Any]) -> bool:
    """Whether what `item` holds is to be looked at, too. Raises where `item` itself is no plain data."""
    if type(item) in _CONTAINERS or isinstance(item, Tensor):
        return True
    if not any(item is one or type(item) is one for one in trusted):
        if isinstance(item, Storage):
            raise NotImplementedError(
                "minitorch2: the file contains a bare storage; load it with torch and save a tensor of it "
                "(torch.tensor(storage)) instead"
            )
        damaged(f"the file contains a {type(item).__name__} where only data can stand")
    return isinstance(item, Module)  # what another trusted object holds is its own affair


def _is_small(item: Any) -> bool:
    """A few leaves: looking at them at every meeting costs less than remembering that they have been looked at."""
    if type(item) is dict:
        return not item
    return type(item) in (list, tuple, set, frozenset) and len(item) <= _SMALL and all(map(_is_leaf, item))


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
