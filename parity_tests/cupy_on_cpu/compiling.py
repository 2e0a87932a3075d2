"""NVRTC's part: CUDA sources as shared libraries of the CPU, built once and kept in a temporary folder."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import tempfile
from pathlib import Path

from cuda_emulation import build

HERE = Path(__file__).parent
FLAGS = (*build.FLAGS, "-fpermissive", "-DEMULATED=1", "-D__CUDACC__=1", "-D__CUDACC_VER_MAJOR__=13")
OURS = '#line 1 "common.cuh"'  # how the text of a source of the project's begins
HEADERS = ("complex", "carray", "atomics")  # what every kernel that CuPy writes includes
_KERNEL = re.compile(r"__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\(")
_SHARED = re.compile(r"extern\s+__shared__\s+(?:__align__\(\d+\)\s+)?([\w ]+?)\s+(\w+)\[\];")
_WAITING = re.compile("|".join(build.WAITING))


def install() -> None:
    from cupy.cuda import compiler

    compiler._compile_using_nvrtc_no_warning = compiled
    compiler._kernel_cache_backend = _Forgetful()
    compiler._get_nvrtc_version = lambda: (13, 0)
    compiler._preprocess = lambda *args, **kwargs: ""


class _Forgetful:
    """No cache of CuPy's: a cubin kept there is of another compiler."""

    def load(self, name):
        return None

    def save(self, name, *rest):
        pass


def compiled(
    source, options=(), arch=None, filename="", names=None, log_stream=None, in_memory=False, jitify=False, method=None
):
    """As CuPy's compile_using_nvrtc: what the driver loads as a module, and the kernels' names by those asked for."""
    from cupy.cuda.compiler import CompileException

    try:
        path = build.library(source, tuple(options)) if source.startswith(OURS) else _library(source, options, names)
    except build.CompileException as error:
        raise CompileException(str(error), source, filename, options, "nvrtc") from None
    return str(path).encode() + b"\0", {name: f"named_{i}" for i, name in enumerate(names or ())}


def _library(source: str, options, names) -> Path:
    """The library of a source of CuPy's. names: instances of templates, which are given names of their own."""
    macros = tuple(option for option in options if option.startswith("-D"))
    header = _header()
    key = hashlib.sha256("\0".join((source, *macros, *(names or ()), str(header))).encode()).hexdigest()[:32]
    path = build.folder() / f"cupy-{key}.so"
    if path.exists():
        return path
    waits = str(_WAITING.search(source) is not None).lower()
    lines = [_SHARED.sub(r"\1* \2 = (\1*)emu::dynamic_shared;", source)]
    if names:
        lines += [f"static auto* named_{i} = &{name};\nEMU_EXPORT(named_{i}, {waits})" for i, name in enumerate(names)]
    else:
        lines += [f"EMU_EXPORT({name}, {waits})" for name in dict.fromkeys(_KERNEL.findall(source))]
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        built = Path(scratch, "built.so")
        command = [build.COMPILER, *FLAGS, *_includes(), "-include", str(header), *macros, "-x", "c++", "-"]
        build.run([*command, "-o", str(built)], "\n".join(lines))
        os.replace(built, path)
    return path


def _includes() -> tuple[str, ...]:
    import cupy

    return f"-I{HERE / 'include'}", f"-I{Path(cupy.__file__).parent / '_core' / 'include'}"


@functools.cache
def _header() -> Path:
    """cuda_emu.h and CuPy's own headers in one, precompiled: each of a thousand kernels takes half a second then."""
    import cupy

    texts = [f'#include "{build.HEADER}"', *(f"#include <cupy/{name}.cuh>" for name in HEADERS)]
    parts = [build.HEADER, *sorted((HERE / "include").rglob("*.*h"))]
    known = "\0".join((cupy.__version__, *texts, *(p.read_text() for p in parts), *FLAGS, build.version()))
    path = build.folder() / f"cupy-{hashlib.sha256(known.encode()).hexdigest()[:32]}.h"
    if not path.with_suffix(".h.gch").exists():
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            text, built = Path(scratch, "text.h"), Path(scratch, "built.gch")
            text.write_text("\n".join(texts))
            build.run([build.COMPILER, *FLAGS, *_includes(), "-x", "c++-header", str(text), "-o", str(built)], "")
            os.replace(text, path)
            os.replace(built, path.with_suffix(".h.gch"))
    return path
