"""Writing a file so that a reader only ever finds the old one or the new one, whole.

The new content goes to a temporary file in the same folder, reaches the disk, and takes the name in one
step (rename(2) replaces atomically within a file system). Imports nothing of minitorch2.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a binary file for writing that becomes `path` when the block ends without an exception.

    Links are followed and an existing file's permissions are kept. If the block raises, or the process
    dies at any moment, `path` is what it was before (a killed process can leave a `.<name>.<random>.tmp`
    beside it). A path that is not a regular file (a pipe, /dev/null) is written directly: nothing can
    replace it.

    Raises: OSError, with the errno of the cause, if the folder is missing or not writable, or the disk
    is full; IsADirectoryError if `path` is a folder.
    """
    target = os.path.realpath(os.fspath(path))
    mode = _existing_mode(target)
    if mode is not None and stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "this is a folder; give the name of a file in it", target)
    if mode is not None and not stat.S_ISREG(mode):
        with open(target, "wb") as file:
            yield file
        return
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name[:100]}.{os.urandom(6).hex()}.tmp")
    file = _create_beside(target, temporary)
    try:
        with file:
            if mode is not None:
                os.chmod(temporary, stat.S_IMODE(mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename in (None, temporary):
            reason = f"{error.strerror or error}; what stood there before is intact, the new content was discarded"
            raise OSError(error.errno or 0, reason, target) from error
        raise
    _sync_folder(folder)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[str]:
    """As `atomic_write`, for writers that open files by name: yields the name they are to write, or to replace.

    Raises: also OSError (EINVAL) for a path that is not a regular file, which such a writer might replace.
    """
    mode = _existing_mode(os.path.realpath(os.fspath(path)))
    if mode is not None and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "this is no regular file, and nothing else can be written here", os.fspath(path))
    with atomic_write(path) as file:
        granted = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        yield file.name
        with open(file.name, "rb") as written:
            os.chmod(file.name, granted)
            os.fsync(written.fileno())


def _existing_mode(target: str) -> int | None:
    try:
        return os.stat(target).st_mode
    except FileNotFoundError:
        return None


def _create_beside(target: str, temporary: str) -> BinaryIO:
    try:
        return open(temporary, "xb")  # with the permissions that open(path, "wb") gives a new file
    except OSError as error:
        reason = (
            f"{error.strerror}: files are written beside their destination and then renamed, so its folder "
            "must exist and be writable; choose another folder or pass an open file object"
        )
        raise type(error)(error.errno, reason, target) from error


def _sync_folder(folder: str) -> None:
    """Makes the rename itself survive a power cut, where the system lets a folder be synchronised."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):  # some network file systems refuse; the file's content is safe by now
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
