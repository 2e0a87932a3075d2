"""Loading the part of a checkpoint that fits: what a fine-tuner does with somebody else's weights.

It stands beside `load`, not in the bridge, because it needs files' names and tensors and nothing of torch: a
state_dict is the same thing wherever it comes from. `Module.load_state_dict` remains the way to load a model's own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ..core.dtypes import can_cast
from ..nn.modules.module import Module
from ..tensor import Tensor
from .load_report import LoadReport

Rename = Mapping[str, str] | Callable[[str], str | None]

_USUAL_NAMES = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "module",
    "weights",
    "params",
)
_DEPTH = 3  # how far inside a checkpoint the weights are looked for: {"model": {"state_dict": ...}}


def load_matching(
    model: Module,
    state_dict: Mapping[str, Any],
    *,
    rename: Rename | None = None,
    strip_prefix: str | None = None,
    skip: str | Sequence[str] = (),
) -> LoadReport:
    """Copies from ``state_dict`` into ``model`` every tensor whose name and shape fit; returns what became of each.

    >>> report = load_matching(model, load("mobilenet.pt"), strip_prefix="module.", skip="classifier")
    >>> print(report)

    Args:
        rename: names of the file to names of the model: ``{"encoder.": "backbone."}`` replaces beginnings (of several
            that fit, the longest), a function gets each name and returns the new one, or None to leave it out.
        strip_prefix: a beginning to remove first, such as the "module." of DataParallel.
        skip: patterns (``*`` and ``?``) of the model's names that must stay as they are; "head" is all below head.

    A dtype is converted, and said so in the report, but for numbers with a fraction where the model has integers.

    Raises:
        ValueError: nothing fits; two names become one; rename, strip_prefix or a pattern fits no name, so that it is
            probably misspelt; state_dict holds no tensors. The model is then as it was.
        TypeError: model is no Module, or state_dict no mapping of names to tensors.
    """
    if not isinstance(model, Module):
        raise TypeError(f"load_matching: model must be a Module, got {type(model).__name__}")
    _check_state_dict(state_dict)
    change = _Renaming(rename, strip_prefix)
    given, dropped = change.apply(state_dict)
    report = LoadReport(skipped=dropped)
    patterns = [skip] if isinstance(skip, str) else list(skip)
    own = model.state_dict(keep_vars=True)
    _check_patterns(patterns, [*own, *given])

    fitting: Any = OrderedDict()
    for name, current in own.items():
        if any(_matches(name, pattern) for pattern in patterns):
            report.skipped.append(name)
        elif name not in given:
            report.missing.append(name)
        elif _decide(report, name, current, given[name]):
            fitting[name] = given[name]
    for name in given:
        if name not in own:
            skipped = any(_matches(name, pattern) for pattern in patterns)
            (report.skipped if skipped else report.unexpected).append(change.origin[name])
    _settle_tied(report, own)
    report.count(own)
    if not fitting:
        raise ValueError(f"load_matching: nothing in the file fits the model.{_advice(own, given)}\n{report}")
    metadata = getattr(state_dict, "_metadata", None)
    if metadata is not None:  # by which layers know what an older version of them has saved
        fitting._metadata = {change.of_module(name): entry for name, entry in metadata.items()}
    model.load_state_dict(fitting, strict=False)
    return report


def _check_state_dict(state_dict: Any) -> None:
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"load_matching: state_dict must map names to tensors, got {type(state_dict).__name__}")
    if not all(isinstance(name, str) for name in state_dict):
        raise TypeError("load_matching: state_dict must map names to tensors, but has keys that are no strings")
    if not any(isinstance(value, Tensor) for value in state_dict.values()):
        raise ValueError(
            f"load_matching: state_dict holds no tensors, but {_listed(state_dict)}; if it is a checkpoint with the "
            "weights somewhere inside, pass find_state_dict(checkpoint)"
        )


class _Renaming:
    """From the names in a file to names in a model; remembers where each came from."""

    def __init__(self, rename: Rename | None, strip_prefix: str | None):
        if rename is not None and not callable(rename) and not isinstance(rename, Mapping):
            raise TypeError(f"load_matching: rename must be a dict or a function, got {type(rename).__name__}")
        self.rename, self.strip = rename, strip_prefix
        self.origin: dict[str, str] = {}
        self.unused = set() if callable(rename) or rename is None else set(rename)
        self.unused |= {strip_prefix} if strip_prefix else set()

    def apply(self, state_dict: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """(values by new name, names left out)."""
        renamed: dict[str, Any] = {}
        dropped = []
        for old, value in state_dict.items():
            new = self.of(old)
            if new is None:
                dropped.append(old)
                continue
            if new in renamed:
                raise ValueError(f"load_matching: both '{self.origin[new]}' and '{old}' of the file become '{new}'")
            renamed[new], self.origin[new] = value, old
        if self.unused:
            raise ValueError(
                f"load_matching: no name in the file begins with {_quoted(sorted(self.unused))}, which rename or "
                f"strip_prefix names; the file has {_listed(state_dict)}"
            )
        return renamed, dropped

    def of(self, name: str) -> str | None:
        if self.strip and name.startswith(self.strip):
            self.unused.discard(self.strip)
            name = name.removeprefix(self.strip)
        if callable(self.rename):
            new = self.rename(name)
            if new is not None and not isinstance(new, str):
                raise TypeError(f"load_matching: rename('{name}') returned {new!r}; it must return a name or None")
            return new
        beginnings = [old for old in self.rename or () if name.startswith(old)]
        if not beginnings:
            return name
        old = max(beginnings, key=len)
        self.unused.discard(old)
        return (self.rename or {})[old] + name.removeprefix(old)

    def of_module(self, path: str) -> str:
        """The same for the path of a module, which in names has a dot behind it."""
        new = None if callable(self.rename) else self.of(f"{path}." if path else "")
        return path if new is None else new.removesuffix(".")


def _check_patterns(patterns: list[str], names: list[str]) -> None:
    for pattern in patterns:
        if not any(_matches(name, pattern) for name in names):
            raise ValueError(f"load_matching: the pattern '{pattern}' of skip matches no name of the model or the file")


def _matches(name: str, pattern: str) -> bool:
    """Whether the pattern matches the name, or a module that it is in."""
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[:n]), pattern) for n in range(1, len(parts) + 1))


def _decide(report: LoadReport, name: str, current: Any, given: Any) -> bool:
    """Whether `given` fits; the report says if, and why not."""
    if not isinstance(current, Tensor):  # what get_extra_state made: only the module itself can judge it
        report.loaded.append(name)
        return True
    if not isinstance(given, Tensor):
        report.mismatched[name] = f"no tensor: file a {type(given).__name__}"
        return False
    here, there = tuple(current.shape), tuple(given.shape)
    if here != there and not (here == () and there == (1,)):
        report.mismatched[name] = f"shape differs: here {here}, file {there}"
        return False
    if not can_cast(given.dtype, current.dtype):
        report.mismatched[name] = f"dtype differs: here {current.dtype.name}, file {given.dtype.name}"
        return False
    if given.dtype is not current.dtype:
        report.converted[name] = f"{given.dtype.name} to {current.dtype.name}"
    report.loaded.append(name)
    return True


def _settle_tied(report: LoadReport, own: Mapping[str, Any]) -> None:
    """A tensor under two names, one of which the file has, is loaded."""
    loaded = {id(own[name]) for name in report.loaded}
    tied = [name for name in report.missing if id(own[name]) in loaded]
    report.missing = [name for name in report.missing if name not in tied]
    report.tied += tied


def _advice(own: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """A prefix that stands between the two, if there is one."""
    for names, others, advice in (
        (given, own, "strip_prefix={!r}"),
        (own, given, "rename={{'': {!r}}}"),
    ):
        prefixes = {name.partition(".")[0] + "." for name in names if "." in name}
        for prefix in sorted(prefixes):
            if any(name.removeprefix(prefix) in others for name in names if name.startswith(prefix)):
                return f" Names fit with {advice.format(prefix)}."
    return ""


def find_state_dict(checkpoint: Any) -> Mapping[str, Any]:
    """The weights inside a checkpoint: itself, if it maps names to tensors, or what does so within it.

    Trainers keep them under "state_dict", "model", "net" ... beside the optimizer, the epoch and so on. A whole Module
    found there counts by its state_dict().

    Raises:
        ValueError: there are none; or several that could be meant (a model and its moving average), and the choice is
            yours: pass ``checkpoint["..."]``.
        TypeError: checkpoint is neither a mapping nor a Module.
    """
    if not isinstance(checkpoint, Mapping | Module):
        raise TypeError(f"find_state_dict: expected a checkpoint, a dict, got {type(checkpoint).__name__}")
    found = dict(_candidates(checkpoint, ()))
    if not found:
        raise ValueError(
            f"find_state_dict: nothing in the checkpoint maps names to tensors; it has {_listed(checkpoint)}"
        )
    usual = [path for path in found if path == () or path[-1] in _USUAL_NAMES or path[0] in _USUAL_NAMES]
    if len(usual) == 1:
        # Anything else matters only if it could be meant as well: weights of the same names.
        names = found[usual[0]].keys()
        rivals = [path for path in found if path in usual or not names.isdisjoint(found[path])]
    else:
        rivals = usual or list(found)
    if len(rivals) > 1:
        places = ", ".join(f"checkpoint{_place(path)} ({len(found[path])} entries)" for path in rivals)
        raise ValueError(f"find_state_dict: the weights could be any of {places}; pass the one you mean")
    return found[rivals[0]]


def _candidates(item: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Mapping[str, Any]]]:
    """(where it stands, it) of everything that maps names to tensors."""
    if isinstance(item, Module):
        item = item.state_dict()
    if not isinstance(item, Mapping):
        return
    if item and all(_is_entry(name, value) for name, value in item.items()):
        yield path, item
    elif len(path) < _DEPTH and not {"state", "param_groups"} <= set(item):  # an optimizer's
        for key, value in item.items():
            yield from _candidates(value, (*path, key))


def _is_entry(name: Any, value: Any) -> bool:
    return isinstance(name, str) and (isinstance(value, Tensor) or name.rpartition(".")[2] == "_extra_state")


def _place(path: tuple[Any, ...]) -> str:
    return "".join(f"[{key!r}]" for key in path)


def _listed(mapping: Any) -> str:
    keys = list(mapping) if isinstance(mapping, Mapping) else []
    return (_quoted(keys[:8]) + (f" and {len(keys) - 8} more" if len(keys) > 8 else "")) or "nothing"


def _quoted(names: Any) -> str:
    return ", ".join(repr(name) for name in names)
