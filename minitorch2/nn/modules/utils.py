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


def _reverse_repeat_tuple(t: tuple, n: int) -> tuple:
    """The elements from last to first, each n times: the sizes of F.pad from those of a convolution."""
    return tuple(x for x in reversed(t) for _ in range(n))


def _list_with_default(out_size: Any, defaults: list[int]) -> Any:
    """The sizes of an adaptive pool's output, those that are None from the input's."""
    if isinstance(out_size, int):
        return out_size
    if len(defaults) <= len(out_size):
        raise ValueError(f"Input dimension should be at least {len(out_size) + 1}")
    return [d if size is None else size for size, d in zip(out_size, defaults[-len(out_size) :], strict=True)]


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
