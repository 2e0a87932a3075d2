"""Live PyTorch objects to ours and back, in memory: modules, tensors, and containers of them.

_incoming.py    from_torch: their classes to ours
_outgoing.py    to_torch: ours to theirs
_walk.py        what both share: containers, attributes, objects met twice, and where in the whole an error is
_torch.py       the import of torch, which nothing else in the package needs

Files need no bridge: ``minitorch2.load`` reads what torch saved, and ``minitorch2.save`` writes what torch loads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["from_torch", "to_torch"]


def from_torch(x: Any, *, copy: bool = False, classes: Mapping[type, type] | None = None) -> Any:
    """What ``x`` of PyTorch's is here: a module, tensor, dtype, device or Size, or dicts, lists and tuples of these.

    A module becomes the same tree of our layers: configuration, parameters, buffers (saved or not), ``training``,
    ``requires_grad``, ``.grad`` and names. What was shared, a submodule, a parameter or the memory of two tensors, is
    shared again. Numbers, strings and NumPy arrays stay what they are.

    Args:
        copy: False: tensors use the memory of torch's, and a write on one side is seen on the other (but not by the
            other's check whether a tensor needed for backward was overwritten). True: they get memory of their own.
        classes: our class for each Module class of the user's own, ``{TheirNet: OurNet}``. OurNet is not initialised:
            it gets the attributes, and needs the same names and a ``forward`` of its own.

    Raises, naming the place in ``x``:
        ImportError: torch is not installed.
        TypeError: for a class of module, tensor or other object that has no counterpart here.
        NotImplementedError: for tensors that are sparse, quantized, complex, nested, or of any dtype not here.
        RuntimeError: for tensors on another device, results of a computation that still has its graph, and tensors with
            hooks.
        ValueError: for modules with hooks, and layers with attributes or values that are not supported here.
    """
    from ._incoming import FromTorch

    return FromTorch(copy, classes).start(x)


def to_torch(x: Any, *, copy: bool = False, classes: Mapping[type, type] | None = None) -> Any:
    """What ``x`` of ours is in PyTorch: the way back from :func:`from_torch`, with the same promises.

    ``classes`` maps our classes to theirs here: ``{OurNet: TheirNet}``. Memory that is read-only, or laid out as torch
    cannot describe (backwards), is copied. Raises as :func:`from_torch`.
    """
    from ._outgoing import ToTorch

    return ToTorch(copy, classes).start(x)
