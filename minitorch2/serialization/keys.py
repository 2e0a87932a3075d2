"""Which dict keys and set elements a pickle may have: a file must not choose what takes long to hash, or collides."""

from __future__ import annotations

from typing import Any

from .errors import damaged

_MAX_KEY_PARTS = 64


def check_key(key: Any) -> None:
    """Raises UnpicklingError for a dict key or set element that `key_problem` objects to."""
    problem = key_problem(key)
    if problem:
        damaged(f"a dict key {problem}")


def key_problem(key: Any) -> str | None:
    """Why hashing `key` could be slow or made to collide: only scalars and small tuples of them are sure."""
    parts = [key]
    for count, part in enumerate(parts):
        if count > _MAX_KEY_PARTS:
            return f"is a tuple of more than {_MAX_KEY_PARTS} parts"
        if isinstance(part, tuple):
            parts.extend(part[: _MAX_KEY_PARTS + 1])
        elif isinstance(part, int) and abs(part) >= 2**61 - 1:  # beyond it, distinct ints share a hash
            return f"is too large a number ({part.bit_length()} bits)"
    return None
