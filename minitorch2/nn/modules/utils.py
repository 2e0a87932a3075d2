"""Helpers around layers, under the names of torch.nn.modules.utils."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._sizes import repeated

__all__ = ["consume_prefix_in_state_dict_if_present"]


def _ntuple(n: int, name: str = "parse") -> Callable[[Any], tuple]:
    """A function of one value: something iterable as a tuple, anything else `n` times."""

    def parse(x: Any) -> tuple:
        return repeated(x, n)

    parse.__name__ = name
    return parse


_single = _ntuple(1, "_single")
_pair = _ntuple(2, "_pair")
_triple = _ntuple(3, "_triple")
_quadruple = _ntuple(4, "_quadruple")


def consume_prefix_in_state_dict_if_present(state_dict: dict[str, Any], prefix: str) -> None:
    """Takes `prefix` ("module.", as DataParallel leaves it) off the keys that begin with it, and off the metadata's.

    In place; the keys that had it come last, in their order.
    """
    _strip(state_dict, prefix, lambda key: key.startswith(prefix))
    metadata = getattr(state_dict, "_metadata", None)
    if metadata is not None:
        # The wrapped module's own entry is "module", without the dot.
        bare = prefix.replace(".", "")
        _strip(metadata, prefix, lambda key: key != "" and (key == bare or key.startswith(prefix)))


def _strip(entries: dict[str, Any], prefix: str, has_it: Callable[[str], bool]) -> None:
    for key in [key for key in entries if has_it(key)]:
        entries[key[len(prefix) :]] = entries.pop(key)
