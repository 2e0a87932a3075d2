"""torch.onnx, as far as packages call it when they are imported; nothing is exported here."""

from __future__ import annotations

from typing import Any

from .core.absent import absent, as_absent
from .core.placing import place


def register_custom_op_symbolic(symbolic_name: str, symbolic_fn: Any, opset_version: int, custom_opset: Any = None):
    """Nothing: it would tell an exporter about an operator."""


def is_in_onnx_export() -> bool:
    """False."""
    return False


def _parse_args(*arg_descriptors: Any) -> Any:
    return lambda function: function


_WHY = "save a state dict with torch.save and export it with PyTorch"
globals().update(absent("onnx", _WHY, ("export", "dynamo_export"), ("ONNXProgram",)))
as_absent("onnx.symbolic_helper", *(f"onnx.symbolic_opset{version}" for version in (9, 11, 13)), "onnx.operators")
place("onnx.symbolic_helper", {"parse_args": _parse_args})

__all__ = ["is_in_onnx_export", "register_custom_op_symbolic"]
