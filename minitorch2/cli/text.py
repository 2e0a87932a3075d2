"""Words for the terminal: nothing from a file reaches it that could move its cursor or change its colours."""

from __future__ import annotations

from collections.abc import Sequence

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\x1b"}


def escaped(text: str, limit: int = 0) -> str:
    """`text` with every character that is not printed as itself spelled out (\\x1b, \\u202e); at most `limit` long."""
    if limit and len(text) > limit:
        text = text[: limit - 3] + "..."
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _SHORT.get(c) or _number(ord(c)) for c in text)


def _number(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def human(nbytes: float) -> str:
    """1536 -> "1.5 kB", in units of 1000."""
    units = ["TB", "GB", "MB", "kB", "B"]
    while nbytes >= 999.5 and len(units) > 1:
        nbytes /= 1000
        units.pop()
    return f"{nbytes:.0f} {units[-1]}" if units[-1] == "B" or nbytes >= 99.5 else f"{nbytes:.1f} {units[-1]}"


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Lines with the columns of `rows` under one another; the columns whose numbers are in `right` end flush."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def count(number: int, what: str) -> str:
    """1 -> "1 tensor", 2000 -> "2,000 tensors"."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def error_line(error: BaseException) -> str:
    """One line for stderr."""
    message = str(error) or type(error).__name__
    for prefix in ("minitorch2: ", "minitorch2.load: "):
        message = message.removeprefix(prefix)
    return f"minitorch2: {escaped(message)}"
