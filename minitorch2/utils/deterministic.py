"""torch.utils.deterministic: whether memory that is not initialised is filled, which it is not here."""

from __future__ import annotations

import sys
from types import ModuleType


class _Deterministic(ModuleType):
    @property
    def fill_uninitialized_memory(self) -> bool:
        """Whether torch.empty under use_deterministic_algorithms gives NaN or the largest integers: False."""
        return False

    @fill_uninitialized_memory.setter
    def fill_uninitialized_memory(self, mode: bool) -> None:
        """NotImplementedError for True."""
        if mode:
            raise NotImplementedError("minitorch2: torch.empty leaves memory as it is; torch.zeros and full fill it")


sys.modules[__name__].__class__ = _Deterministic
