"""Floating-point warnings off, cheaply: log(0) is -inf and 0/0 is nan in torch, without a word.

`np.errstate` costs 0.7 us, more than twice a small addition. What it does is set one context variable; setting that
variable to a value prepared once costs 0.1 us and, like errstate, leaves the user's own settings alone.
"""

from __future__ import annotations

import contextvars
import functools

import numpy as np


def _prepare():
    context = contextvars.copy_context()
    context.run(np.seterr, all="ignore")
    for variable, value in context.items():
        if variable.name == "numpy.ufunc.extobj":
            return variable, value
    raise ImportError(
        f"NumPy {np.__version__} keeps its floating-point error state where minitorch2 does not find it; "
        "NumPy 2.0 to 2.5 are known to work"
    )


VARIABLE, IGNORE = _prepare()
silence, restore = VARIABLE.set, VARIABLE.reset  # token = silence(IGNORE); ...; restore(token)


def quietly(function):
    """The function with warnings off while it runs."""

    @functools.wraps(function)
    def run(*args, **kwargs):
        token = silence(IGNORE)
        try:
            return function(*args, **kwargs)
        finally:
            restore(token)

    return run
