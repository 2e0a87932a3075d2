"""A report as text for people, and as JSON for programs."""

from __future__ import annotations

import json
import math
from typing import Any

from ..serialization.foreign import spell
from .gather import Report
from .stats import Stats
from .text import count, escaped, human, table
from .walk import Row

_FIRST, _LAST = 40, 10  # lines shown of a long part, without --all
_NAME = 80  # characters
_CALL = 400


def as_text(report: Report, everything: bool) -> str:
    """What is in the file, and what it asks for."""
    lines = [f"{escaped(report.path)}: {report.format}, {human(report.nbytes)}"]
    lines += [f"saved from {escaped(', '.join(report.locations), 200)}"] if _elsewhere(report) else []
    rows = report.listing.rows
    if rows:
        lines += ["", *_limited(_rows(rows, report.listing.with_stats), everything, "tensor", header=1)]
    if report.listing.others:
        cells = [(escaped(name, _NAME) or "(the whole)", escaped(text, 200)) for name, text in report.listing.others]
        lines += ["", "other content", *_limited(table(_indented(cells)), everything, "line")]
    if report.metadata:
        cells = [(escaped(key, _NAME), escaped(text, 200)) for key, text in sorted(report.metadata.items())]
        lines += ["", "metadata", *_limited(table(_indented(cells)), everything, "line")]
    if report.members:
        cells = [(escaped(name, _NAME), human(nbytes)) for name, nbytes in report.members]
        lines += ["", *_limited(table(_indented(cells), right=(1,)), everything, "file")]
    return "\n".join([*lines, "", *_totals(report), *_verdict(report, everything)])


def _rows(rows: list[Row], with_stats: bool) -> list[str]:
    head = ["tensor", "dtype", "shape", "size"]
    if with_stats:
        head += ["min", "max", "mean", "nan"]
    cells = [[*head, ""]]
    for row in rows:
        line = [escaped(row.name, _NAME) or "(the whole)", escaped(row.dtype, 30), str(row.shape), human(row.nbytes)]
        if with_stats:
            line += _stats(row.stats)
        remarks = [f"in {escaped(row.file, _NAME)}"] if row.file else []
        remarks += [f"shares memory with {escaped(row.shares_with, _NAME)}"] if row.shares_with else []
        if row.stats and row.stats.inf:
            remarks.append(f"{row.stats.inf:,} infinite")
        cells.append([*line, ", ".join(remarks)])
    return table(cells, right=tuple(range(3, 3 + len(head) - 3)))


def _stats(stats: Stats | None) -> list[str]:
    if stats is None:
        return ["?", "?", "?", "?"]
    return [_number(stats.min), _number(stats.max), _number(stats.mean), f"{stats.nan:,}"]


def _number(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _limited(lines: list[str], everything: bool, what: str, header: int = 0) -> list[str]:
    left = len(lines) - header - _FIRST - _LAST
    if everything or left <= 0:
        return lines
    middle = f"... {count(left, f'more {what}')} (--all shows every one) ..."
    return [*lines[: header + _FIRST], middle, *lines[-_LAST:]]


def _indented(cells: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(f"  {name}", text) for name, text in cells]


def _elsewhere(report: Report) -> bool:
    return any(location != "cpu" for location in report.locations)


def _totals(report: Report) -> list[str]:
    if report.members:
        return []
    totals = totals_of(report)
    line = f"{count(totals['tensors'], 'tensor')}, {count(totals['elements'], 'element')}"
    if totals["storages"]:
        line += f"; {human(totals['bytes'])} of memory in {count(totals['storages'], 'storage')}"
    lines = [line + f"; {human(report.nbytes)} on disk"]
    if report.listing.cut:
        lines.append("There is more than can be listed; these are only the first.")
    if report.checksums != "none":
        hint = "" if report.checksums == "checked" else " (--verify reads the file and checks them)"
        lines.append(f"The tensors' checksums were {'' if not hint else 'not '}checked{hint}.")
    elif report.kind in ("legacy", "safetensors", "index", "npy"):
        lines.append("The format has no checksums: damage to the tensors' bytes would go unnoticed.")
    return lines


def totals_of(report: Report) -> dict[str, int]:
    """Tensors; their elements; storages, each counted once, and their bytes."""
    rows = report.listing.rows
    storages = {row.storage: row.storage_bytes for row in rows if row.storage is not None}
    return {
        "tensors": len(rows),
        "elements": sum(math.prod(row.shape) for row in rows),
        "storages": len(storages),
        "bytes": sum(storages.values()),
    }


def _verdict(report: Report, everything: bool) -> list[str]:
    if report.members:
        return ["It holds a program beside its tensors, which torch would load as well; minitorch2.load refuses it."]
    findings, lines = report.findings, []
    calls = [call for call in findings.runs_code if call.how == "call"]
    if calls:
        loader = "np.load(allow_pickle=True)" if report.kind in ("npz", "npy") else "pickle.load"
        lines.append(f"This file asks to run code when unpickled by {loader}:")
        lines += _limited([f"  {escaped(spell(call, _CALL))}" for call in calls], everything, "call")
    built = classes_of(report)
    if built:
        lines.append("It asks to build objects of classes, whose code pickle.load would import and run:")
        lines += _limited([f"  {escaped(path, 200)}{times(n)}" for path, n in built.items()], everything, "class")
    named = other_names_of(report)
    if named:
        lines.append("It names what minitorch2.load does not build:")
        lines += _limited([f"  {escaped(path, 200)}" for path in named], everything, "name")
    if findings.opcodes:
        used = ", ".join(f"{opcode}{times(n)}" for opcode, n in findings.opcodes.items())
        lines.append(f"It uses pickle opcodes that no checkpoint has: {used}.")
    if not findings.runs_code and report.kind in ("torch", "legacy", "pickle"):
        lines.append("Unpickling it runs no code that the file chooses.")
    if report.error is not None:
        return [*lines, "The file is damaged further on; up to there it asks for this."]
    if report.loads:
        return [
            *lines,
            "minitorch2.load reads it" + (", if its checksums are right." if report.checksums == "unchecked" else "."),
        ]
    if report.kind == "pickle":
        return [*lines, "minitorch2.load reads no plain pickles; save it with torch.save or minitorch2.save."]
    unknown = any(foreign.reason is None for foreign in findings.names.values())
    way_out = "; serialization.safe_globals lets it build classes you trust" if unknown and not calls else ""
    return [*lines, f"minitorch2.load refuses it{way_out}."]


def classes_of(report: Report) -> dict[str, int]:
    """{class that runs code: how many objects of it the file asks for}."""
    built: dict[str, int] = {}
    for call in report.findings.runs_code:
        if call.how == "build":
            built[call.path] = built.get(call.path, 0) + 1
    return built


def other_names_of(report: Report) -> list[str]:
    """The names a file uses, unknown here, of which it asks nothing that would run code."""
    called = {call.path for call in report.findings.runs_code}
    return [path for path in report.findings.names if path.removeprefix("builtins.") not in called]


def times(n: int) -> str:
    return f" ({n:,} times)" if n > 1 else ""


def as_json(report: Report) -> str:
    """The whole report; numbers JSON does not have are strings ("nan", "inf")."""
    findings = report.findings
    return json.dumps(
        {
            "file": report.path,
            "format": report.kind,
            "bytes": report.nbytes,
            "tensors": [_row(row, report.listing.with_stats) for row in report.listing.rows],
            "other": [{"name": name, "value": text} for name, text in report.listing.others],
            "metadata": report.metadata,
            "members": [{"name": name, "bytes": nbytes} for name, nbytes in report.members],
            "locations": report.locations,
            "totals": totals_of(report),
            "complete": not report.listing.cut and report.error is None,
            "checksums": report.checksums,
            "runs_code": [spell(call, _CALL) for call in findings.runs_code if call.how == "call"],
            "builds_classes": classes_of(report),
            "other_names": other_names_of(report),
            "unusual_opcodes": findings.opcodes,
            "loads": report.loads,
            "error": None if report.error is None else str(report.error),
        },
        indent=1,
    )


def _row(row: Row, with_stats: bool) -> dict[str, Any]:
    result: dict[str, Any] = {"name": row.name, "dtype": row.dtype, "shape": row.shape, "bytes": row.nbytes}
    result["shares_memory_with"] = row.shares_with
    if row.file is not None:
        result["file"] = row.file
    if with_stats:
        stats = row.stats and {name: _finite(value) for name, value in vars(row.stats).items()}
        result["stats"] = stats
    return result


def _finite(value: Any) -> Any:
    return value if value is None or isinstance(value, int) or math.isfinite(value) else str(value)
