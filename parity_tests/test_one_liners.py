"""Short programs, run under `import torch` and under `import minitorch2 as torch`: both must do the same.

Each line of the files in one_liners/ is a program (those in several_lines.txt are parted by ---) whose last expression
is compared: values, shapes, dtypes, requires_grad, plain Python values with their types, texts, and the type of the
error where there is one. This is the place for what a user types first and no property draws by itself: constructors,
unusual arguments, NumPy in the neighbourhood, wrong arguments. To add one, add a line.
"""

import ast
import copy
import math
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from side_by_side import OF_THE_CPU

import minitorch2 as mt
import minitorch2.linalg
import minitorch2.nn
import minitorch2.special

from .optable.comparing import assert_same
from .optable.spec import Rounding

FILES = sorted((Path(__file__).parent / "one_liners").glob("*.txt"))
SPECIFIED = torch.__version__.startswith("2.13")  # the version whose error types are the specification
ROUNDING = Rounding(64.0, 64.0, "these look for wrong results, not for the last bits, which the op table does")


def skip_of_the_cpu(file):
    """Skips a test with programs about what is missing, where PyTorch is built for CUDA."""
    if file.stem == "without_cuda" and not OF_THE_CPU:
        pytest.skip("PyTorch here is built for CUDA")


def programs(file):
    if file.stem == "several_lines":
        return programs_between_lines(file)
    return file.read_text(encoding="utf-8").strip("\n").split("\n")


def programs_between_lines(file):
    return file.read_text(encoding="utf-8").strip("\n").split("\n---\n")


def run(lib, program, filter="ignore"):
    """("value", what the last expression gave) or ("error", the exception). filter: for warnings."""
    lib.manual_seed(0)
    lib.set_default_dtype(lib.float32)
    names = {"torch": lib, "np": np, "math": math, "copy": copy, "pickle": pickle}
    body = ast.parse(program).body
    last = ast.Expression(body.pop().value) if isinstance(body[-1], ast.Expr) else None
    with warnings.catch_warnings():
        warnings.simplefilter(filter)
        try:
            exec(compile(ast.Module(body, []), "<program>", "exec"), names)
            return "value", eval(compile(last, "<program>", "eval"), names) if last else None
        except Exception as error:
            return "error", error
        finally:
            lib.set_default_dtype(lib.float32)
            lib.use_deterministic_algorithms(False)


def plain(x):
    """What can be compared: objects of the two libraries other than tensors by their text, arrays as tensors."""
    if isinstance(x, (mt.Tensor, torch.Tensor, int, float, complex, str, bytes, type(None))):
        return x
    if isinstance(x, np.ndarray):
        return [str(x.dtype), x.tolist()]
    if isinstance(x, dict):
        return [[str(key), plain(value)] for key, value in x.items()]
    if isinstance(x, (tuple, list)):
        return [type(x).__name__, *map(plain, x)]
    text = repr(x).replace("minitorch2", "torch")
    return type(x).__name__ if " at 0x" in text else text


def flags(x):
    if isinstance(x, (mt.Tensor, torch.Tensor)):
        return x.requires_grad
    return [flags(item) for item in x] if isinstance(x, (tuple, list)) else None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_programs_do_the_same_in_both(file):
    skip_of_the_cpu(file)
    different = []
    for program in programs(file):
        (kind, ours), (expected, theirs) = run(mt, program), run(torch, program)
        if kind != expected:
            different.append(f"{program}\n  torch: {theirs!r}\n  minitorch2: {ours!r}")
        elif kind == "error":
            if SPECIFIED and type(ours).__name__ != type(theirs).__name__:
                different.append(f"{program}\n  torch: {theirs!r}\n  minitorch2: {ours!r}")
        else:
            try:
                assert_same(plain(ours), plain(theirs), ROUNDING)
                assert flags(ours) == flags(theirs), f"requires_grad: {flags(theirs)} in torch, {flags(ours)} here"
            except AssertionError as error:
                different.append(f"{program}\n  {error}")
    assert not different, f"{len(different)} programs differ:\n" + "\n".join(different)
