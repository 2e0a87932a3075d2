"""Views whose history cannot be made anew: what torch says when one is written to, or read after its base was, while
gradients are recorded."""

from __future__ import annotations

from .saved_values import short

NO_GRAD, INFERENCE, SEVERAL, CUSTOM = range(4)  # how such a view was made


def refuse(view, by_another: bool = False) -> None:
    """RuntimeError for a view that is being written to, or whose memory was, by_another name."""
    node, how = view._grad_fn, view._unwritable
    made, within = ("inference", " in normal mode") if how == INFERENCE else ("no_grad", " with grad mode enabled")
    which = node and f"Output {view._output_nr} of {short(node.name())} is a view"
    if node is None:
        what = f"A view was created in {made} mode"
    elif how in (NO_GRAD, INFERENCE):
        what = f"{which} of a view which was created in {made} mode"
    else:
        what, within = which, ""
    written = "its base or another view of its base has been" if by_another else "is being"
    raise RuntimeError(f"{what} and {written} modified inplace{within}. {_WHY[how]}")


def _either_way(block: str) -> str:
    return (
        "Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving "
        f"both the view and the inplace either both inside the {block} block (if you don't want the inplace to be "
        "tracked) or both outside (if you want the inplace to be tracked)."
    )


_WHY = {
    NO_GRAD: _either_way("no_grad"),
    INFERENCE: _either_way("inference_mode"),
    SEVERAL: "This view is the output of a function that returns multiple views. Such functions do not allow the "
    "output views to be modified inplace. You should replace the inplace operation by an out-of-place one.",
    CUSTOM: "This view was created inside a custom Function (or because an input was returned as-is) and the autograd "
    "logic to handle view+inplace would override the custom backward associated with the custom Function, leading to "
    "incorrect gradients. This behavior is forbidden. You can fix this by cloning the output of the custom Function.",
}
