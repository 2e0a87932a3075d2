"""Writing the pickle inside a checkpoint: protocol 2, with torch's names for things, without torch.

The opcodes, their order and the numbering of the memo are those of CPython's pickler; strings are
remembered by value, so the bytes depend only on what is saved.
"""

from __future__ import annotations

import pickle
import struct
import sys
import types
from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np

from ..core import dtypes
from ..core.device import device
from ..core.size import Size
from ..nn.modules._torch_names import torch_state  # a function of ours, which imports no torch
from ..nn.modules.module import Module
from ..nn.parameter import Buffer, Parameter
from ..tensor import Tensor
from ..torch_version import TorchVersion
from .arrays import StorageTable
from .keys import key_problem
from .modules import functions, path_of
from .plain import MAX_DEPTH, own_attributes
from .safe_globals import registered_by_path

_BATCH = 1000  # items per SETITEMS or APPENDS, so that a reader's stack stays small


class Pickler:
    """`dump(obj)` gives the pickle; `storages` then lists the memory its tensors need."""

    def __init__(self) -> None:
        self.storages = StorageTable()
        known = functions() | registered_by_path()
        self.trusted = {id(what): path for path, what in known.items()}
        self.out = bytearray()
        self.memo: dict[Any, int] = {}
        self.kept: list[Any] = []  # keeps what is remembered by id alive
        self.path: list[str] = []
        self.open: set[int] = set()
        self.within: Any = None  # the instance that is being taken apart

    def dump(self, obj: Any) -> bytes:
        """The pickle of `obj`. Raises PicklingError, naming the place in `obj`, for what cannot be saved."""
        self.out += pickle.PROTO + b"\x02"
        self._save(obj)
        self.out += pickle.STOP
        return bytes(self.out)

    def _save(self, obj: Any) -> None:
        if id(obj) in self.open:
            self._refuse("contains itself; save plain data without cycles")
        key = ("str", obj) if type(obj) is str else id(obj)
        if key in self.memo:
            self._recall(key)
            return
        save = _SAVERS.get(type(obj))
        if save is not None:
            save(self, obj)
            return
        if len(self.open) >= MAX_DEPTH:
            self._refuse(f"is nested deeper than {MAX_DEPTH} levels")
        self.open.add(id(obj))
        container = _CONTAINER_SAVERS.get(type(obj))
        if container is not None:
            container(self, obj)
        elif id(obj) in self.trusted:
            self._global(self.trusted[id(obj)])
        elif isinstance(obj, Module):
            self._module(obj)
        elif id(type(obj)) in self.trusted or not (why := _why_not(obj, self.within)):
            self._instance(obj)
        else:
            self._refuse(why)
        self.open.discard(id(obj))

    def _save_at(self, place: str, obj: Any) -> None:
        self.path.append(place)
        self._save(obj)
        self.path.pop()

    # Scalars

    def _none(self, _: None) -> None:
        self.out += pickle.NONE

    def _bool(self, value: bool) -> None:
        self.out += pickle.NEWTRUE if value else pickle.NEWFALSE

    def _int(self, value: int) -> None:
        if 0 <= value < 256:
            self.out += pickle.BININT1 + struct.pack("<B", value)
        elif 0 <= value < 65536:
            self.out += pickle.BININT2 + struct.pack("<H", value)
        elif -(2**31) <= value < 2**31:
            self.out += pickle.BININT + struct.pack("<i", value)
        else:
            data = pickle.encode_long(value)
            if len(data) > 255:
                self._refuse("has more than 255 bytes; save it as a string")
            self.out += pickle.LONG1 + bytes([len(data)]) + data

    def _float(self, value: float) -> None:
        self.out += pickle.BINFLOAT + struct.pack(">d", value)

    def _str(self, value: str) -> None:
        data = value.encode("utf-8", "surrogatepass")
        if len(data) > 0xFFFFFFFF:
            self._refuse("is a string of 4 GiB or more; save it as a uint8 tensor")
        self.out += pickle.BINUNICODE + struct.pack("<I", len(data)) + data
        self._remember(("str", value), value)

    def _bytes(self, value: bytes) -> None:
        self._call("_codecs.encode", (value.decode("latin1"), "latin1"), value)

    def _complex(self, value: complex) -> None:
        self._call("builtins.complex", (value.real, value.imag), value)

    def _dtype(self, value: dtypes.dtype) -> None:
        self._global(f"torch.{value.name}")

    def _device(self, value: device) -> None:
        self._call("torch.device", (value.type,) if value.index is None else (value.type, value.index), value)

    def _size(self, value: Size) -> None:
        self._call("torch.Size", (tuple(value),), value)

    def _version(self, value: TorchVersion) -> None:
        self._save(str.__str__(value))  # as text: torch.load refuses the class, as ours does

    # Containers

    def _bytearray(self, value: bytearray) -> None:
        self._call("builtins.bytearray", (value.decode("latin1"), "latin-1") if value else (), value)

    def _tuple(self, items: tuple) -> None:
        if not items:
            self.out += pickle.EMPTY_TUPLE
            return
        small = len(items) <= 3
        self.out += b"" if small else pickle.MARK
        for i, item in enumerate(items):
            self._save_at(f"[{i}]", item)
        self.out += (pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3)[len(items) - 1] if small else pickle.TUPLE
        self._remember(id(items), items)

    def _list(self, items: list) -> None:
        self.out += pickle.EMPTY_LIST
        self._remember(id(items), items)
        for start in range(0, len(items), _BATCH):
            batch = items[start : start + _BATCH]
            self.out += pickle.MARK if len(items) > 1 else b""
            for i, item in enumerate(batch, start):
                self._save_at(f"[{i}]", item)
            self.out += pickle.APPENDS if len(items) > 1 else pickle.APPEND

    def _dict(self, mapping: dict) -> None:
        self.out += pickle.EMPTY_DICT
        self._remember(id(mapping), mapping)
        self._items(mapping)

    def _items(self, mapping: dict) -> None:
        pairs = list(mapping.items())
        for start in range(0, len(pairs), _BATCH):
            self.out += pickle.MARK if len(pairs) > 1 else b""
            for key, value in pairs[start : start + _BATCH]:
                place = f"[{key!r:.100}]"
                problem = key_problem(key)
                if problem:
                    self.path.append(place)
                    self._refuse(f"has a key that {problem}; use strings or small numbers")
                self._save_at(f"{place} (the key)", key)
                self._save_at(place, value)
            self.out += pickle.SETITEMS if len(pairs) > 1 else pickle.SETITEM

    def _ordered_dict(self, mapping: OrderedDict) -> None:
        self._call("collections.OrderedDict", (), mapping)
        self._items(mapping)
        if vars(mapping):  # a state_dict's _metadata
            self._save_at(".__dict__", vars(mapping))
            self.out += pickle.BUILD

    def _counter(self, counts: Counter) -> None:
        self._call("collections.Counter", (dict(counts),), counts)

    def _set(self, items: set) -> None:
        for item in items:
            problem = key_problem(item)
            if problem:
                self._refuse(f"has an element that {problem}; use strings or small numbers")
        # The order of a set of strings changes from run to run; the file's should not.
        ordered = sorted(items, key=lambda item: (type(item).__name__, repr(item)))
        self._call("builtins.set", (ordered,), items)

    # Tensors

    def _tensor(self, tensor: Tensor) -> None:
        state = own_attributes(tensor)
        if tensor.is_meta:
            if state:
                self._refuse("is a tensor of the meta device with attributes of its own; delete them first")
            described = tensor.dtype, tuple(tensor._data.shape), tensor.stride(), tensor.requires_grad
            self._call("torch._utils._rebuild_meta_tensor_no_storage", described, tensor)
        elif state:
            self._with_state(tensor, state)
        else:
            self._call("torch._utils._rebuild_tensor_v2", _TensorArguments(tensor), tensor)

    def _with_state(self, tensor: Tensor, state: dict[str, Any]) -> None:
        self._global("torch._tensor._rebuild_from_type_v2")
        self.out += pickle.MARK
        self._global("torch._utils._rebuild_tensor_v2")
        self._global("torch.Tensor")
        self._tensor_arguments(_TensorArguments(tensor))
        self._save_at(".__dict__", state)
        self.out += pickle.TUPLE
        self._remember(id(state), state)
        self.out += pickle.REDUCE
        self._remember(id(tensor), tensor)

    def _buffer(self, buffer: Buffer) -> None:
        self._with_state(buffer, {"persistent": buffer.persistent, "_is_buffer": True, **own_attributes(buffer)})

    def _parameter(self, parameter: Parameter) -> None:
        arguments = (parameter.data, parameter.requires_grad, OrderedDict())
        state = own_attributes(parameter)
        if state:
            self._call("torch._utils._rebuild_parameter_with_state", (*arguments, state), parameter)
        else:
            self._call("torch._utils._rebuild_parameter", arguments, parameter)

    def _tensor_arguments(self, arguments: _TensorArguments) -> None:
        tensor = arguments.tensor
        storage, offset, stride = self.storages.locate(tensor._data)
        self.out += pickle.MARK + pickle.MARK
        self._save("storage")
        self._global(f"torch.{storage.dtype.torch_type}Storage")
        self._save(storage.key)
        self._save(str(tensor.device))
        self._save(storage.numel)
        self.out += pickle.TUPLE
        self._remember(object(), None)
        self.out += pickle.BINPERSID
        for item in (offset, tuple(tensor._data.shape), stride, tensor.requires_grad, OrderedDict()):
            self._save(item)
        self.out += pickle.TUPLE
        self._remember(object(), None)

    # Modules

    def _module(self, module: Module) -> None:
        """A whole module: its class by name and its state, under the names and in the order of torch's."""
        cls = type(module)
        if "<locals>" in cls.__qualname__:
            self._refuse(f"is of a class that no reader can find ({cls.__qualname__}); define it at a file's top level")
        try:
            state = torch_state(module) if cls.__getstate__ is Module.__getstate__ else module.__getstate__()
        except ValueError as error:
            self._refuse(f"cannot be saved whole: {error}; or save its state_dict()")
        self._global(path_of(cls))
        self.out += pickle.EMPTY_TUPLE + pickle.NEWOBJ
        self._remember(id(module), module)
        self.kept.append(state)  # its id is remembered, too
        self._save_at(".__dict__", state)
        self.out += pickle.BUILD

    # Calls and names

    def _call(self, path: str, arguments: tuple | _TensorArguments, result: Any) -> None:
        self._global(path)
        if isinstance(arguments, tuple):
            self._save(arguments)
        else:
            self._tensor_arguments(arguments)
        self.out += pickle.REDUCE
        self._remember(id(result), result)

    def _global(self, path: str) -> None:
        key = ("global", path)
        if key in self.memo:
            self._recall(key)
            return
        module, _, name = path.rpartition(".")
        module = "__builtin__" if module == "builtins" else module  # the name protocol 2 readers expect
        self.out += pickle.GLOBAL + f"{module}\n{name}\n".encode()
        self._remember(key, None)

    def _code(self, what: Any) -> None:
        """A class or function by its name, which load looks up in safe_globals and PyTorch in the module."""
        path = self.trusted.get(id(what)) or path_of(what)
        found = getattr(sys.modules.get(what.__module__), what.__qualname__, None)
        if id(what) not in self.trusted and found is not what:
            self._refuse(f"is made by {what.__qualname__}, which no reader can find; define it at a file's top level")
        self._global(path)

    def _instance(self, obj: Any) -> None:
        """An instance of a class that load builds where it is named, taken apart as pickle does."""
        try:
            reduced = obj.__reduce_ex__(2)
        except TypeError as error:
            self._refuse(f"is a {type(obj).__name__}, which cannot be saved: {error}")
        if not isinstance(reduced, tuple):
            self._refuse(f"is reduced to a name by {type(obj).__name__}.__reduce__; register that object instead")
        outer, self.within = self.within, obj
        self.kept.append(reduced)  # the ids of what it made are remembered, too
        function, arguments = reduced[:2]
        state, list_items, dict_items = (*reduced[2:], None, None, None)[:3]
        if getattr(function, "__name__", "") == "__newobj__":  # copyreg's, for classes with a plain __new__
            cls, *arguments = arguments
            self._code(cls)
            self._save(tuple(arguments))
            self.out += pickle.NEWOBJ
        else:
            self._code(function)
            self._arguments(arguments)
            self.out += pickle.REDUCE
        self._remember(id(obj), obj)
        for opcode, items in ((pickle.APPEND, list_items), (pickle.SETITEM, dict_items)):
            self._instance_items(opcode, items or ())
        if state is not None:
            self._save_at(".__dict__", state)
            self.out += pickle.BUILD
        self.within = outer

    def _arguments(self, arguments: tuple) -> None:
        """A tuple in which classes are arguments of a function that rebuilds an object."""
        self.out += pickle.MARK
        for i, item in enumerate(arguments):
            if isinstance(item, type):
                self._code(item)
            else:
                self._save_at(f"[{i}]", item)
        self.out += pickle.TUPLE
        self._remember(id(arguments), arguments)

    def _instance_items(self, opcode: bytes, items: Iterable[Any]) -> None:
        for item in items:
            for part in item if opcode == pickle.SETITEM else (item,):
                self._save_at("[...]", part)
            self.out += opcode

    def _remember(self, key: Any, obj: Any) -> None:
        index = self.memo[key] = len(self.memo)
        self.kept.append(obj)
        self.out += pickle.BINPUT + bytes([index]) if index < 256 else pickle.LONG_BINPUT + struct.pack("<I", index)

    def _recall(self, key: Any) -> None:
        index = self.memo[key]
        self.out += pickle.BINGET + bytes([index]) if index < 256 else pickle.LONG_BINGET + struct.pack("<I", index)

    def _refuse(self, why: str) -> NoReturn:
        raise pickle.PicklingError(f"minitorch2.save: state{''.join(self.path)} {why}")


class _TensorArguments:
    """Stands for the arguments of a tensor's builder, whose first is a persistent id and no object."""

    def __init__(self, tensor: Tensor):
        self.tensor = tensor


def _why_not(obj: Any, within: Any) -> str:
    """Why obj is not saved, or nothing where it is: as an instance of a class that can be found by its name."""
    kind, cls = type(obj).__name__, type(obj)
    if isinstance(obj, np.ndarray | np.generic) and obj.dtype.kind not in "biufc":
        return f"is a NumPy value of the type {obj.dtype}, which load would refuse; save lists and strings"
    if isinstance(obj, np.dtype) and not isinstance(within, np.ndarray | np.generic):
        return "is a dtype of NumPy's, which load would refuse; save its name"
    if cls.__module__.partition(".")[0] == "torch":
        return f"is a {kind} of PyTorch's; bridge.from_torch makes it one of ours"
    if isinstance(obj, type):
        return f"is a class ({obj.__qualname__}), and files hold data, not code; save its name"
    if hasattr(obj, "state_dict") and _ours(cls):
        return f"is a whole {kind}, and files hold data, not code; save its state_dict()"
    if isinstance(obj, types.FunctionType | types.MethodType | types.BuiltinFunctionType):
        return f"is a function ({getattr(obj, '__qualname__', kind)}), and files hold no code; leave it out"
    if isinstance(obj, Tensor):
        return f"is of the Tensor subclass {kind}; save it as a plain tensor"
    if _ours(cls):
        return f"is a {kind}, which cannot be saved; convert it to dicts, lists, numbers, strings or tensors"
    return ""


def _ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


_SAVERS: dict[type, Any] = {
    type(None): Pickler._none,
    bool: Pickler._bool,
    int: Pickler._int,
    float: Pickler._float,
    str: Pickler._str,
    bytes: Pickler._bytes,
    complex: Pickler._complex,
    dtypes.dtype: Pickler._dtype,
    device: Pickler._device,
    Size: Pickler._size,
    TorchVersion: Pickler._version,
}
_CONTAINER_SAVERS: dict[type, Any] = {
    bytearray: Pickler._bytearray,
    tuple: Pickler._tuple,
    list: Pickler._list,
    dict: Pickler._dict,
    OrderedDict: Pickler._ordered_dict,
    Counter: Pickler._counter,
    set: Pickler._set,
    Tensor: Pickler._tensor,
    Parameter: Pickler._parameter,
    Buffer: Pickler._buffer,
}
