"""torch.multiprocessing: Python's multiprocessing. Tensors go through its queues and pipes as copies, and stay copies:
none is shared between processes, and share_memory_ says so. torch's own spawn is not here.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing import *  # noqa: F403  # pyright: ignore[reportWildcardImportFromLibrary]

_strategy = ["file_descriptor"]


def get_all_sharing_strategies() -> set[str]:
    """The names that set_sharing_strategy takes."""
    return {"file_descriptor", "file_system"}


def set_sharing_strategy(new_strategy: str) -> None:
    """Remembers the name: nothing is shared."""
    if new_strategy not in get_all_sharing_strategies():
        raise AssertionError(f"invalid sharing strategy {new_strategy}")
    _strategy[0] = new_strategy


def get_sharing_strategy() -> str:
    """What set_sharing_strategy was last given."""
    return _strategy[0]


__all__ = [*multiprocessing.__all__]  # pyright: ignore[reportUnsupportedDunderAll]
__all__ += ["get_all_sharing_strategies", "get_sharing_strategy", "set_sharing_strategy"]
