"""Constants of the kernels under which small arrays are cut, shared and compiled for as large ones are."""

import sys

import pytest

from minitorch2_kernels import cpu
from minitorch2_kernels.cpu import shifted
from minitorch2_kernels.reference import arithmetic

_TINY = {  # of the modules of minitorch2_kernels.cpu
    "conv": {"BLOCK_BYTES": 1024, "_SMALL": 0},
    "shifted": {"BLOCK": 300, "MANY": 2, "FEWEST": 1, "WORTH_IT": 0, "DENSE": 0.0},
    "depthwise_shifts": {"BLOCK": 100, "LARGE": 1},
    "pooling": {"BLOCK_BYTES": 256, "WORTH_SHARING": 0},
    "optim": {"BLOCK_BYTES": 64, "WORTH_SHARING": 2},
    "indexing": {"_BLOCK": 8},
    "matmul": {"ALONE": 0, "WORTH_SHARING": 50},
    "norm": {"BLOCK_BYTES": 64, "LONG": 4, "WORTH_SHARING": 0},
    **{m: {"WORTH_SHARING": 1} for m in ("compiled_bags", "compiled_bias", "compiled_class_loss", "compiled_sampling")},
    "compiled_casts": {"LONG": 1, "MANY": 1},
    "compiled_division": {"WORTH_IT": 1, "WORTH_SHARING": 1},
    "compiled_glu": {"WORTH_IT": 1, "WORTH_SHARING": 1},
    "compiled_pooling": {"WORTH_SHARING": 1, "MANY": 0},
    "compiled_indexing": {"WORTH_SHARING": 1, "LONG": 1},
    "compiled_attention": {"WORTH_SHARING": 1},
    "compiled_dense": {"_WORTH_SHARING": 1},
    "compiled_places": {"_WORTH_SHARING": 1, "_MANY": 3, "_ENOUGH": 1},
    "compiled_formulas": {"WORTH_IT": 1, "WORTH_SHARING": 1, "WORTH_SHARING_EXPONENTIALS": 1},
    "compiled_norm": {"WORTH_SHARING": 1, "BLOCK_BYTES": 64},
    "compiled_optim": {"WORTH_SHARING": 2},
    "compiled_rows": {"WORTH_SHARING": 1, "FEWEST": 1},
    "compiled_patches": {"WORTH_SHARING": 1, "WIDE": 1},
    "compiled_products": {"WORTH_SHARING": 1, "ALONE": 1, "SMALLEST": 1, "LONG_ARRAY": 1, "is_wide": lambda n: n > 8},
    "compiled_rnn": {"FEWEST": 1, "WORTH_SHARING": 1},
    "rectifiers": {"BLOCK": 8, "WORTH_SHARING": 0},
    "attention": {"BLOCK_BYTES": 64, "WORTH_SHARING": 0},
    "gelu": {"BLOCK": 8, "WORTH_SHARING": 0},
    "layer_norm": {"BLOCK_BYTES": 64, "WORTH_SHARING": 0},
    "rnn": {"FEWEST": 1},
    "compiled_sorting": {"LONG": 1},
    "compiled_special": {"WORTH_IT": 1, "WORTH_SHARING": 1},
    **{
        m: {"LONG": 1}
        for m in (
            "compiled_arithmetic",
            "compiled_copying",
            "compiled_extremes",
            "compiled_sums",
            "gathered",
            "channels_last",
        )
    },
}


def tiny(patch: pytest.MonkeyPatch) -> None:
    """Sets them, in this process."""
    for module, constants in _TINY.items():
        for name, value in constants.items():
            patch.setattr(f"{cpu.__name__}.{module}.{name}", value)
    forget_plans()


def tiny_everywhere(patch: pytest.MonkeyPatch) -> None:
    """And has ops ask for the kernels of long arrays: for all but a number, which no long array is."""
    usual = arithmetic.LONG
    tiny(patch)
    for name, module in list(sys.modules.items()):
        if name.startswith("minitorch2") and getattr(module, "LONG", None) == usual:
            patch.setattr(module, "LONG", 2)


def forget_plans() -> None:
    """What was planned by other constants."""
    shifted._planned.cache_clear()
