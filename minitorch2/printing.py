"""The text of a tensor, as torch prints it, and the options for it (torch.set_printoptions)."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable

import numpy as np

from minitorch2_kernels.reference.cast import BFLOAT16, widen

from .core import dtypes
from .core.placing import place


@dataclasses.dataclass
class _Options:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


PRINT_OPTS = _Options()
_PROFILES = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """How tensors are printed; what is not given stays, except sci_mode, which goes back to automatic.

    precision: digits after the point. threshold: tensors of more elements show only the first and last
    edgeitems along each dim. linewidth: columns. profile: "default", "short" or "full" (no threshold)
    first. sci_mode: whether floats are in scientific notation; None decides by their sizes.
    """
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"profile must be one of {', '.join(_PROFILES)}, got {profile!r}")
        for name, value in _PROFILES[profile].items():
            setattr(PRINT_OPTS, name, value)
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    for name, value in given.items():
        if value is not None:
            setattr(PRINT_OPTS, name, value)
    PRINT_OPTS.sci_mode = sci_mode


def get_printoptions() -> dict:
    """The options in force, as keyword arguments for set_printoptions."""
    return dataclasses.asdict(PRINT_OPTS)


@contextlib.contextmanager
def printoptions(**options):
    """set_printoptions for the block."""
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


def tensor_repr(tensor, *, tensor_contents: str | None = None) -> str:
    """torch's repr: the elements, or the text given in their place, then what cannot be seen from them (size, dtype,
    device, history)."""
    kind = type(tensor).__name__
    plain = kind in ("Tensor", "Parameter", "Buffer")
    start = "tensor(" if plain else f"{kind}("
    if tensor_contents is None:
        tensor_contents = "..." if tensor.is_meta else elements_text(tensor, len(start))
    text = _add_suffixes(start + tensor_contents, _suffixes(tensor), len(start))
    is_parameter = any(base.__name__ == "Parameter" for base in type(tensor).__mro__)
    return f"Parameter({text})" if is_parameter and not plain else text


def _suffixes(tensor) -> list[str]:
    suffixes = []
    if tensor.device.type != "cpu":
        suffixes.append(f"device='{tensor.device}'")
    empty, default = tensor._data.size == 0, dtypes.get_default_dtype()
    if tensor.is_meta or (empty and tensor._data.ndim != 1) or not (empty or PRINT_OPTS.edgeitems):
        suffixes.append(f"size={tuple(tensor.shape)}")
    plain = (default,) if empty or tensor.is_meta else (default, dtypes.int64, dtypes.bool)
    if tensor.dtype not in plain:
        suffixes.append(f"dtype={tensor.dtype}")
    try:
        node = tensor.grad_fn
    except RuntimeError:  # a view that lost its history
        suffixes.append("grad_fn=<Invalid>")
        return suffixes
    if node is not None:
        suffixes.append(f"grad_fn=<{node.name()}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    return suffixes


def _add_suffixes(text: str, suffixes: list[str], indent: int, force_newline: bool = False) -> str:
    column = len(text) - text.rfind("\n") + 1
    for number, suffix in enumerate(suffixes):
        if (force_newline and not number) or column + len(suffix) + 2 > PRINT_OPTS.linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"


def elements_text(tensor, indent: int) -> str:
    """array_text of a tensor's elements."""
    array = tensor._data if isinstance(tensor._data, np.ndarray) else tensor._data.get()  # CuPy's way to the CPU
    return array_text(array, indent)


def array_text(array: np.ndarray, indent: int) -> str:
    """The elements in brackets; lines after the first begin at column indent + 1."""
    if array.size == 0:
        return "[]"
    cut = (False,) * array.ndim
    if array.size > PRINT_OPTS.threshold and array.ndim:
        edge = PRINT_OPTS.edgeitems
        if not edge:
            return "[...]"
        cut = tuple(n > 2 * edge for n in array.shape)
        for axis, n in enumerate(array.shape):
            if cut[axis]:
                array = array.take([*range(edge), *range(n - edge, n)], axis)
    if array.dtype == BFLOAT16:
        array = widen(array)
    if array.dtype.kind == "f":
        array = array.astype(np.float64)
    shown, width = _element_format(array)
    return _nested(array, cut, indent, lambda value: shown(value).rjust(width), width)


def _nested(array, cut, indent, shown, width) -> str:
    """Brackets around `array`, whose middle is left out along the dims where `cut` is true."""
    if array.ndim == 0:
        return shown(array.item())
    edge = PRINT_OPTS.edgeitems
    if array.ndim > 1:
        rows = [_nested(row, cut[1:], indent + 1, shown, width) for row in array]
        if cut[0]:
            rows.insert(edge, "...")
        return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(rows) + "]"
    values = [shown(value) for value in array.tolist()]
    if cut[0]:
        values.insert(edge, " ...")
    per_line = max(1, (PRINT_OPTS.linewidth - indent) // (width + 2))  # 2 for the comma and the space
    lines = [", ".join(values[i : i + per_line]) for i in range(0, len(values), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _element_format(array: np.ndarray) -> tuple[Callable[..., str], int]:
    """How to write one element, and the width of the widest."""
    if array.dtype.kind != "f":
        return str, max(len(str(value)) for value in array.reshape(-1).tolist())
    shown = _float_format(array)
    telling = array[np.isfinite(array) & (array != 0)]
    return shown, max((len(shown(value)) for value in telling.tolist()), default=1)


def _float_format(array: np.ndarray) -> Callable[..., str]:
    # Zeros, infinities and NaN have no say in the choice.
    telling = array[np.isfinite(array) & (array != 0)]
    scientific = False
    if telling.size:
        smallest, largest = float(np.abs(telling).min()), float(np.abs(telling).max())
        scientific = largest / smallest > 1000 or largest > 1e8 or smallest < 1e-4
        if PRINT_OPTS.sci_mode is not None:
            scientific = PRINT_OPTS.sci_mode
    if scientific:
        return f"{{:.{PRINT_OPTS.precision}e}}".format
    if (telling == np.ceil(telling)).all():
        return lambda value: f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"
    return f"{{:.{PRINT_OPTS.precision}f}}".format


# torch's place of all this: packages write tensors of their own by it
_OPTIONS = {"PRINT_OPTS": PRINT_OPTS, "get_printoptions": get_printoptions, "printoptions": printoptions}
_TEXTS = {"_add_suffixes": _add_suffixes, "_str": tensor_repr, "_str_intern": tensor_repr, "_tensor_str": elements_text}
place("_tensor_str", {**_OPTIONS, **_TEXTS, "set_printoptions": set_printoptions})
