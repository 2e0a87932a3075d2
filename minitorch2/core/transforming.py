"""Within a function that a transform of torch.func was given: what may not be done there."""

from __future__ import annotations

import contextlib

from .grad_mode import state


@contextlib.contextmanager
def transforming():
    """A block that runs such a function."""
    state.transforms += 1
    try:
        yield
    finally:
        state.transforms -= 1


def refuse_backward() -> None:
    raise RuntimeError(
        "backward() called inside a functorch transform. This is not supported, please use functorch.grad or "
        "functorch.vjp instead or call backward() outside of functorch transforms."
    )


def refuse_method(name: str, of_what_else: str = "") -> None:
    raise RuntimeError(
        f"You are attempting to call Tensor.{name}() {of_what_else}inside of a function being transformed by a "
        "functorch transform. This is unsupported, please attempt to use the functorch transforms (e.g. grad, vjp, "
        f"jacrev, jacfwd, hessian) or call {name}() outside of a function being transformed instead."
    )


def refuse_old_function() -> None:
    raise RuntimeError(
        "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, ...), it must "
        "override the setup_context staticmethod. For more details, please see "
        "https://pytorch.org/docs/main/notes/extending.func.html"
    )
