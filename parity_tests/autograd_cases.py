"""What the tests of the engine share: a leaf, and a mistake that both libraries must refuse."""

import pytest
import torch

import minitorch2 as mt


def leaf(lib, *values, **options):
    return lib.tensor(list(values) or [1.0, 2.0, 3.0], dtype=lib.float64, requires_grad=True, **options)


def same_error(run, *phrases):
    """The type is torch's; so are these phrases of the text, whose other words change from one torch to the next."""
    ours, theirs = (raised(run, lib) for lib in (mt, torch))
    assert ours[0] == theirs[0], (ours, theirs)
    for phrase in phrases:
        assert phrase in ours[1] and phrase in theirs[1], (ours[1], theirs[1])
    return ours[0]


def raised(run, lib):
    with pytest.raises(Exception) as caught:
        run(lib)
    return caught.type.__name__, str(caught.value)
