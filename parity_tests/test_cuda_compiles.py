"""Every .cu source compiles with NVRTC, as it will on a GPU, and keeps its values in registers.

No GPU is needed. Where the package nvidia-cuda-nvrtc is not installed this is skipped. NVRTC is stricter than nvcc and
than g++, which emulates: what those accept may fail only on the user's machine.
"""

import os
import re

import cuda_cases
import numpy as np
import nvrtc
import pytest

pytestmark = pytest.mark.skipif(nvrtc.library() is None, reason="pip install 'nvidia-cuda-nvrtc==13.0.*' to compile")

FOLDER = cuda_cases.SOURCES
FILES = sorted(path.name for path in FOLDER.glob("*.cu"))
# The macros that a source is compiled with besides those of its dtype, where it has any.
MACROS = {
    "class_loss.cu": [{"INDEX": "i64"}, {"INDEX": "int"}],
    "depthwise.cu": [{"TAPS": 3}, {"TAPS": 5}, {"TAPS": 7}],
    "indexing.cu": [{"ENTRY": "i64"}, {"ENTRY": "int"}],
    "joining.cu": [{"ARRAYS": 32, "BYTES": 1}, *({"ARRAYS": 512, "BYTES": n} for n in (2, 4, 8))],
    "optim.cu": [{"TENSORS": 64}, {"TENSORS": 512}],
    "pooling.cu": [{"WINNER": "int"}],
}
PROPERTIES = re.compile(r"Function properties for (\w+)\s+ptxas\s+\.\s+\d+ bytes stack frame, (\d+) bytes spill")
# The emulation compiles and runs all types; NVRTC's own ground is the assembly behind f16.
OTHERS = ["double", "f16", "bf16"] if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else ["f16"]
MAY_SPILL: dict[str, str] = {}  # kernel: why it is right to


def compiled(cupy, file, real, *options):
    """The log of each variant of the source with this type as REAL, which must compile."""
    from minitorch2_kernels.cuda import launch

    dtype = next(d for d in launch.REALS if f"-DREAL={real}" in launch.options(d))
    for macros in MACROS.get(file, [{}]):
        chosen = (*launch.options(dtype, **macros), "-ftz=true", *options)
        right, log = nvrtc.compiles(launch.source(file), chosen)
        assert right, f"{file} with {' '.join(chosen)}:\n{log}"
        yield log


@pytest.fixture(scope="module")
def cupy():
    with cuda_cases.cupy_or_standin() as module:
        yield module


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("file", FILES)
def test_float32_to_the_end(file, architecture, cupy):
    """To machine code; no kernel runs out of registers."""
    for log in compiled(cupy, file, "float", f"-arch={architecture}", "--ptxas-options=-v"):
        kernels = PROPERTIES.findall(log)
        assert kernels, f"no kernel in {file}:\n{log}"
        spilled = [f"{name}: {spill} bytes" for name, spill in kernels if int(spill) and name not in MAY_SPILL]
        assert not spilled, f"{file} for {architecture} spills registers to memory: {spilled}"


@pytest.mark.parametrize("real", OTHERS)
@pytest.mark.parametrize("file", FILES)
def test_other_types(file, real, cupy):
    """To PTX, which is what the source decides."""
    assert list(compiled(cupy, file, real, "-arch=compute_90"))


def test_an_error_names_its_line(cupy, monkeypatch, tmp_path):
    """A source that does not compile: the error has the log and the line that it is about."""
    from minitorch2_kernels.cuda import launch

    for path in FOLDER.glob("*.cuh"):
        (tmp_path / path.name).write_text(path.read_text())
    kernel = 'extern "C" __global__ void k(float* x) {\n    x[0] = nowhere;\n}\n'
    (tmp_path / "wrong.cu").write_text('#include "rows.cuh"\n\n' + kernel)
    monkeypatch.setattr(launch, "FOLDER", tmp_path)
    right, log = nvrtc.compiles(launch.source("wrong.cu"), (*launch.options(np.dtype("float32")), "-arch=compute_90"))
    assert not right and "wrong.cu(4)" in log
    assert launch._quoted(log) == "\nwrong.cu:4: x[0] = nowhere;"
