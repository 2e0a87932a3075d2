"""What a node keeps: under torch's names for it (`grad_fn._saved_self`, `_saved_other`, `_saved_result`), and in the
error that says that it was written over."""

from __future__ import annotations

from typing import Any

from . import anomaly
from .dtypes import from_numpy_dtype

_INPUTS = {"self": 0, "input": 0, "other": 1, "mat2": 1, "vec": 1, "tensor": 1, "exponent": 1, "weight": 1, "target": 1}
SAVED_NAMES = (*_INPUTS, "result")


def saved_value(node: Any, name: str) -> Any:
    """The input or the result of this name as the node keeps it: a tensor with its history.

    AttributeError where it keeps none of the name; RuntimeError where a backward pass let go of it, or the memory was
    written to since.
    """
    sources = getattr(node, "_sources", ())
    source = _INPUTS.get(name, -1)
    if source not in sources:
        kept = {"result" if n == -1 else next((k for k, i in _INPUTS.items() if i == n), f"input {n}") for n in sources}
        raise AttributeError(
            f"'{node.name()}' keeps no {name!r}. minitorch2 keeps what its own backward needs: "
            f"{', '.join(sorted(kept)) or 'nothing'}"
        )
    return node._as_variable(node.saved[sources.index(source)], source)


def refuse_written(node: Any, now: int, then: int, array: Any, source: int | None) -> None:
    """torch's RuntimeError: `array`, kept in version `then`, is in version `now`.

    source: the number of the node's input that it is, or -1 - its output's; None for what no gradient comes to.
    """
    maker, nr = None, 0
    if source is not None:
        maker, nr = (node, -1 - source) if source < 0 else (node.edges[source] or (None, 0))
    of_leaf = maker is None or not maker.edges
    which = "" if of_leaf or maker is None else f", which is output {nr} of {short(maker.name())},"
    what = f"torch.{from_numpy_dtype(array.dtype).torch_type}Tensor {list(array.shape)}"
    raise RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[{what}]{which} is at version {now}; expected version {then} instead. {anomaly.hint()}"
    )


def refuse_inference() -> None:
    raise RuntimeError(
        "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
        "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it "
        "in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
    )


def short(name: str) -> str:
    """A node's name as messages have it: Exp for ExpBackward0."""
    return name.rstrip("0123456789").removesuffix("Backward")
