"""Handles that take a registered hook away again."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Iterable, MutableMapping
from typing import Any

__all__ = ["RemovableHandle"]


class RemovableHandle:
    """What every ``register_*_hook`` returns: call ``remove()``, or use it as a context manager.

    The handle only refers weakly to the hook dictionaries, so it never keeps a module or tensor alive.
    ``id`` is the key of the hook in ``hooks_dict`` and in each of ``extra_dict`` (per-hook options).
    """

    next_id: int = 0

    def __init__(
        self,
        hooks_dict: MutableMapping[int, Any],
        *,
        extra_dict: MutableMapping[int, Any] | Iterable[MutableMapping[int, Any]] = (),
    ) -> None:
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        extra = [extra_dict] if isinstance(extra_dict, MutableMapping) else extra_dict
        self._dicts: tuple[weakref.ref[Any], ...] = tuple(weakref.ref(d) for d in (hooks_dict, *extra))

    @property
    def hooks_dict_ref(self) -> weakref.ref[Any]:
        """The weak reference to the dictionary of the hooks."""
        return self._dicts[0]

    @property
    def extra_dict_ref(self) -> tuple[weakref.ref[Any], ...]:
        """Those to the dictionaries of their options."""
        return self._dicts[1:]

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        for ref in self._dicts:
            hooks = ref()
            if hooks is not None:
                hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.remove()

    def __getstate__(self) -> tuple[int, tuple[Any, ...]]:
        return self.id, tuple(ref() for ref in self._dicts)

    def __setstate__(self, state: tuple[int, tuple[Any, ...]]) -> None:
        self.id, dicts = state
        # A dictionary that died before pickling comes back as an empty one that dies at once.
        self._dicts = tuple(weakref.ref(OrderedDict() if d is None else d) for d in dicts)
        # Hooks registered later must not reuse the key of a restored one.
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)
