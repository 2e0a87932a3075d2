"""A pickle machine for exactly the opcodes torch's files use, in pickle protocols 1 to 5.

It imports nothing and calls nothing of its own accord: a GLOBAL selects an entry of a fixed table (or of
what the user registered as safe), REDUCE calls only such entries, BUILD sets only the attributes an
OrderedDict may carry, the contents of a NumPy array, and the state of what the user registered. Every step
consumes bytes of the stream, and what is made of one list, text or dict is made once, not again for each
reference to it: so work and memory are bounded by the stream's length. Opcodes: CPython's Lib/pickletools.py.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn, Protocol

import numpy as np

from ..nn.modules._torch_names import fill
from ..nn.modules.module import Module
from .errors import damaged
from .keys import Keys
from .numpy_values import NumpyDtype, set_array_state
from .safe_globals import registered_by_path

_MAX_MARKS = 500  # containers being built inside one another; Python's own pickler gives up at a similar depth
_MAX_SETS = 500_000  # a set takes 216 bytes, for one in the file
_FREE = 1 << 16  # elements, or bytes, that a stream of any length may have made into something else
_MADE_PER_BYTE = 2
_MAX_LINE = 1024  # characters of a name, or digits of a number written as text
_TEXT_OPCODES = b"dlFVSpg"  # of protocol 0, whose references to storages torch.load cannot read either
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


_SIZED = str | bytes | bytearray | list | tuple | dict | set | frozenset


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
        self.trusted_ids = {id(what) for what in self.trusted.values()}
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.sets = 0
        self.keys = Keys()
        self.taken = self.made = 0

    operations: ClassVar[dict[int, Callable[[Any], None]]]  # opcode -> what it does; under the class

    def load(self) -> Any:
        operations = self.operations
        while True:
            opcode = self._take(1)[0]
            if opcode == pickle.STOP[0]:
                break
            operation = operations.get(opcode)
            if operation is None:
                _refuse_opcode(opcode)
            if opcode == pickle.BINPERSID[0]:  # runs the user's map_location, whose errors are the user's
                operation(self)
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
        self.taken += count
        data = self.file.read(count)
        if len(data) != count:
            raise EOFError("minitorch2.load: ran out of input; the file is empty or was cut short")
        return data

    def _unpack(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> str:
        line = self.file.readline(_MAX_LINE)
        self.taken += len(line)
        if not line.endswith(b"\n"):
            if len(line) == _MAX_LINE:
                damaged(f"a name or number is longer than {_MAX_LINE} characters")
            raise EOFError("minitorch2.load: ran out of input inside a name; the file was cut short")
        return line[:-1].decode("utf-8")

    def _pop_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.marks.pop()
        return items

    # One method per opcode; the table under the class says which.

    def proto(self) -> None:
        version = self._take(1)[0]
        if version > pickle.HIGHEST_PROTOCOL:
            raise pickle.UnpicklingError(
                f"Weights only load failed: the file was pickled with protocol {version}, and protocols up to "
                f"{pickle.HIGHEST_PROTOCOL} are known; the file is damaged, or save it again with "
                "torch.save's default, pickle_protocol=2"
            )

    def frame(self) -> None:
        self._take(8)  # how many bytes belong together, for readers that fetch them in one go

    def mark(self) -> None:
        if len(self.marks) >= _MAX_MARKS:
            damaged(f"objects are nested deeper than {_MAX_MARKS} levels")
        self.marks.append(self.stack)
        self.stack = []

    def text(self, length: str) -> None:
        self.stack.append(str(self._take(self._unpack(length)), "utf-8", "surrogatepass"))

    def python2_string(self, length: str) -> None:
        data = self._take(self._unpack(length))
        self.stack.append(data if self.encoding == "bytes" else data.decode(self.encoding))

    def byte_string(self, length: str) -> None:
        self.stack.append(self._take(self._unpack(length)))

    def byte_array(self) -> None:
        self.stack.append(bytearray(self._take(self._unpack("<Q"))))

    def long_int(self, length: str) -> None:
        self.stack.append(pickle.decode_long(self._take(self._unpack(length))))

    def int_line(self) -> None:
        line = self._line()
        self.stack.append(line == "01" if line in ("00", "01") else int(line))  # protocol 1 has no other bools

    def long_line(self) -> None:
        self.stack.append(int(self._line().removesuffix("L")))

    def tuple_of_mark(self) -> None:
        items = self._pop_mark()
        self.stack.append(tuple(items))

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise IndexError("stack is empty")
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def append(self) -> None:
        item = self.stack.pop()
        list.append(self._list(), item)

    def appends(self) -> None:
        items = self._pop_mark()
        list.extend(self._list(), items)

    def _list(self) -> list[Any]:
        target = self.stack[-1]
        if not isinstance(target, list):  # a class of the user's that is one is filled without running its methods
            damaged(f"the pickle appends to a {type(target).__name__}")
        return target

    def set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def set_items(self) -> None:
        self._set_items(self._pop_mark())

    def _set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            damaged(f"the pickle sets items of a {type(target).__name__}")
        put: Any = OrderedDict.__setitem__ if isinstance(target, OrderedDict) else dict.__setitem__
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.keys.check(key)
            put(target, key, value)

    def add_items(self) -> None:
        items = self._pop_mark()
        target = self.stack[-1]
        if type(target) is not set:
            damaged(f"the pickle adds elements to a {type(target).__name__}")
        target |= self._elements(items)

    def frozen_set(self) -> None:
        items = self._pop_mark()  # first: it makes another list the stack
        self.stack.append(frozenset(self._elements(items)))

    def _elements(self, items: list[Any]) -> set[Any]:
        self.sets += 1
        if self.sets > _MAX_SETS:
            damaged(f"the pickle makes more than {_MAX_SETS} sets, which no checkpoint does")
        for item in items:
            self.keys.check(item)
        return set(items)

    def get(self, index: int) -> None:
        if index not in self.memo:
            damaged(f"the pickle refers to memo {index}, which it never set")
        self.stack.append(self.memo[index])

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def memoize(self) -> None:
        self.put(len(self.memo))

    def persistent(self) -> None:
        if self.persistent_load is None or not self.stack:
            damaged("the pickle has a persistent id where there can be none")
        self.stack.append(self.persistent_load(self.stack.pop()))

    def global_name(self) -> None:
        module, name = self._line(), self._line()
        self._push_global(module, name)

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            damaged("the pickle names something by what is no text")
        self._push_global(module, name)

    def _push_global(self, module: str, name: str) -> None:
        path = f"{'builtins' if module == '__builtin__' else module}.{name}"
        if path in self.table:
            entry = self.table[path]
            if isinstance(entry, Unsupported):
                raise NotImplementedError(entry.message)
            self.stack.append(entry)
        elif path in self.trusted:
            self.stack.append(self.trusted[path])
        else:
            raise pickle.UnpicklingError(_not_allowed(path))

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack[-1]
        self._count(arguments)
        if isinstance(function, Function):
            self.stack[-1] = function.build(*arguments)
        elif self._is_trusted(function):
            if isinstance(function, type) and issubclass(function, Module):
                damaged(f"the pickle calls the module class {function.__name__}, where torch.save restores its state")
            self.stack[-1] = function(*arguments)
        else:
            damaged(f"the pickle tries to call a {type(function).__name__}")

    def _count(self, arguments: Any) -> None:
        """Counts what a call is given, as if it copied that."""
        if type(arguments) is not tuple:
            damaged("a call in the pickle has no tuple of arguments")
        self.made += sum([len(one) for one in arguments if isinstance(one, _SIZED)])
        if self.made > _FREE + _MADE_PER_BYTE * self.taken:
            damaged("the pickle makes copies of one list, text or dict again and again")

    def new_object(self) -> None:
        arguments, cls = self.stack.pop(), self.stack[-1]
        if not (isinstance(cls, type) and self._is_trusted(cls) and type(arguments) is tuple):
            damaged("the pickle makes an object of a class that is not registered with add_safe_globals")
        self._count(arguments)
        if arguments and issubclass(cls, Module):
            damaged(f"the pickle makes a module of the class {cls.__name__} with arguments")
        self.stack[-1] = cls.__new__(cls, *arguments)

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        self._count(state if type(state) is tuple else (state,))
        if type(target) is OrderedDict:
            set_attributes(target, state)
        elif type(target) is NumpyDtype:
            target.set_state(state)
        elif type(target) is np.ndarray:
            set_array_state(target, state)
        elif self._is_trusted(type(target)) and isinstance(target, Module) and type(state) is dict:
            fill(target, state)
        elif self._is_trusted(type(target)):
            _restore_state(target, state)
        else:
            damaged(f"the pickle sets the state of a {type(target).__name__}")

    def _is_trusted(self, what: Any) -> bool:
        return id(what) in self.trusted_ids  # they are kept alive by self.trusted


def _not_allowed(path: str) -> str:
    if path.startswith("torch.nn."):
        way_out = (
            "It belongs to a whole pickled module. If you have its classes, load inside "
            "`with minitorch2.serialization.safe_globals([*minitorch2.serialization.layers(), YourModel]):`; "
            "better, have its author save model.state_dict()"
        )
    else:
        way_out = (
            "If you know this class or function, trust it with any arguments and trust the file, load inside "
            f"`with minitorch2.serialization.safe_globals([{path}]):`; otherwise have its author save a "
            "state_dict made of tensors, numbers, strings, lists and dicts"
        )
    return (
        f"Weights only load failed: unsupported global: GLOBAL {path} was not an allowed global. "
        f"minitorch2 never imports what a file names. {way_out}"
    )


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
    if opcode in _UNSAFE_OPCODES:
        reason = f"{_UNSAFE_OPCODES[opcode]} never occurs in a checkpoint and could run code"
    elif opcode in _TEXT_OPCODES:
        reason = "it belongs to pickle protocol 0; save again with the default pickle_protocol=2"
    else:
        reason = "the file is damaged or is no checkpoint"
    raise pickle.UnpicklingError(f"Weights only load failed: unsupported pickle opcode {bytes([opcode])!r}: {reason}")


def _push(make: Callable[[], Any]) -> Callable[[Unpickler], None]:
    return lambda self: self.stack.append(make())


def _read(form: str) -> Callable[[Unpickler], None]:
    return lambda self: self.stack.append(self._unpack(form))


Unpickler.operations = {
    code[0]: operation
    for code, operation in (
        (pickle.PROTO, Unpickler.proto),
        (pickle.FRAME, Unpickler.frame),
        (pickle.MARK, Unpickler.mark),
        (pickle.NONE, _push(lambda: None)),
        (pickle.NEWTRUE, _push(lambda: True)),
        (pickle.NEWFALSE, _push(lambda: False)),
        (pickle.INT, Unpickler.int_line),
        (pickle.BININT, _read("<i")),
        (pickle.BININT1, _read("<B")),
        (pickle.BININT2, _read("<H")),
        (pickle.LONG, Unpickler.long_line),
        (pickle.LONG1, lambda self: self.long_int("<B")),
        (pickle.LONG4, lambda self: self.long_int("<I")),
        (pickle.BINFLOAT, _read(">d")),
        (pickle.SHORT_BINUNICODE, lambda self: self.text("<B")),
        (pickle.BINUNICODE, lambda self: self.text("<I")),
        (pickle.BINUNICODE8, lambda self: self.text("<Q")),
        (pickle.SHORT_BINSTRING, lambda self: self.python2_string("<B")),
        (pickle.BINSTRING, lambda self: self.python2_string("<I")),
        (pickle.SHORT_BINBYTES, lambda self: self.byte_string("<B")),
        (pickle.BINBYTES, lambda self: self.byte_string("<I")),
        (pickle.BINBYTES8, lambda self: self.byte_string("<Q")),
        (pickle.BYTEARRAY8, Unpickler.byte_array),
        (pickle.EMPTY_TUPLE, _push(tuple)),
        (pickle.EMPTY_LIST, _push(list)),
        (pickle.EMPTY_DICT, _push(dict)),
        (pickle.EMPTY_SET, lambda self: self.stack.append(self._elements([]))),
        (pickle.TUPLE, Unpickler.tuple_of_mark),
        (pickle.TUPLE1, lambda self: self.tuple_of(1)),
        (pickle.TUPLE2, lambda self: self.tuple_of(2)),
        (pickle.TUPLE3, lambda self: self.tuple_of(3)),
        (pickle.APPEND, Unpickler.append),
        (pickle.APPENDS, Unpickler.appends),
        (pickle.SETITEM, Unpickler.set_item),
        (pickle.SETITEMS, Unpickler.set_items),
        (pickle.ADDITEMS, Unpickler.add_items),
        (pickle.FROZENSET, Unpickler.frozen_set),
        (pickle.BINGET, lambda self: self.get(self._take(1)[0])),
        (pickle.LONG_BINGET, lambda self: self.get(self._unpack("<I"))),
        (pickle.BINPUT, lambda self: self.put(self._take(1)[0])),
        (pickle.LONG_BINPUT, lambda self: self.put(self._unpack("<I"))),
        (pickle.MEMOIZE, Unpickler.memoize),
        (pickle.BINPERSID, Unpickler.persistent),
        (pickle.GLOBAL, Unpickler.global_name),
        (pickle.STACK_GLOBAL, Unpickler.stack_global),
        (pickle.REDUCE, Unpickler.reduce),
        (pickle.NEWOBJ, Unpickler.new_object),
        (pickle.BUILD, Unpickler.build),
    )
}
