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
_PUBLIC = ("minitorch2.ops", "minitorch2.nn", "minitorch2.optim", "minitorch2.creation", "minitorch2.random")
_CUPY_SAYS = ("stream is capturing", "stream was capturing", "during stream capture")
_CAPTURE_ERRORS = range(900, 910)  # cudaErrorStreamCapture...


def explained(error: BaseException) -> RuntimeError | None:
    """What to raise instead of `error`, raised while capturing; None for an error that has nothing to do with it."""
    if not isinstance(error, RuntimeError):  # NotImplementedError is one
        return None
    said = str(error)
    if getattr(error, "status", None) not in _CAPTURE_ERRORS and not any(words in said for words in _CUPY_SAYS):
        return None  # among others what was raised by somebody here who knew the operation
    frames = list(traceback.walk_tb(error.__traceback__))
    names = [frame.f_globals.get("__name__") or "" for frame, _ in frames]
    ours = [name.split(".")[0] in ("minitorch2", "minitorch2_kernels") for name in names]
    ours = [is_ours and not name.startswith("minitorch2.cuda") for is_ours, name in zip(ours, names, strict=True)]
    called = [i for i, is_ours in enumerate(ours) if is_ours and not (i and ours[i - 1])]
    what, where = "this", ""
    if called:
        entry = called[-1]  # what the program called, and not what that went on to call
        inside = [
            (name, frame.f_code.co_qualname)
            for name, (frame, _), is_ours in list(zip(names, frames, ours, strict=True))[entry:]
            if is_ours and "<locals>" not in frame.f_code.co_qualname  # no decorators
        ]
        first = inside[0][1] if inside else frames[entry][0].f_code.co_qualname
        what = _SPOKEN.get(first.split(".")[-1], f"`{first}`")
        # Of what that called the last one that has a name known outside.
        known = [q for name, q in inside if name.startswith(_PUBLIC) and not q.split(".")[-1].startswith("_")]
        if known and known[-1] != first:
            what += f" (in {known[-1]})"
        if entry:
            frame, line = frames[entry - 1]
            where = f", called at {frame.f_code.co_filename}:{line},"
    return RuntimeError(
        f"minitorch2: {what}{where} cannot be captured in a CUDA graph: {_reason(error)}. Do it before or after the "
        f"captured part. ({type(error).__name__}: {said})"
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, NotImplementedError):
        return "it uses a library of CuPy's that refuses to be captured"
    if getattr(error, "status", None) is not None:
        return "CUDA does not permit it while a stream is capturing"
    return "it waits for the GPU, or copies between host and GPU, and a graph holds work for the GPU alone"
