"""Puts the driver under CuPy."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from cuda_emulation.build import folder, run, version

SOURCE = Path(__file__).with_name("driver.c")
ENTRY = 12  # bytes of a jump to anywhere
PAGE = 4096
EVERYTHING_ALLOWED = 7  # PROT_READ | PROT_WRITE | PROT_EXEC


@functools.cache
def driver() -> ctypes.CDLL:
    """driver.c, compiled and loaded as libcuda.so.1: whoever opens that name afterwards gets it."""
    key = hashlib.sha256((SOURCE.read_text() + version()).encode()).hexdigest()[:32]
    path = folder() / f"driver-{key}.so"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            built = Path(scratch, "built.so")
            flags = ("-O1", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1")
            run([os.environ.get("CC", "cc"), *flags, "-o", str(built), str(SOURCE), "-ldl"], "")
            os.replace(built, path)
    return ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


class Crossings:
    """Whether memory was copied between host and device since the last `clear`."""

    def __init__(self):
        self._count = ctypes.c_long.in_dll(driver(), "crossings")

    def clear(self) -> None:
        self._count.value = 0

    def __bool__(self) -> bool:
        return self._count.value > 0


@functools.cache
def install() -> None:
    """RuntimeError where this machine cannot do it."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        raise RuntimeError("CuPy runs on the CPU on Linux and x86-64 alone")
    for tool in ("cc", "g++", "nm"):
        if shutil.which(tool) is None:
            raise RuntimeError(f"CuPy on the CPU needs {tool}, which compilers come with")
    os.environ["CUPY_ACCELERATORS"] = ""  # CUB's reductions are templates for a GPU; CuPy has its own beside them
    library = driver()
    from cuda import pathfinder

    loaded = SimpleNamespace(_handle_uint=library._handle, abs_path=None)
    load = pathfinder.load_nvidia_dynamic_lib
    pathfinder.load_nvidia_dynamic_lib = lambda name: loaded if name == "cudart" else load(name)
    import cupy_backends.cuda.api.runtime as runtime

    redirect(runtime.__file__, library)
    from . import compiling, libraries

    compiling.install()
    libraries.install(library)


def redirect(path: str, library) -> None:
    """Makes every function cudaX, compiled into the loaded extension module at `path`, a jump to runtime_X."""
    mapped = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    base = min(int(line[0].split("-")[0], 16) for line in mapped if line[-1] == path)
    symbols = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
    protect = ctypes.CDLL(None).mprotect
    for line in symbols.splitlines():
        offset, *_, name = line.split()
        ours = getattr(library, f"runtime_{name.removeprefix('cuda')}", None) if name.startswith("cuda") else None
        if ours is None:
            continue
        at = base + int(offset, 16)
        if protect(ctypes.c_void_p(at // PAGE * PAGE), 2 * PAGE, EVERYTHING_ALLOWED):
            raise RuntimeError("this machine does not let a program change its own code")
        target = ctypes.cast(ours, ctypes.c_void_p).value
        ctypes.memmove(at, b"\x48\xb8" + target.to_bytes(8, "little") + b"\xff\xe0", ENTRY)  # mov rax, target; jmp rax
