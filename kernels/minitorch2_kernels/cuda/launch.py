"""Compiling the .cu sources beside this file and launching what is in them.

A source is CUDA C++17 that NVRTC compiles without any header; `common.cuh` is put in front of it as text, and so is
another .cuh where the source includes it. Its kernels are written once for all dtypes: REAL is the type in memory, ACC
the type to compute in.

    | dtype    | REAL   | ACC    |
    | float32  | float  | float  |
    | float64  | double | double |
    | float16  | f16    | float  |  two-byte structs of common.cuh,
    | bfloat16 | bf16   | float  |  which convert to and from float

CuPy passes a Python int as 64 bits and a float as a double, whatever the kernel declares. So numbers travel as
`np.int32`, `np.int64` or `acc(dtype)`, and None is a null pointer.

CuPy compiles with -ftz=true: subnormal float32 results are zero.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import cupy
import numpy as np

from ..reference.cast import BFLOAT16

FOLDER = Path(__file__).parent
THREADS = 256  # in a block, where nothing speaks for another number
MAX_BLOCKS = 4096  # of a kernel whose threads go on to the next element: more than any GPU runs at once

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
FULL = frozenset((FLOAT32, FLOAT64))
_TYPES = {  # dtype -> REAL, ACC
    FLOAT32: ("float", "float"),
    FLOAT64: ("double", "double"),
    np.dtype(np.float16): ("f16", "float"),
    BFLOAT16: ("bf16", "float"),
}
REALS = frozenset(_TYPES)  # every dtype that REAL can be


def acc(dtype: np.dtype) -> type:
    """The type of a number that a kernel for `dtype` declares as ACC."""
    return np.float64 if dtype == FLOAT64 else np.float32


def source(file: str) -> str:
    """The text that is compiled for `file`: common.cuh, then the file with what it includes in place of the line that
    says so. Errors in it carry the lines of the files it is put together from."""
    return _with_lines("common.cuh") + _with_lines(file)


def _with_lines(file: str) -> str:
    lines = (FOLDER / file).read_text(encoding="utf-8").splitlines()
    text = [f'#line 1 "{file}"']
    for number, line in enumerate(lines, 1):
        included = re.fullmatch(r'#include "(\w+\.cuh)"', line)
        text += [line] if included is None else [_with_lines(included[1]), f'#line {number + 1} "{file}"']
    return "\n".join(text) + "\n"


def options(dtype: np.dtype | None, **defines: Any) -> tuple[str, ...]:
    """What the compiler is told: the language, the types, and one macro for each keyword."""
    macros = dict(defines)
    if dtype is not None:
        macros["REAL"], macros["ACC"] = _TYPES[dtype]
    return ("--std=c++17", *(f"-D{name}={value}" for name, value in sorted(macros.items())))


@functools.cache
def _module(file: str, chosen: tuple[str, ...]):
    return cupy.RawModule(code=source(file), options=chosen)


@functools.cache
def function(file: str, name: str, dtype: np.dtype | None = None, **defines: Any):
    """The kernel `name` of `file`, with REAL and ACC for `dtype` and the macros `defines`; compiled at the first call.

    RuntimeError, with the compiler's log and the line it complains of, where the source does not compile.
    """
    chosen = options(dtype, **defines)
    try:
        return _module(file, chosen).get_function(name)
    except cupy.cuda.compiler.CompileException as error:
        log = str(error)
        raise RuntimeError(
            f"minitorch2: {file} does not compile with {' '.join(chosen)}\n{log}{_quoted(log)}"
        ) from error


def _quoted(log: str) -> str:
    """The line of a source that the log's first error is about."""
    found = re.search(r"(\w+\.cuh?)[(:](\d+)\)?.*error", log)
    if found is None or not (FOLDER / found[1]).exists():
        return ""
    lines = (FOLDER / found[1]).read_text(encoding="utf-8").splitlines()
    number = int(found[2])
    return f"\n{found[1]}:{number}: {lines[number - 1].strip()}" if 0 < number <= len(lines) else ""


def launch(kernel, blocks: int | tuple[int, ...], threads: int | tuple[int, ...], args: tuple, shared: int = 0) -> None:
    """Runs `kernel`, got from `function`, on the current stream; `shared` bytes are DYN_SHARED's."""
    kernel(
        blocks if type(blocks) is tuple else (blocks,),
        threads if type(threads) is tuple else (threads,),
        args,
        shared_mem=shared,
    )


def by_value(struct: np.ndarray) -> np.ndarray:
    """A struct (an array of one) for a kernel to take by value, as mere bytes: of one with named fields, CuPy's launch
    asks for the names, which takes longer than the launch."""
    return struct.view(f"V{struct.nbytes}")


def spread(kernel, n: int, args: tuple, per_thread: int = 1) -> None:
    """`launch` of a kernel that goes through n elements in steps of the whole grid, `per_thread` in each step."""
    blocks = -(-n // (THREADS * per_thread))
    if blocks:
        launch(kernel, min(blocks, MAX_BLOCKS), THREADS, args)


def dense(*arrays) -> bool:
    """Whether all are CuPy arrays (or None) that lie in memory in C order, without gaps."""
    return all(a is None or (isinstance(a, cupy.ndarray) and a.flags.c_contiguous) for a in arrays)
