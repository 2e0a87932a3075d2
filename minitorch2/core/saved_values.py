"""What a node keeps, under torch's names for it: `grad_fn._saved_self`, `_saved_other`, `_saved_result`."""

from __future__ import annotations

from typing import Any

_INPUTS = {"self": 0, "input": 0, "other": 1, "mat2": 1, "vec": 1, "tensor": 1, "exponent": 1, "weight": 1, "target": 1}


def saved_value(node: Any, name: str) -> Any:
    """The input or the result of this name as the node keeps it: a tensor with its history.

    AttributeError where it keeps none of the name; RuntimeError where a backward pass let go of it, or the memory was
    written to since.
    """
    sources = getattr(node, "_sources", ())
    source = -1 if name == "result" else _INPUTS.get(name)
    if source is None or source not in sources:
        kept = {"result" if n == -1 else next((k for k, i in _INPUTS.items() if i == n), f"input {n}") for n in sources}
        raise AttributeError(
            f"'{node.name()}' keeps no {name!r}. minitorch2 keeps what its own backward needs: "
            f"{', '.join(sorted(kept)) or 'nothing'}"
        )
    return node._as_variable(node.saved[sources.index(source)], source)
