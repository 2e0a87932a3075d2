"""A call of an op without a library: its arguments as plain data, to be built in torch or in minitorch2, or printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

DEVICES = {"torch": "cpu", "minitorch2": "cpu"}  # where the tensors of a call are built, for each library
CARRIERS = {"bfloat16": "float32"}  # NumPy has no bfloat16: its values travel as float32


@dataclass(frozen=True)
class TensorArg:
    """A tensor: its values, its dtype's name, and how it lies in memory (a key of LAYOUTS)."""

    values: np.ndarray
    dtype: str
    layout: str = "contiguous"

    @property
    def floating(self) -> bool:
        return "float" in self.dtype


@dataclass(frozen=True)
class DType:
    """A dtype, by name."""

    name: str


@dataclass(frozen=True, repr=False)
class Call:
    args: tuple
    kwargs: dict = field(default_factory=dict)

    def __repr__(self) -> str:
        return "a call, shown below"

    def tensors(self) -> list[TensorArg]:
        """All tensors of the arguments, in order, looking into lists."""
        return list(_tensors(self.args)) + list(_tensors(tuple(self.kwargs.values())))

    def built(self, lib) -> Built:
        """The call's arguments in a library."""
        leaves: list = []
        args = tuple(_build(a, lib, leaves) for a in self.args)
        kwargs = {name: _build(a, lib, leaves) for name, a in self.kwargs.items()}
        return Built(args, kwargs, leaves)

    def snippet(self, name: str, after: str = "") -> str:
        """A program that makes the call, in torch or in minitorch2."""
        lines: list[str] = ["from math import inf, nan", "import torch  # or: import minitorch2 as torch"]
        args = [_source(a, lines) for a in self.args]
        args += [f"{key}={_source(a, lines)}" for key, a in self.kwargs.items()]
        return "\n".join([*lines, f"print(torch.{name}({', '.join(args)})){after}"])


@dataclass
class Built:
    args: tuple
    kwargs: dict
    leaves: list  # every tensor among the arguments, in the order of Call.tensors()

    def with_gradients(self) -> Built:
        """Every floating tensor requires a gradient."""
        for t in self.leaves:
            if t.is_floating_point():
                t.requires_grad_()
        return self

    def wanted(self) -> list:
        return [t for t in self.leaves if t.requires_grad]


def _tensors(x):
    if isinstance(x, TensorArg):
        yield x
    elif isinstance(x, tuple | list):
        for item in x:
            yield from _tensors(item)


def _build(arg: Any, lib, leaves: list):
    if isinstance(arg, TensorArg):
        base, view = _laid_out(arg)
        tensor = lib.from_numpy(base.copy()).to(getattr(lib, arg.dtype)).to(DEVICES[lib.__name__])
        tensor = eval(f"tensor{view}", {"tensor": tensor})  # what a snippet shows is what was run
        leaves.append(tensor)
        return tensor
    if isinstance(arg, DType):
        return getattr(lib, arg.name)
    if isinstance(arg, tuple | list):
        return type(arg)(_build(a, lib, leaves) for a in arg)
    return arg


# How a tensor may lie in memory: the array to make, and the text of the view that gives the values back.
def _transposed(v):
    return np.ascontiguousarray(v.T), f".permute({', '.join(map(str, reversed(range(v.ndim))))})"


def _strided(v):
    wide = np.ones((*v.shape[:-1], 2 * v.shape[-1]), v.dtype)
    wide[..., ::2] = v
    return wide, "[..., ::2]"


def _offset(v):
    return np.concatenate([np.ones_like(v[:1]), v]) if len(v) else v, "[1:]" if len(v) else "[0:]"


def _expanded(v):  # drawn with equal rows
    return v[:1], f".expand({', '.join(map(str, v.shape))})"


LAYOUTS = {"transposed": _transposed, "strided": _strided, "offset": _offset, "expanded": _expanded}


def _laid_out(arg: TensorArg):
    return LAYOUTS[arg.layout](arg.values) if arg.layout in LAYOUTS else (arg.values, "")


def _source(arg: Any, lines: list[str]) -> str:
    if isinstance(arg, TensorArg):
        base, view = _laid_out(arg)
        literal = _literal(base) if base.size else f"[], dtype=torch.{arg.dtype}).reshape({base.shape}"
        dtype = f", dtype=torch.{arg.dtype}" if base.size else ""
        name = f"x{len(lines) - 2}"
        lines.append(f"{name} = torch.tensor({literal}{dtype}){view}")
        return name
    if isinstance(arg, DType):
        return f"torch.{arg.name}"
    if isinstance(arg, tuple | list):
        items = ", ".join(_source(a, lines) for a in arg)
        return f"[{items}]" if isinstance(arg, list) else f"({items}{',' if len(arg) == 1 else ''})"
    return repr(arg)


def _literal(array: np.ndarray) -> str:
    return f"[{', '.join(map(_literal, array))}]" if array.ndim else str(array)
