"""Activations."""

from __future__ import annotations

from ...ops import unary
from ...ops.activation import log_softmax, softmax


def relu(input, inplace=False):
    """max(input, 0)."""
    return input.relu_() if inplace else unary.relu(input)


__all__ = ["log_softmax", "relu", "softmax"]
