"""torch.__config__: what this library computes with."""

from __future__ import annotations

import importlib.util
import platform

import numpy as np

from .settings import get_num_threads
from .version import __version__


def show() -> str:
    """In words: versions, and the libraries that products and kernels run in."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[index]
    lines = [
        f"minitorch2 {__version__}, which stands in PyTorch's place",
        f"Python {platform.python_version()}, NumPy {np.__version__}",
        f"products by {blas['name']} {blas['version']}",
        f"kernels compiled by numba: {'no' if importlib.util.find_spec('numba') is None else 'yes'}",
    ]
    return "\n  - ".join(lines) + "\n"


def parallel_info() -> str:
    """In words: how many threads kernels are shared among."""
    return f"get_num_threads() : {get_num_threads()}\n"
