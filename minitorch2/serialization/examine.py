"""Looking into a pickle without building what is not ours: what it would run is written down instead.

The machine is load's, with every opcode a pickle can have. A name that is not in the table becomes a placeholder
(foreign.py), and so does whatever is made with one; nothing the file names is imported or called. Work and memory
stay bounded by the stream's length.
"""

from __future__ import annotations

import _compat_pickle
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from . import legacy
from .builders import TABLE
from .errors import damaged
from .foreign import Foreign, ForeignCall
from .formats import kind_of
from .reader import load_zip
from .safe_globals import registered_by_path
from .storages import Storage
from .unpickler import Function, Stream, Unpickler, Unsupported
from .zip_reader import ZipReader

_MAX_LINE = 1 << 26  # of a text in protocol 0, which may hold a whole program


@dataclass
class Findings:
    """What pickles ask for, in the order in which they do.

    names: {name that is not in the table: its placeholder}; opcodes: {opcode no checkpoint has: how often}.
    """

    names: dict[str, Foreign] = field(default_factory=dict)
    calls: list[ForeignCall] = field(default_factory=list)
    opcodes: dict[str, int] = field(default_factory=dict)

    @property
    def runs_code(self) -> list[ForeignCall]:
        """The calls with which pickle.load would run what the file chooses."""
        return [call for call in self.calls if not call.harmless]


class Examiner(Unpickler):
    """Reads one pickle as Unpickler does, and writes what it asks for into `findings`."""

    def __init__(
        self,
        file: Stream,
        table: dict[str, Any],
        persistent_load: Callable[[Any], Any] | None = None,
        encoding: str = "utf-8",
        *,
        findings: Findings,
    ):
        super().__init__(file, table, persistent_load, encoding)
        self.trusted, self.trusted_ids = {}, set()  # what the process trusts runs code, too
        self.findings = findings

    def _push_global(self, module: str, name: str) -> None:
        # Names as Python 3 has them, whose pickles of protocol 2 use Python 2's; os is what programs know posix as.
        module, name = _compat_pickle.NAME_MAPPING.get((module, name), (module, name))
        module = _compat_pickle.IMPORT_MAPPING.get(module, module)
        path = f"{'os' if module in ('posix', 'nt') else module}.{name}"
        entry = self.table.get(path)
        if entry is None or isinstance(entry, Unsupported):
            reason = entry.message if isinstance(entry, Unsupported) else None
            entry = self.findings.names.setdefault(path, Foreign(path, reason))
        self.stack.append(entry)

    def persistent(self) -> None:
        if not self.stack:
            damaged("the pickle has a persistent id where there can be none")
        saved = self.stack.pop()
        if type(saved) is tuple and len(saved) == 4 and saved[0] == "module" and _is_foreign(saved[1]):
            self.stack.append(saved[1])  # a class, beside its source
        elif self.persistent_load is None:
            self._unusual("BINPERSID")
            self.stack.append(self._record(ForeignCall("call", Foreign("persistent_load", "persistent"), (saved,))))
        elif type(saved) is tuple and any(_is_foreign(part) for part in saved):  # a storage of a kind there is not
            known = Foreign("storage", getattr(saved[1], "reason", None) if len(saved) > 1 else None)
            self.stack.append(ForeignCall("call", known, saved[1:]))
        else:
            self.stack.append(self.persistent_load(saved))

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self._count(arguments)
        if isinstance(function, Function) and not any(_is_foreign(one) for one in arguments):
            try:
                self.stack.append(function.build(*arguments))
            except NotImplementedError as error:  # a tensor or value of a kind there is not
                self.stack.append(self._record(ForeignCall("call", Foreign(function.path, str(error)), arguments)))
            return
        if (
            getattr(function, "path", "") == "copyreg._reconstructor"
            and arguments
            and isinstance(arguments[0], Foreign)
        ):
            plain = len(arguments) == 3 and getattr(arguments[1], "path", "") == "builtins.object"
            self._made("build", arguments[0], () if plain else arguments[1:])  # the base's __init__ may be called
            return
        if not (isinstance(function, Function) or _is_foreign(function)):
            damaged(f"the pickle tries to call a {type(function).__name__}")
        self._made("call", function, arguments)

    def new_object(self) -> None:
        arguments, cls = self.stack.pop(), self.stack.pop()
        self._make("build", cls, arguments)

    def new_object_ex(self) -> None:
        self._unusual("NEWOBJ_EX")
        keywords, arguments, cls = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self._make("build", cls, arguments, keywords)

    def instance(self) -> None:
        self._unusual("INST")
        self._push_global(self._line(), self._line())
        cls = self.stack.pop()
        self._make("call", cls, tuple(self._pop_mark()))

    def object(self) -> None:
        self._unusual("OBJ")
        cls, *arguments = self._pop_mark()
        self._make("call", cls, tuple(arguments))

    def extension(self, form: str) -> None:
        self._unusual("EXT")
        self.stack.append(Foreign(f"copyreg extension {self._unpack(form)}"))

    def persistent_text(self) -> None:
        self._unusual("PERSID")
        self.stack.append(self._text_line())
        self.persistent()

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, ForeignCall):
            target.state = state
        elif isinstance(target, Foreign):  # sets attributes of a class, a module, a function
            self._made("call", Foreign("setattr"), (target, state))
            self.stack.pop()
        elif type(target) is np.ndarray and type(state) is tuple and any(_is_foreign(part) for part in state):
            self.stack[-1] = ForeignCall("call", Foreign("numpy.ndarray", "an array of other things"), state)
        else:
            self.stack.append(state)
            super().build()

    def _list(self) -> list[Any]:
        target = self.stack[-1]
        return target.items if isinstance(target, ForeignCall) else super()._list()

    def _set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, ForeignCall):
            target.pairs.extend(zip(items[::2], items[1::2], strict=True))
        else:
            super()._set_items(items)

    def add_items(self) -> None:
        # Below the mark: the elements are popped by whoever adds them.
        target = self.marks[-1][-1]
        if isinstance(target, ForeignCall):
            target.items.extend(self._pop_mark())
        else:
            super().add_items()

    # Protocol 0, whose every object is a line of text

    def text_line(self) -> None:
        self.stack.append(self._text_line())

    def string_line(self) -> None:
        text = self._text_line()
        if len(text) < 2 or text[0] != text[-1] or text[0] not in "\"'":
            damaged("a string in the pickle has no quotes")
        self.stack.append(text[1:-1])

    def float_line(self) -> None:
        self.stack.append(float(self._line()))

    def list_of_mark(self) -> None:
        items = self._pop_mark()
        self.stack.append(items)

    def dict_of_mark(self) -> None:
        items = self._pop_mark()
        self.stack.append({})
        self._set_items(items)

    def get_line(self) -> None:
        self.get(int(self._line()))

    def put_line(self) -> None:
        self.put(int(self._line()))

    def pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._pop_mark()

    def duplicate(self) -> None:
        self.stack.append(self.stack[-1])

    def _text_line(self) -> str:
        line = self.file.readline(_MAX_LINE)
        self.taken += len(line)
        if not line.endswith(b"\n"):
            raise EOFError("minitorch2.load: ran out of input inside a text; the file was cut short")
        return line[:-1].decode("latin1").removesuffix("\r")

    def python2_string(self, length: str) -> None:
        data = self._take(self._unpack(length))
        try:
            self.stack.append(data.decode("utf-8"))
        except UnicodeDecodeError:
            self.stack.append(data.decode("latin1"))

    # Making placeholders

    def _make(self, how: str, cls: Any, arguments: Any, keywords: Any = None) -> None:
        if not (_is_foreign(cls) and type(arguments) is tuple):
            damaged("the pickle makes an object of what is no class, or without a tuple of arguments")
        self._made(how, cls, arguments, keywords)

    def _made(self, how: str, callee: Any, arguments: tuple, keywords: Any = None) -> None:
        self.stack.append(self._record(ForeignCall(how, callee, arguments, keywords)))

    def _record(self, call: ForeignCall) -> ForeignCall:
        self.findings.calls.append(call)
        return call

    def _unusual(self, opcode: str) -> None:
        self.findings.opcodes[opcode] = self.findings.opcodes.get(opcode, 0) + 1


def _is_foreign(what: Any) -> bool:
    return isinstance(what, Foreign | ForeignCall)


Examiner.operations = Unpickler.operations | {
    code[0]: operation
    for code, operation in (
        (pickle.BINPERSID, Examiner.persistent),
        (pickle.PERSID, Examiner.persistent_text),
        (pickle.REDUCE, Examiner.reduce),
        (pickle.NEWOBJ, Examiner.new_object),
        (pickle.NEWOBJ_EX, Examiner.new_object_ex),
        (pickle.INST, Examiner.instance),
        (pickle.OBJ, Examiner.object),
        (pickle.EXT1, lambda self: self.extension("<B")),
        (pickle.EXT2, lambda self: self.extension("<H")),
        (pickle.EXT4, lambda self: self.extension("<I")),
        (pickle.BUILD, Examiner.build),
        (pickle.ADDITEMS, Examiner.add_items),
        (pickle.STRING, Examiner.string_line),
        (pickle.UNICODE, Examiner.text_line),
        (pickle.SHORT_BINSTRING, lambda self: self.python2_string("<B")),
        (pickle.BINSTRING, lambda self: self.python2_string("<I")),
        (pickle.FLOAT, Examiner.float_line),
        (pickle.LIST, Examiner.list_of_mark),
        (pickle.DICT, Examiner.dict_of_mark),
        (pickle.GET, Examiner.get_line),
        (pickle.PUT, Examiner.put_line),
        (pickle.POP, Examiner.pop),
        (pickle.POP_MARK, lambda self: self._pop_mark() and None),
        (pickle.DUP, Examiner.duplicate),
    )
}


@dataclass
class Examined:
    """`root` is the object with placeholders in it; None where `error` ended the reading before it was whole.

    locations: where storages were saved from ("cpu", "cuda:0").
    """

    root: Any
    findings: Findings
    locations: list[str]
    error: Exception | None


def examine_zip(archive: ZipReader) -> Examined:
    """The checkpoint in an archive, its storages mapped. Raises nothing for what is wrong with it: see `error`."""
    return _examined(lambda restore, machine: load_zip(archive, restore, True, "utf-8", machine))


def examine_pickles(file: BinaryIO) -> Examined:
    """The pickle, or the checkpoint of the legacy format, that begins at the file's position; else as `examine_zip`."""

    def read(restore: Callable[[Storage, str], Storage], machine: Callable[..., Examiner]) -> Any:
        start = file.tell()
        root = machine(legacy.BoundedReader(file), TABLE).load()
        if root != legacy.MAGIC:
            return root
        file.seek(start)
        return legacy.load(file, restore, True, "utf-8", machine)

    examined = _examined(read)
    reasons = [foreign.reason for foreign in examined.findings.names.values() if foreign.reason]
    if isinstance(examined.error, pickle.UnpicklingError) and reasons:
        # Where the bytes lie follows from all storages; load stops at the first that it does not have.
        examined.error = NotImplementedError(reasons[0])
    return examined


def examine_checkpoint(path: str) -> Examined | None:
    """The checkpoint of torch.save in the file `path`, in either of its formats, checksums checked; None for another
    kind of file. Raises RuntimeError for a damaged archive."""
    with open(path, "rb") as file:
        kind = kind_of(file)
        if kind == "torch":
            return examine_zip(ZipReader(file))
        return examine_pickles(file) if kind == "legacy" else None


def get_unsafe_globals_in_checkpoint(f: str | os.PathLike[str] | BinaryIO) -> list[str]:
    """The names in a file of torch.save that load(weights_only=True) would refuse, unless the program trusts them.

    ValueError for another kind of file, or for the format before torch 1.6.
    """
    if isinstance(f, str | os.PathLike):
        with open(f, "rb") as file:
            return get_unsafe_globals_in_checkpoint(file)
    if kind_of(f) != "torch":
        raise ValueError("Expected input to be a checkpoint returned by torch.save")
    archive, trusted = ZipReader(f), registered_by_path()
    examined = _examined(lambda restore, machine: load_zip(archive, restore, False, "utf-8", machine))
    if examined.error is not None and not examined.findings.names:
        raise examined.error
    return [name for name in examined.findings.names if name not in trusted]


def _examined(read: Callable[[Callable[[Storage, str], Storage], Callable[..., Examiner]], Any]) -> Examined:
    passes: dict[int, Findings] = {}
    locations: dict[str, None] = {}

    def machine(file: Any, *arguments: Any) -> Examiner:
        # By place in the file: where a pickle is read twice, its second reading replaces the first.
        findings = passes[-getattr(file, "left", 0)] = Findings()
        return Examiner(file, *arguments, findings=findings)

    def restore(storage: Storage, location: str) -> Storage:
        locations[location] = None
        return storage

    root, error = None, None
    try:
        root = read(restore, machine)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, OSError) as caught:
        error = caught
    whole = Findings()
    for _, part in sorted(passes.items()):
        whole.names |= part.names
        whole.calls += part.calls
        for opcode, count in part.opcodes.items():
            whole.opcodes[opcode] = whole.opcodes.get(opcode, 0) + count
    return Examined(root, whole, list(locations), error)
