"""What every part of the reader says of a file it cannot believe."""

from __future__ import annotations

import pickle
from typing import NoReturn


def damaged(what: str, cause: BaseException | None = None) -> NoReturn:
    """Raises UnpicklingError: `what` is wrong in the file, and what to do about it."""
    raise pickle.UnpicklingError(
        f"Weights only load failed: {what}. The file is damaged or was not written by torch.save; "
        "copy or download it again, or have its author save a state_dict"
    ) from cause


def refused(what: str, instead: str) -> NoReturn:
    """Raises UnpicklingError: torch.save may have written `what`, but a file from anyone must not have it."""
    raise pickle.UnpicklingError(
        f"Weights only load failed: the file has {what}, by which a file could have us compute for hours, and which "
        f"minitorch2 does not read. Where the file is saved, {instead}"
    )


def broken_archive(what: str) -> NoReturn:
    """Raises RuntimeError: the zip archive around the data is not as it should be."""
    raise RuntimeError(
        f"minitorch2.load: this zip archive cannot be trusted: {what}. The file is damaged or was not "
        "written by torch.save; copy or download it again"
    )
