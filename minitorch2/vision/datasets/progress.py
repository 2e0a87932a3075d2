"""How far a download is: tqdm's bar where tqdm is installed, else a line at the start and one at the end."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Callable[[int], object]]:
    """Yields a function to call with the number of bytes that arrived; `total` is None where not known."""
    try:
        from tqdm import tqdm
    except ImportError:
        tqdm = None
    if tqdm is not None and total is not None:
        with tqdm(desc=title, total=total, unit="B", unit_scale=True) as bar:
            yield bar.update
        return
    received = 0

    def advance(count: int) -> None:
        nonlocal received
        received += count

    print(f"{title} ...", file=sys.stderr, flush=True)
    yield advance
    print(f"{title}: {f'{received} bytes' if received else 'done'}", file=sys.stderr, flush=True)
