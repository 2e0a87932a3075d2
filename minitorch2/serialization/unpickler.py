"""A pickle machine for exactly the opcodes torch's files use.

It imports nothing and calls nothing of its own accord: a GLOBAL selects an entry of a fixed table (or of
what the user registered as safe), REDUCE calls only such entries, BUILD sets only the attributes an
OrderedDict may carry. Every step consumes bytes of the stream, so work and memory are bounded by the
stream's length. Opcodes: CPython's Lib/pickletools.py.
"""

from __future__ import annotations

import pickle
import struct
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from .errors import damaged
from .safe_globals import registered_by_path

_MAX_MARKS = 500  # containers being built inside one another; Python's own pickler gives up at a similar depth
_MAX_KEY_PARTS = 64
_DICTS = (dict, OrderedDict, Counter, defaultdict)
_LATER_OPCODES = {
    ord("B"): "BINBYTES",
    ord("C"): "SHORT_BINBYTES",
    0x8C: "SHORT_BINUNICODE",
    0x8F: "EMPTY_SET",
    0x93: "STACK_GLOBAL",
    0x94: "MEMOIZE",
    0x95: "FRAME",
}
_UNSAFE_OPCODES = {
    ord("i"): "INST",
    ord("o"): "OBJ",
    ord("P"): "PERSID",
    0x82: "EXT1",
    0x83: "EXT2",
    0x84: "EXT4",
    0x92: "NEWOBJ_EX",
}


class Function:
    """An entry of the fixed table that may be called: a builder of our own under the name files use."""

    __slots__ = ("build", "path")

    def __init__(self, path: str, build: Callable[..., Any]):
        self.path = path
        self.build = build


class Stream(Protocol):
    """What a pickle is read from."""

    def read(self, size: int, /) -> bytes: ...

    def readline(self, size: int, /) -> bytes: ...


class Unsupported:
    """An entry of the fixed table for what files may name and minitorch2 does not have."""

    __slots__ = ("message",)

    def __init__(self, message: str):
        self.message = message


class Unpickler:
    """Reads one pickle from `file`, which is left after its STOP.

    table: {"module.name": Function or value}; persistent_load: called with each persistent id.
    Raises: UnpicklingError for whatever is not a plain checkpoint; EOFError where the stream ends early.
    """

    def __init__(
        self,
        file: Stream,
        table: dict[str, Any],
        persistent_load: Callable[[Any], Any] | None = None,
        encoding: str = "utf-8",
    ):
        self.file = file
        self.table = table
        self.persistent_load = persistent_load
        self.encoding = encoding
        self.trusted = registered_by_path()
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def load(self) -> Any:
        operations = _OPERATIONS
        while True:
            opcode = self._take(1)[0]
            if opcode == pickle.STOP[0]:
                break
            operation = operations.get(opcode)
            if operation is None:
                _refuse_opcode(opcode)
            if operation is Unpickler.persistent:  # runs the user's map_location, whose errors are the user's
                self.persistent()
                continue
            try:
                operation(self)
            except (pickle.UnpicklingError, EOFError, NotImplementedError):
                raise
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                damaged(f"the pickle makes no sense ({type(error).__name__}: {error})", error)
        if len(self.stack) != 1 or self.marks:
            damaged("the pickle ends in the middle of an object")
        return self.stack.pop()

    def _take(self, count: int) -> bytes:
        data = self.file.read(count)
        if len(data) != count:
            raise EOFError("minitorch2.load: ran out of input; the file is empty or was cut short")
        return data

    def _unpack(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> str:
        line = self.file.readline(1024)
        if not line.endswith(b"\n"):
            raise EOFError("minitorch2.load: ran out of input inside a name; the file was cut short")
        return line[:-1].decode("utf-8")

    def _pop_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.marks.pop()
        return items

    # One method per opcode; the table under the class says which.

    def proto(self) -> None:
        version = self._take(1)[0]
        if version > 3:
            raise pickle.UnpicklingError(
                f"Weights only load failed: the file was pickled with protocol {version}; save it again with "
                "torch.save's default, pickle_protocol=2"
            )

    def mark(self) -> None:
        if len(self.marks) >= _MAX_MARKS:
            damaged(f"objects are nested deeper than {_MAX_MARKS} levels")
        self.marks.append(self.stack)
        self.stack = []

    def text(self) -> None:
        self.stack.append(str(self._take(self._unpack("<I")), "utf-8", "surrogatepass"))

    def short_bytes(self) -> None:
        self._push_bytes(self._take(self._take(1)[0]))

    def long_bytes(self) -> None:
        self._push_bytes(self._take(self._unpack("<I")))

    def _push_bytes(self, data: bytes) -> None:
        self.stack.append(data if self.encoding == "bytes" else data.decode(self.encoding))

    def long_int(self) -> None:
        self.stack.append(pickle.decode_long(self._take(self._take(1)[0])))

    def tuple_of_mark(self) -> None:
        items = self._pop_mark()
        self.stack.append(tuple(items))

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise IndexError("stack is empty")
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def append(self) -> None:
        item = self.stack.pop()
        self._list().append(item)

    def appends(self) -> None:
        items = self._pop_mark()
        self._list().extend(items)

    def _list(self) -> list[Any]:
        target = self.stack[-1]
        if type(target) is not list:
            damaged(f"the pickle appends to a {type(target).__name__}")
        return target

    def set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def set_items(self) -> None:
        self._set_items(self._pop_mark())

    def _set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) not in _DICTS:
            damaged(f"the pickle sets items of a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            check_key(key)
            target[key] = value

    def get(self, index: int) -> None:
        if index not in self.memo:
            damaged(f"the pickle refers to memo {index}, which it never set")
        self.stack.append(self.memo[index])

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def persistent(self) -> None:
        if self.persistent_load is None or not self.stack:
            damaged("the pickle has a persistent id where there can be none")
        self.stack.append(self.persistent_load(self.stack.pop()))

    def global_name(self) -> None:
        module, name = self._line(), self._line()
        path = f"{'builtins' if module == '__builtin__' else module}.{name}"
        if path in self.table:
            entry = self.table[path]
            if isinstance(entry, Unsupported):
                raise NotImplementedError(entry.message)
            self.stack.append(entry)
        elif path in self.trusted:
            self.stack.append(self.trusted[path])
        else:
            raise pickle.UnpicklingError(
                f"Weights only load failed: unsupported global: GLOBAL {path} was not an allowed global. "
                "minitorch2 never imports what a file names. If you know this class or function, trust it "
                "with any arguments and trust the file, load inside "
                f"`with minitorch2.serialization.safe_globals([{path}]):`; otherwise have its author save a "
                "state_dict made of tensors, numbers, strings, lists and dicts"
            )

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack[-1]
        if type(arguments) is not tuple:
            damaged("a call in the pickle has no tuple of arguments")
        if isinstance(function, Function):
            self.stack[-1] = function.build(*arguments)
        elif self._is_trusted(function):
            self.stack[-1] = function(*arguments)
        else:
            damaged(f"the pickle tries to call a {type(function).__name__}")

    def new_object(self) -> None:
        arguments, cls = self.stack.pop(), self.stack[-1]
        if not (isinstance(cls, type) and self._is_trusted(cls) and type(arguments) is tuple):
            damaged("the pickle makes an object of a class that is not registered with add_safe_globals")
        self.stack[-1] = cls.__new__(cls, *arguments)

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is OrderedDict:
            set_attributes(target, state)
        elif self._is_trusted(type(target)):
            _restore_state(target, state)
        else:
            damaged(f"the pickle sets the state of a {type(target).__name__}")

    def _is_trusted(self, what: Any) -> bool:
        return any(what is one for one in self.trusted.values())


def check_key(key: Any) -> None:
    """Raises UnpicklingError for a dict key or set element that `key_problem` objects to."""
    problem = key_problem(key)
    if problem:
        damaged(f"a dict key {problem}")


def key_problem(key: Any) -> str | None:
    """Why hashing `key` could be slow or made to collide: only scalars and small tuples of them are sure."""
    parts = [key]
    for count, part in enumerate(parts):
        if count > _MAX_KEY_PARTS:
            return f"is a tuple of more than {_MAX_KEY_PARTS} parts"
        if isinstance(part, tuple):
            parts.extend(part[: _MAX_KEY_PARTS + 1])
        elif isinstance(part, int) and abs(part) >= 2**61 - 1:  # beyond it, distinct ints share a hash
            return f"is too large a number ({part.bit_length()} bits)"
    return None


def set_attributes(target: Any, state: Any) -> None:
    """Sets Python attributes on an OrderedDict or a tensor, none of which may hide one it has."""
    if type(state) is not dict:
        damaged(f"attributes must come as a dict, got {type(state).__name__}")
    for name, value in state.items():
        if type(name) is not str or name.startswith("__") or hasattr(target, name):
            damaged(f"the pickle sets the attribute {name!r} of a {type(target).__name__}")
        setattr(target, name, value)


def _restore_state(target: Any, state: Any) -> None:
    """What pickle does with the state of an object, for the classes the user trusts."""
    if hasattr(target, "__setstate__"):
        target.__setstate__(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        vars(target).update(state)
    for name, value in (slots or {}).items():
        setattr(target, name, value)


def _refuse_opcode(opcode: int) -> NoReturn:
    if opcode in _LATER_OPCODES:
        name = _LATER_OPCODES[opcode]
        reason = f"{name} belongs to a later pickle protocol; save again with the default pickle_protocol=2"
    elif opcode in _UNSAFE_OPCODES:
        reason = f"{_UNSAFE_OPCODES[opcode]} never occurs in a checkpoint and could run code"
    else:
        reason = "the file is damaged or is no checkpoint"
    raise pickle.UnpicklingError(f"Weights only load failed: unsupported pickle opcode {bytes([opcode])!r}: {reason}")


def _push(make: Callable[[], Any]) -> Callable[[Unpickler], None]:
    return lambda self: self.stack.append(make())


def _read(form: str) -> Callable[[Unpickler], None]:
    return lambda self: self.stack.append(self._unpack(form))


_OPERATIONS: dict[int, Callable[[Unpickler], None]] = {
    code[0]: operation
    for code, operation in (
        (pickle.PROTO, Unpickler.proto),
        (pickle.MARK, Unpickler.mark),
        (pickle.NONE, _push(lambda: None)),
        (pickle.NEWTRUE, _push(lambda: True)),
        (pickle.NEWFALSE, _push(lambda: False)),
        (pickle.BININT, _read("<i")),
        (pickle.BININT1, _read("<B")),
        (pickle.BININT2, _read("<H")),
        (pickle.LONG1, Unpickler.long_int),
        (pickle.BINFLOAT, _read(">d")),
        (pickle.BINUNICODE, Unpickler.text),
        (pickle.SHORT_BINSTRING, Unpickler.short_bytes),
        (pickle.BINSTRING, Unpickler.long_bytes),
        (pickle.EMPTY_TUPLE, _push(tuple)),
        (pickle.EMPTY_LIST, _push(list)),
        (pickle.EMPTY_DICT, _push(dict)),
        (pickle.TUPLE, Unpickler.tuple_of_mark),
        (pickle.TUPLE1, lambda self: self.tuple_of(1)),
        (pickle.TUPLE2, lambda self: self.tuple_of(2)),
        (pickle.TUPLE3, lambda self: self.tuple_of(3)),
        (pickle.APPEND, Unpickler.append),
        (pickle.APPENDS, Unpickler.appends),
        (pickle.SETITEM, Unpickler.set_item),
        (pickle.SETITEMS, Unpickler.set_items),
        (pickle.BINGET, lambda self: self.get(self._take(1)[0])),
        (pickle.LONG_BINGET, lambda self: self.get(self._unpack("<I"))),
        (pickle.BINPUT, lambda self: self.put(self._take(1)[0])),
        (pickle.LONG_BINPUT, lambda self: self.put(self._unpack("<I"))),
        (pickle.BINPERSID, Unpickler.persistent),
        (pickle.GLOBAL, Unpickler.global_name),
        (pickle.REDUCE, Unpickler.reduce),
        (pickle.NEWOBJ, Unpickler.new_object),
        (pickle.BUILD, Unpickler.build),
    )
}
