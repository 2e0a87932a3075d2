"""Loops written in vectors, on a processor with wider ones, as one with vectors of 32 bytes compiles them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minitorch2_kernels.cpu import jit

HERE = Path(__file__).resolve().parent
AVX2 = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+avx,+fma,+sse4.2,+popcnt,+bmi,+bmi2"}


def test_vectors_of_32_bytes():
    if not jit.available:
        pytest.skip("numba is not installed")
    from minitorch2_kernels.cpu.tile import WIDE

    if not WIDE:
        pytest.skip("the other tests have done so")
    tests = [str(HERE / f"test_kernels_{name}.py") for name in ("dense", "sgemm")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", "convolutions or sgemm"]
    done = subprocess.run(command, cwd=HERE.parent, env=os.environ | AVX2, capture_output=True, text=True)
    assert done.returncode == 0 and "passed" in done.stdout, done.stdout[-3000:] + done.stderr[-1000:]
