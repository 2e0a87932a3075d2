"""That drawn arguments reach every override of a kernel: a fast path that nothing takes is dead code."""

import contextlib

from hypothesis import Phase, given, settings
from hypothesis import strategies as st


class _AllReached(Exception):
    """Nothing is left to look for."""


def assert_all_reached(overrides, draw, examples):
    """Each `supports` among these overrides says yes to some of what `draw`, called with hypothesis's own, gives; no
    more is drawn than it takes."""
    missing = dict(enumerate(overrides))
    if not missing:
        return

    @settings(max_examples=examples, phases=[Phase.generate])
    @given(data=st.data())
    def look(data):
        args = draw(data.draw)
        for i, supports in list(missing.items()):
            if supports(*args):
                del missing[i]
        if not missing:
            raise _AllReached

    with contextlib.suppress(_AllReached):
        look()
    assert not missing, f"never reached, of {len(overrides)}: {sorted(missing)}"
