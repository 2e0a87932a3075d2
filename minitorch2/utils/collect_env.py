"""torch.utils.collect_env: what a report of an error should tell about the machine. `python -m ...collect_env` prints
it."""

from __future__ import annotations

import importlib.metadata
import platform
import sys

from .. import cuda
from ..core.absent import absent
from ..version import __version__

__all__ = ["get_pretty_env_info", "main"]

_PACKAGES = ("numpy", "numba", "cupy-cuda12x", "nvidia-cudnn-cu12", "safetensors")
_WHY = "get_pretty_env_info tells the same as text"
globals().update(absent("utils.collect_env", _WHY, ("get_env_info", "pretty_str"), ("SystemEnv",)))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def get_pretty_env_info() -> str:
    """Versions of minitorch2, Python and packages, and the machine, in lines."""
    gpu = cuda.get_device_name() if cuda.is_available() else "none"
    lines = {
        "minitorch2 version": __version__,
        "Python version": sys.version.replace("\n", " "),
        "Python platform": platform.platform(),
        "CPU": platform.processor() or platform.machine(),
        "GPU": gpu,
    }
    lines |= {package: _version(package) for package in _PACKAGES}
    return "\n".join(f"{name}: {value}" for name, value in lines.items())


def main() -> None:
    """Prints it."""
    print(get_pretty_env_info())


if __name__ == "__main__":
    main()
