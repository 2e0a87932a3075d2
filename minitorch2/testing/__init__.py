"""torch.testing: comparing tensors in tests, and making random ones."""

from __future__ import annotations

from ..autograd.gradcheck import gradcheck, gradgradcheck
from .comparing import assert_allclose, assert_close
from .making import make_tensor

__all__ = ["assert_allclose", "assert_close", "gradcheck", "gradgradcheck", "make_tensor"]
