"""A .cu source as a shared library of the CPU, built once for each text and kept in a temporary folder."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

HEADER = Path(__file__).with_name("cuda_emu.h")
COMPILER = os.environ.get("CXX", "g++")
FLAGS = ("-std=c++17", "-O1", "-shared", "-fPIC", "-fno-strict-aliasing", "-ffp-contract=off", "-w")
SANITIZER = (
    *("-O1", "-g", "-fno-omit-frame-pointer", "-DEMU_UCONTEXT"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
)

# What makes threads wait for each other; a kernel that comes by one of these needs fibers.
WAITING = {
    *("__syncthreads", "__syncwarp", "__shfl_sync", "__shfl_xor_sync", "__shfl_down_sync", "__shfl_up_sync"),
    *("__ballot_sync", "__any_sync", "__all_sync"),
}
_KEYWORDS = {"if", "for", "while", "switch", "catch", "sizeof", "alignas", "decltype", "return", "asm"}
_KERNEL = re.compile(r'extern\s+"C"\s+__global__\s+void\s+(\w+)\s*\(')
_DEFINITION = re.compile(r"\b(\w+)\s*\([^;{}]*\)\s*(?:const\s*)?\{")


class CompileException(Exception):
    """As cupy.cuda.compiler.CompileException: str() of it is the compiler's log."""


def available() -> bool:
    """Whether this machine has a C++ compiler."""
    return shutil.which(COMPILER) is not None


def sanitizing() -> bool:
    """MINITORCH2_EMULATION_SANITIZE=1: with the address and undefined-behaviour sanitizers (their libraries must be
    preloaded into Python)."""
    return os.environ.get("MINITORCH2_EMULATION_SANITIZE", "") == "1"


def library(code: str, options: tuple[str, ...] = ()) -> Path:
    """The shared library of `code`. Options that are no macros (-D) are for another compiler and left out.

    CompileException with the compiler's log where it does not compile.
    """
    macros = tuple(option for option in options if option.startswith("-D"))
    flags = FLAGS + (SANITIZER if sanitizing() else ())
    key = "\0".join((code, HEADER.read_text(), Path(__file__).read_text(), *macros, *flags, version()))
    path = folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.so"
    if not path.exists():
        text = f'#define EMULATED 1\n#include "{HEADER}"\n{code}\n{exports(code, macros)}'
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            built = Path(scratch, "built.so")
            run([COMPILER, *flags, *macros, "-x", "c++", "-", "-o", str(built)], text)
            os.replace(built, path)  # at once: another process may be building the same
    return path


def kernels(code: str, macros: tuple[str, ...] = ()) -> dict[str, bool]:
    """The name of each kernel -> whether its threads wait for each other, itself or in a function that it calls."""
    text = run([COMPILER, "-E", "-P", "-DEMULATED", "-D__launch_bounds__(...)=", *macros, "-x", "c++", "-"], code)
    bodies = [(match[1], _body(text, match.end() - 1)) for match in _DEFINITION.finditer(text)]
    bodies = [(name, set(re.findall(r"\w+", body))) for name, body in bodies if name not in _KEYWORDS]
    waiting = set(WAITING)
    while more := {name for name, words in bodies if name not in waiting and not words.isdisjoint(waiting)}:
        waiting |= more
    return {name: name in waiting for name in _KERNEL.findall(text)}


def exports(code: str, macros: tuple[str, ...]) -> str:
    return "".join(f"EMU_EXPORT({name}, {str(waits).lower()})\n" for name, waits in kernels(code, macros).items())


def _body(text: str, start: int) -> str:
    """From the brace at `start` to the one that closes it."""
    depth = 0
    for brace in re.finditer(r"[{}]", text[start:]):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            return text[start : start + brace.end()]
    return text[start:]


def run(command: list[str], text: str) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        raise CompileException(done.stderr)
    return done.stdout


@functools.cache
def version() -> str:
    return run([COMPILER, "--version"], "").splitlines()[0]


@functools.cache
def folder() -> Path:
    folder = Path(tempfile.gettempdir(), f"minitorch2-emulation-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise RuntimeError(f"{folder} belongs to someone else; libraries are loaded from there")
    return folder
