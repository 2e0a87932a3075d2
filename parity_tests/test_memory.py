"""Memory that was freed is used again without the system's help, and the switch that turns this off does so."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Page faults of twenty times eight arrays of 4 MiB, all freed after each time; the first two times come before.
FAULTS = """
import resource
import numpy as np
import minitorch2_kernels

def step():
    arrays = [np.ones(2**20, np.float32) for _ in range(8)]

for i in range(22):
    if i == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**settings):
    environment = {name: value for name, value in os.environ.items() if "MALLOC" not in name}
    environment |= {"PYTHONPATH": str(ROOT / "kernels"), **settings}
    result = subprocess.run([sys.executable, "-c", FAULTS], env=environment, capture_output=True, text=True, check=True)
    return int(result.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is set")
def test_freed_memory_stays():
    kept = faults()
    # 160 arrays of 1,024 pages; a few faults may come from anything else in the process
    assert kept < 2000
    assert faults(MINITORCH2_KEEP_MEMORY="0") > 20 * kept + 2000
    assert faults(MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072") > 20 * kept + 2000
