"""What the tests of minitorch2.utils.checkpoint share."""

import importlib

import pytest

MODES = [pytest.param(False, id="plain"), pytest.param(True, id="reentrant")]


def of(lib):
    """The library's torch.utils.checkpoint."""
    return importlib.import_module(f"{lib.__name__}.utils.checkpoint")


def block(lib, width=6):
    nn = lib.nn
    return nn.Sequential(
        nn.Linear(width, 8), nn.LayerNorm(8), nn.GELU(), nn.Dropout(0.4), nn.ReLU(inplace=True), nn.Linear(8, width)
    )
