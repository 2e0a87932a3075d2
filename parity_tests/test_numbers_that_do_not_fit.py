"""Numbers that a dtype cannot hold: refused where torch refuses them, in its words, and taken where it takes them."""

import pytest
import torch
from side_by_side import outcome

import minitorch2 as mt

NUMBERS = [-1e9, 1e39, 65504.0, 65520.0, 65536, 2**40, 300, -1, -300, float("nan"), float("inf"), 2**31]
DTYPES = ["float16", "bfloat16", "float32", "float64", "int8", "uint8", "int32", "int64", "bool"]


def same(action):
    """Both do the same; an error's text may go on where torch's ends."""
    ours, theirs = outcome(action, mt), outcome(action, torch)
    if isinstance(theirs, tuple) and isinstance(ours, tuple):
        assert ours[0] == theirs[0] and ours[1].startswith(theirs[1].splitlines()[0][:30]), (ours, theirs)
    else:
        assert repr(ours) == repr(theirs)  # NaN is not itself


def _set(x, place, number):
    x = x.clone()
    x[place] = number
    return x


OPS = {
    "masked_fill": lambda lib, x, m, n: x.masked_fill(m, n),
    "masked_fill by a tensor": lambda lib, x, m, n: x.masked_fill(m, lib.tensor(n)),
    "fill_": lambda lib, x, m, n: x.clone().fill_(n),
    "full": lambda lib, x, m, n: lib.full((2,), n, dtype=x.dtype),
    "full_like": lambda lib, x, m, n: lib.full_like(x, n),
    "clamp": lambda lib, x, m, n: (x.clamp(max=n), x.clamp(min=n)),
    "index_fill": lambda lib, x, m, n: x.index_fill(0, lib.tensor([0]), n),
    "scatter": lambda lib, x, m, n: x.scatter(0, lib.tensor([0]), n),
    "pad": lambda lib, x, m, n: lib.nn.functional.pad(x, (0, 1), value=n),
    "threshold": lambda lib, x, m, n: lib.nn.functional.threshold(x, 5, n),
    "where": lambda lib, x, m, n: lib.where(m, x, n),
    "an element": lambda lib, x, m, n: _set(x, 0, n),
    "where a mask says": lambda lib, x, m, n: _set(x, m, n),
    "alpha": lambda lib, x, m, n: lib.add(x, x, alpha=n),
    "pad_sequence": lambda lib, x, m, n: lib.nn.utils.rnn.pad_sequence([x, x[:1]], padding_value=n),
    "fill_diagonal_": lambda lib, x, m, n: lib.stack([x, x]).fill_diagonal_(n),
    "addmm": lambda lib, x, m, n: lib.addmm(x, lib.stack([x, x]), lib.stack([x, x]), beta=n),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", OPS)
def test_as_torch(op, dtype):
    for number in NUMBERS:
        if op == "addmm" and (dtype == "bool" or (dtype in ("float16", "bfloat16") and number != 1e39)):
            continue  # torch has no such product, and computes infinities, of which ours are rounded otherwise

        def run(lib, number=number):
            x, mask = lib.ones(2, dtype=getattr(lib, dtype)), lib.tensor([True, False])
            return OPS[op](lib, x, mask, number)

        same(run)


def test_exponents():
    for dtype, exponent in (("float16", 1e9), ("bfloat16", 1e39), ("int8", 300), ("int32", 2**40), ("float32", 1e39)):
        same(lambda lib, d=dtype, e=exponent: lib.ones(2, dtype=getattr(lib, d)) ** e)


def test_the_mask_of_an_attention_in_half_precision():
    """A number that is an infinity there is an error, not a row of NaN."""
    scores, mask = mt.ones(2, 2).half(), mt.tril(mt.ones(2, 2)) == 0
    with pytest.raises(RuntimeError, match="value cannot be converted to type c10::Half without overflow"):
        scores.masked_fill(mask, -1e9)
