"""How NumPy is to go through arrays whose rows do not touch."""

from __future__ import annotations

import contextlib

import numpy as np


@contextlib.contextmanager
def unbuffered():
    """In this block NumPy computes on rows where they lie. Also a decorator.

    NumPy 2.3 and later gathers rows of up to 2048 numbers in a buffer, several at a time, computes there and copies
    back: 15 us in place of 7 for 32 rows of 624 float32. Only very short rows are better off so. Into the smallest
    buffer that can be set nothing is gathered; the size belongs to the thread's context, and errstate() puts it back.
    """
    with np.errstate():
        np.setbufsize(16)
        yield
