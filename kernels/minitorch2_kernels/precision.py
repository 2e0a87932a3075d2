"""How exact the GPU's products of float32 matrices must be. The CPU's are always float32."""

from __future__ import annotations

# "highest": float32. "high" and "medium": factors may be rounded to TF32's 10 bits, sums are float32. As torch's
# set_float32_matmul_precision, of which backends.cuda.matmul.allow_tf32 is another face.
_float32_matmul = "highest"
allow_tf32 = False
# The same for convolutions and recurrent layers, as torch's backends.cudnn.allow_tf32: allowed unless told otherwise.
layers_allow_tf32 = True


def set_float32_matmul(precision: str) -> None:
    """RuntimeError for anything but "highest", "high" and "medium"."""
    global _float32_matmul, allow_tf32
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"{precision!r} is not one of 'highest', 'high', 'medium'")
    _float32_matmul, allow_tf32 = precision, precision != "highest"


def float32_matmul() -> str:
    return _float32_matmul
