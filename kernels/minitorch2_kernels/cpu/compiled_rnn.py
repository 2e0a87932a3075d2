"""Recurrent layers of float32, compiled by numba: beside its products, a step is one pass over the gates."""

from __future__ import annotations

import numpy as np

from ..reference import rnn as reference
from . import rnn as shared


def _supports(*args) -> bool:
    arrays = [a for a in args if isinstance(a, np.ndarray)]
    return all(a.dtype == np.float32 for a in arrays) and all(a.flags.c_contiguous for a in arrays if a.ndim == 2)


def _compiled(function, name: str):
    """The override that calls cpu/rnn.py's function with the step of that name in rnn_loops.py."""

    def override(*args):
        from . import rnn_loops

        return function(*args, step=getattr(rnn_loops, name))

    override.__doc__ = f"{function.__name__}, its step compiled."
    return override


def register() -> None:
    """Puts the compiled kernels before the others."""
    for name in ("rnn", "lstm", "gru"):
        for kernel, step in ((name, f"{name}_step"), (f"{name}_grad", f"{name}_step_grad")):
            getattr(reference, kernel).override(_supports)(_compiled(getattr(shared, kernel), step))
