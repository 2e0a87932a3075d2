"""Which dict keys and set elements a pickle may have: a file must not choose what takes long to hash, or collides."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import refused

_MAX_KEY_PARTS = 64
_MAX_COLLISIONS = (
    64  # of tuples and frozensets of one file that are not equal and have one hash: by chance there is none
)


class Keys:
    """The keys and elements of one file, or of one object in it."""

    def __init__(self) -> None:
        self._by_hash: dict[int, Any] = {}
        self._collisions = 0

    def check(self, key: Any) -> None:
        """Raises UnpicklingError for a key that `key_problem` objects to, and where many have been made to collide:
        what a tuple's hash is, whoever writes its numbers decides."""
        problem = key_problem(key)
        if problem:
            refused(f"a dict key or set element that {problem}", "use strings or small numbers")
        if isinstance(key, tuple | frozenset) and self._by_hash.setdefault(hash(key), key) != key:
            self._collisions += 1
            if self._collisions > _MAX_COLLISIONS:
                refused("dict keys or set elements that share one hash", "use strings or numbers")


def key_problem(key: Any) -> str | None:
    """Why hashing `key` could be slow or made to collide, as far as the key itself tells."""
    parts = [key]
    for count, part in enumerate(parts):
        if count > _MAX_KEY_PARTS:
            return f"is a tuple of more than {_MAX_KEY_PARTS} parts"
        if isinstance(part, tuple):
            parts.extend(part[: _MAX_KEY_PARTS + 1])
        elif isinstance(part, int) and abs(part) >= 2**61 - 1:  # beyond it, distinct ints share a hash
            return f"is too large a number ({part.bit_length()} bits)"
        elif isinstance(part, complex | np.complexfloating):
            return "is a complex number"
    return None
