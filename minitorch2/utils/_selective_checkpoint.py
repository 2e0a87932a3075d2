"""Selective checkpoints, by name: programs import these, and learn when they use them that there are none here."""

from __future__ import annotations

import enum
from typing import Any

__all__ = ["CheckpointPolicy", "SelectiveCheckpointContext", "create_selective_checkpoint_contexts"]


class CheckpointPolicy(enum.Enum):
    """What a policy says of an op: whether its result is kept, computed again, or kept on the CPU."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4
    PREFER_CPU_OFFLOAD = 5


class SelectiveCheckpointContext:
    """What a policy is told besides the op and its arguments: the op's result, and whether this is the second run."""

    def __init__(self, *, is_recompute: bool, op_output: Any = None) -> None:
        self.is_recompute = is_recompute
        self.op_output = op_output


def create_selective_checkpoint_contexts(policy_fn_or_list: Any, allow_cache_entry_mutation: bool = False) -> Any:
    """Not supported: a policy decides by torch's operators (torch.ops.aten...), which are not what runs here."""
    raise NotImplementedError(
        "minitorch2: create_selective_checkpoint_contexts is not supported: there are no torch.ops.aten operators to "
        "decide by. Checkpoint the parts to be computed again, and leave those to be kept outside."
    )
