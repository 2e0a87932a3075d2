"""Anomaly detection: each node remembers the lines that made it, and a backward pass looks at what each node gives.

Whether it is on is asked once for every recorded op and once for every backward pass.
"""

from __future__ import annotations

import traceback
import warnings
from pathlib import Path

import numpy as np

from minitorch2_kernels.dispatch import is_array, namespace
from minitorch2_kernels.reference.cast import BFLOAT16, widen

from .grad_mode import state

on = False  # for all threads, as in torch
check_nan = True

_PACKAGE = Path(__file__).parent.parent
_OURS = tuple(str(_PACKAGE / folder) for folder in ("core", "ops", "autograd/function.py"))


def switch(enabled: bool, check: bool) -> None:
    """Turns detection on or off, and with `check` the search for NaN in the results of backward."""
    global on, check_nan
    on, check_nan = bool(enabled), bool(check)


def hint() -> str:
    """How to find the write that made a saved value another one."""
    if on:
        return (
            "Hint: the backtrace further above shows the operation that failed to compute its gradient. The variable "
            "in question was changed in there or anywhere later. Good luck!"
        )
    return (
        "Hint: enable anomaly detection to find the operation that failed to compute its gradient, with "
        "torch.autograd.set_detect_anomaly(True, check_nan=False)."
    )


def remember(node) -> None:
    """Keeps on the node the lines of the program that made it, and the node whose backward they are part of."""
    frames = traceback.extract_stack()
    while frames and frames[-1].filename.startswith(_OURS):  # how an op is recorded explains nothing
        frames.pop()
    node.made_by, node.induced_by = "".join(traceback.format_list(frames)), state.running


def run(node, grads: list, create_graph: bool) -> tuple:
    """node.run(grads, create_graph), with a warning that shows where the node was made if it fails or gives a NaN."""
    outer, state.running = state.running, node
    try:
        results = node.run(grads, create_graph)
        if check_nan:
            _refuse_nan(node, results)
    except Exception:
        _explain(node)
        raise
    finally:
        state.running = outer
    return results


def _refuse_nan(node, results) -> None:
    for i, result in enumerate(results):
        data = getattr(result, "_data", result)
        data = np.asarray(data) if isinstance(data, np.generic) else data
        if not is_array(data) or data.dtype.kind not in "fV":
            continue
        data = widen(data) if data.dtype == BFLOAT16 else data
        if namespace(data).isnan(data).any():
            raise RuntimeError(f"Function '{node.name()}' returned nan values in its {i}th output.")


def _explain(node) -> None:
    if node.made_by is None:
        warnings.warn(
            f"Error detected in {node.name()}. No forward pass information available. Enable detect anomaly during "
            "forward pass for more information.",
            stacklevel=2,
        )
        return
    warnings.warn(
        f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n{node.made_by}",
        stacklevel=2,
    )
    while (node := node.induced_by) is not None and node.made_by is not None:
        warnings.warn(
            f"\n\nPrevious calculation was induced by {node.name()}. Traceback of forward call that induced the "
            f"previous calculation:\n{node.made_by}",
            stacklevel=2,
        )
