"""Writing downloaded files: all or nothing, and with errors that name the folder and the reason."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def explained(error: OSError, path: Path) -> OSError:
    """The same kind of OSError with a sentence on what could not be written and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason = f"no space left for {path.name} on the disk of {path.parent}; free some, or choose another root"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        reason = f"the folder {path.parent} is not writable ({error.strerror}); choose another root"
    else:
        reason = f"{path.name} could not be written in {path.parent} ({error.strerror or error})"
    return OSError(error.errno or errno.EIO, reason, str(path))


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explained(error, folder) from error


def write_atomic(path: Path, content: bytes) -> None:
    """Puts `content` at `path`; whoever looks, at whatever moment, finds the old file or the new one, whole.

    Raises OSError (of the system's errno, so PermissionError etc.) that names the folder and the reason.
    """
    temporary = None
    try:
        # Beside the target, because os.replace is atomic only within one file system.
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp made it private; a data folder is often shared
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise explained(error, path) from error
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
