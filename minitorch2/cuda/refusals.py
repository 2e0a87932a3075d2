"""Errors of a capture that name the operation: CuPy only says that the current stream is capturing."""

from __future__ import annotations

import traceback

_SPOKEN = {
    "__bool__": "a tensor as a truth value (if, while, and, not)",
    "__repr__": "printing a tensor",
    "__str__": "printing a tensor",
    "__format__": "formatting a tensor",
    "__float__": "float(tensor)",
    "__int__": "int(tensor)",
    "__index__": "a tensor as an index or a size",
    "getitem": "indexing",
    "setitem": "assigning to an index",
    "__contains__": "`in` on a tensor",
    "__iter__": "iterating over a tensor",
}
_CAPTURE_ERRORS = range(900, 910)  # cudaErrorStreamCapture...


def explained(error: BaseException) -> RuntimeError | None:
    """What to raise instead of `error`, raised while capturing; None for an error that has nothing to do with it."""
    if not isinstance(error, RuntimeError):  # NotImplementedError is one
        return None
    status = getattr(error, "status", None)
    if status not in _CAPTURE_ERRORS and "captur" not in str(error):
        return None
    frames = list(traceback.walk_tb(error.__traceback__))
    names = [frame.f_globals.get("__name__") or "" for frame, _ in frames]
    ours = [name.split(".")[0] in ("minitorch2", "minitorch2_kernels") for name in names]
    if status is None and ours and ours[-1]:
        return None  # it was raised here, by somebody who knew the operation
    ours = [is_ours and not name.startswith("minitorch2.cuda") for is_ours, name in zip(ours, names, strict=True)]
    called = [i for i, is_ours in enumerate(ours) if is_ours and not (i and ours[i - 1])]
    what, where = "this", ""
    if called:
        entry = called[-1]  # what the program called, and not what that went on to call
        inside = [
            frame.f_code.co_qualname for (frame, _), is_ours in list(zip(frames, ours, strict=True))[entry:] if is_ours
        ]
        inside = [name for name in inside if "<locals>" not in name] or inside  # no decorators
        what = _SPOKEN.get(inside[0].split(".")[-1], f"`{inside[0]}`")
        if inside[-1] != inside[0]:
            what += f" (in {inside[-1]})"
        if entry:
            frame, line = frames[entry - 1]
            where = f", called at {frame.f_code.co_filename}:{line},"
    return RuntimeError(
        f"minitorch2: {what}{where} cannot be captured in a CUDA graph: {_reason(error)}. Do it before or after the "
        f"captured part. ({type(error).__name__}: {error})"
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, NotImplementedError):
        return "it uses a library of CuPy's that refuses to be captured"
    if getattr(error, "status", None) is not None:
        return "CUDA does not permit it while a stream is capturing"
    return "it waits for the GPU, or copies between host and GPU, and a graph holds work for the GPU alone"
