"""Loaded by gpu_check.py into the tests that run under compute-sanitizer: `pytest -p gpu_pytest_plugin`.

CuPy's pool hands out parts of large blocks, inside of which compute-sanitizer sees no overrun; without it every array
is an allocation of its own. A kernel runs many times slower there, so few examples are drawn.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "sanitizer",
    max_examples=2,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def pytest_collection_finish(session) -> None:
    """After the tests were imported, and before the first of them runs."""
    import cupy

    cupy.cuda.set_allocator(None)
