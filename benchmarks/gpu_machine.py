"""What the GPU programs of this folder share: is there a GPU, what is it, and how results are written."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).with_name("results")
NO_GPU = 2  # the exit status without one
PACKAGES = ("numpy", "cupy-cuda13x", "torch", "nvidia-cublas", "nvidia-cudnn-cu13", "nvidia-cudnn-frontend")


def why_no_gpu() -> str | None:
    """What is missing to compute on a GPU; None where nothing is. Makes no CUDA context."""
    try:
        import cupy
    except ImportError:
        return "there is no GPU to use: CuPy is not installed (pip install 'minitorch2[cuda]')"
    if not cupy.is_available():
        return "there is no GPU here: CuPy finds no CUDA driver or no device"
    return None


def need_gpu() -> None:
    """Ends the program with status 2 and the reason where there is no GPU."""
    reason = why_no_gpu()
    if reason:
        print(f"{reason}; nothing was measured", file=sys.stderr)
        raise SystemExit(NO_GPU)


def output_of(*command: str) -> str:
    """What a command prints; nothing where it is missing or fails."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def commit() -> str:
    """MINITORCH2_COMMIT where a copy without .git says it, else git's own answer."""
    named = os.environ.get("MINITORCH2_COMMIT")
    if named:
        return named
    head = output_of("git", "rev-parse", "HEAD")
    return head + ("+changes" if head and output_of("git", "status", "--porcelain") else "")


def version_of(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def device_facts() -> dict[str, Any]:
    """Name, memory and versions of the current GPU; {} without one."""
    if why_no_gpu():
        return {}
    import cupy

    runtime = cupy.cuda.runtime
    properties = runtime.getDeviceProperties(0)
    return {
        "name": properties["name"].decode(),
        "memory_gib": round(properties["totalGlobalMem"] / 2**30, 1),
        "multiprocessors": properties["multiProcessorCount"],
        "l2_mib": round(properties["l2CacheSize"] / 2**20, 1),
        "compute_capability": f"{properties['major']}.{properties['minor']}",
        "driver": output_of("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader") or "unknown",
        "driver_cuda": runtime.driverGetVersion(),
        "runtime_cuda": runtime.runtimeGetVersion(),
    }


def circumstances() -> dict[str, Any]:
    """What every figure depends on."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "device": device_facts(),
        "host": {"cores": os.cpu_count(), "system": f"{platform.system()} {platform.release()}"},
        "versions": {"python": platform.python_version(), **{name: version_of(name) for name in PACKAGES}},
    }


def introduce(about: dict[str, Any]) -> None:
    device, versions = about["device"], about["versions"]
    print(
        f"{device.get('name', 'no GPU: the CPU')}, driver {device.get('driver')}, "
        f"CUDA runtime {device.get('runtime_cuda')}; cupy {versions['cupy-cuda13x']}, torch {versions['torch']}, "
        f"numpy {versions['numpy']}, python {versions['python']}; minitorch2 at {about['commit'][:10] or 'no commit'}",
        flush=True,
    )


def write_json(path: str | Path, content: dict[str, Any]) -> Path:
    """Writes it whole or not at all, so that a program killed midway leaves what it had."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n")
    part.replace(path)
    return path


def environment() -> dict[str, str]:
    """Of a child process: it finds both packages, and this folder, without being installed."""
    roots = [str(ROOT), str(ROOT / "kernels"), str(Path(__file__).parent)]
    there = os.environ.get("PYTHONPATH")
    path = os.pathsep.join(roots + ([there] if there else []))
    return os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def end(process: subprocess.Popen) -> None:
    """Ends a process that was started with start_new_session=True, and what it started; asks first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=3)


def stop_on_sigterm() -> None:
    """A time limit around this program then ends the processes that it started, too."""

    def stop(number, frame):
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)


def find_program(name: str, *folders: str) -> str | None:
    """Where a program is: on the PATH, or in one of these folders."""
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))
