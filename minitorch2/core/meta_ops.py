"""Ops on the meta device."""

from __future__ import annotations

from typing import Any

from .device import describe_mismatch
from .grad_mode import state
from .meta import MetaArray, described, stand_in
from .node import Node, next_number
from .variable import Variable


def apply_to_meta(op: Any, args: tuple) -> Any:
    """Runs the op, a Function, on zeros and keeps the shape, dtype and order of what comes out.

    RuntimeError for tensors of the CPU or a GPU beside those of the meta device, but for numbers.
    """
    tensors = [a for a in args if isinstance(a, Variable)]
    if any(a._data.ndim and not _is_meta(a) for a in tensors) and not op.crosses:
        raise RuntimeError(describe_mismatch(op.op_name.lower(), [a._data for a in tensors]))
    node = _History(op) if state.grad and any(a.requires_grad for a in tensors) else None
    result = op.apply(*(op.as_tensor(stand_in(a._data)) if _is_meta(a) else a for a in args))
    outputs = [op.as_tensor(described(o._data)) for o in (result if type(result) is tuple else (result,))]
    if node is not None:
        node.n_outputs = len(outputs)
        for nr, o in enumerate(outputs):
            if o._data.dtype.kind in "fV":
                o._requires_grad, o._grad_fn, o._output_nr = True, node, nr
    return tuple(outputs) if type(result) is tuple else outputs[0]


def _is_meta(value: Any) -> bool:
    return isinstance(value, Variable) and type(value._data) is MetaArray


class _History(Node):
    """Stands for the node of an op on the meta device, through which no gradient comes."""

    def __init__(self, op: Any) -> None:
        self.op, self.number = op, next_number()

    def name(self) -> str:
        return self.op.__name__

    def run(self, grads: list, create_graph: bool) -> tuple:
        raise NotImplementedError("minitorch2: gradients on the meta device are not supported")
