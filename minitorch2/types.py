"""torch.types: what annotations call a number, a device, a file."""

from __future__ import annotations

import os
from builtins import bool as _bool
from builtins import bytes as _bytes
from builtins import complex as _complex
from builtins import float as _float
from builtins import int as _int
from builtins import str as _str
from collections.abc import Sequence
from typing import IO, TypeAlias

from .core.device import device as _device
from .core.dtypes import dtype as _dtype
from .core.layout import layout as _layout
from .core.size import Size
from .tensor import Tensor

_TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]
_TensorOrOptionalTensors: TypeAlias = Tensor | Sequence[Tensor | None]
_size: TypeAlias = Size | list[int] | tuple[int, ...]
Number: TypeAlias = int | float | bool
_Number = (int, float, bool)
FileLike: TypeAlias = str | os.PathLike[str] | IO[bytes]
Device: TypeAlias = _device | str | int | None

__all__ = ["Device", "FileLike", "Number", "Size", "Tensor"]
__all__ += ["_bool", "_bytes", "_complex", "_device", "_dtype", "_float", "_int", "_layout", "_size", "_str"]
