"""How F.linear_cross_entropy divides its work."""

from __future__ import annotations

import dataclasses
from typing import Any

from ...core.dtypes import bfloat16, dtype, float16, float32, float64

__all__ = ["LinearCrossEntropyOptions"]

_POLICIES = ("auto", "accurate", "balanced", "compact")
_FLOATS = (float16, bfloat16, float32, float64)
_ON_CPU = dict.fromkeys((float16, bfloat16), ("accurate", "aspect_ratio"))  # what "auto" is, where not _OTHERWISE
_OTHERWISE = ("compact", "aspect_ratio:2")


@dataclasses.dataclass(slots=True, frozen=True)
class LinearCrossEntropyOptions:
    """Some rows of the input at a time: the logits of all, (N, C), never exist, which saves memory where there are many
    classes. PyTorch's options, with its defaults.

    allow_retain_graph: backward may be called again with retain_graph=True; costs memory of the gradients' size. With
        reduction="none" it always may.
    batch_chunk_size: how many rows at a time; all of them by default.
    chunking_method: how to choose that number instead: "aspect_ratio", the power of two with which the logits are about
        as large as the input; "aspect_ratio:N", an N-th of it; "auto", what PyTorch has for the device and dtype; None.
    acc_policy, acc_dtype: where to sum in a wider dtype than the input's. They are checked and change nothing: half
        precision is computed in float32 here and rounded once, which is the most that they ask for.

    Raises:
        ValueError: for other policies, methods, sizes and dtypes, and in the call, for a size that is not the method's.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: dtype | None = None

    def __post_init__(self) -> None:
        if self.acc_policy not in _POLICIES:
            raise ValueError(f"invalid acc_policy: {self.acc_policy!r}")
        if self.chunking_method not in (None, "auto"):
            name, colon, factor = self.chunking_method.partition(":")
            if name != "aspect_ratio" or (colon and not (factor.isdigit() and int(factor))):
                raise ValueError(f"invalid chunking_method: {self.chunking_method!r}")
        size = self.batch_chunk_size
        if size is not None and not (isinstance(size, int) and size > 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {size!r}")
        if self.acc_dtype is not None and self.acc_dtype not in _FLOATS:
            raise ValueError(
                "acc_dtype must be one of {None, torch.float16, torch.bfloat16, torch.float32, torch.float64}, got "
                f"{self.acc_dtype!r}. Pass acc_dtype=None to let the op pick automatically."
            )

    def _adjust(
        self, num_batches: int, in_features: int, num_classes: int, dtype: Any, device: Any = None
    ) -> LinearCrossEntropyOptions:
        """These options with everything settled, for an input (num_batches, in_features) of this dtype."""
        policy, method, size = self.acc_policy, self.chunking_method, self.batch_chunk_size
        on_cpu = device is not None and device.type == "cpu"
        usual_policy, usual_method = _ON_CPU.get(dtype, _OTHERWISE) if on_cpu else _OTHERWISE
        if method == "auto":
            method = usual_method if size is None else None
        rows = num_batches if size is None else min(size, num_batches)
        if method is not None:
            rows = _rows(method, num_batches, in_features, num_classes)
            if size is not None and size != rows:
                raise ValueError(
                    f"batch_chunk_size (={size}) and chunking_method ('{method}') give different chunk sizes "
                    f"({size} vs {rows}); pass only one."
                )
        wider = policy == "auto" and device is not None and dtype in (float16, bfloat16)
        return dataclasses.replace(
            self,
            acc_policy=usual_policy if policy == "auto" else policy,
            chunking_method=method,
            batch_chunk_size=max(1, rows),
            acc_dtype=self.acc_dtype or (float32 if wider else dtype),
        )


def _rows(method: str, num_batches: int, in_features: int, num_classes: int) -> int:
    """The next power of two of num_batches in_features / num_classes, over the method's factor."""
    wider = -(-num_classes // in_features)
    rows = 1 << (-(-num_batches // wider) - 1).bit_length()
    return min(rows // int(method.partition(":")[2] or 1), num_batches)
