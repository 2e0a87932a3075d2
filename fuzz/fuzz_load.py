"""Coverage-guided fuzzing of minitorch2.load: whatever the bytes, plain data or an error a person can act on.

    python fuzz/fuzz_load.py TARGET [libFuzzer's options] [folders of files to begin with]

TARGET says what the bytes are: an `archive` (a whole file of torch.save, in the zip format or the one before it),
the `pickle` in an archive that is otherwise in order (its checksums right, so that the fuzzer gets past them), a
`safetensors` or an `npz` file. README.md shows a session. Nothing here needs torch; fuzzing needs atheris.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ALLOWED = (pickle.UnpicklingError, RuntimeError, ValueError, EOFError)
FLOATS = np.arange(16, dtype=np.float32).tobytes()  # what the pickles of the corpus call storage "0"


def check_archive(data: bytes) -> bool:
    """With and without a look at the checksums; True if it loaded."""
    return _allowed(io.BytesIO(data)) | _allowed(io.BytesIO(data), verify=False)


def check_pickle(data: bytes) -> bool:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/data/0", FLOATS)
    file.seek(0)
    return _allowed(file)


def check_safetensors(data: bytes) -> bool:
    return _check_file(data, ".safetensors")


def check_npz(data: bytes) -> bool:
    return _check_file(data, ".npz")


def _check_file(data: bytes, suffix: str) -> bool:
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(data)
        file.flush()
        return _allowed(file.name) | _allowed(file.name, mmap=True)


def _allowed(file, **options) -> bool:
    """Whether it loads; anything but plain data or an allowed error with a sentence in it escapes."""
    from minitorch2.serialization import load
    from minitorch2.serialization.plain import check_plain

    try:
        result = load(file, **options)
    except ALLOWED as error:
        if len(str(error)) < 20:
            raise AssertionError(f"not a sentence: {error!r}") from error
        return False
    check_plain(result)
    return True


TARGETS: dict[str, Callable[[bytes], bool]] = {
    "archive": check_archive,
    "pickle": check_pickle,
    "safetensors": check_safetensors,
    "npz": check_npz,
}


def main(argv: list[str]) -> None:
    if len(argv) < 2 or argv[1] not in TARGETS:
        raise SystemExit(f"{__doc__}\nTARGET is one of {', '.join(TARGETS)}")
    try:
        import atheris
    except ImportError as error:
        raise SystemExit("fuzzing needs atheris: pip install atheris") from error
    target = argv[1]
    with atheris.instrument_imports(include=["minitorch2.serialization"]):
        importlib.import_module("minitorch2.serialization")
    # Twenty seconds and 200 MB over the interpreter's own are what a reader may take for files this small.
    limits = ["-timeout=20", "-rss_limit_mb=600", "-max_len=65536", f"-dict={HERE / 'names.dict'}"]
    atheris.Setup([argv[0], *limits, *argv[2:]], lambda data: TARGETS[target](data) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
