"""Checkpoints: what part of a model saves for backward is dropped, and computed again when backward gets there.

    y = checkpoint(block, x, use_reentrant=False)

Memory then holds the inputs of the parts instead of everything inside them, for one more forward pass. Two ways:

- use_reentrant=False: the function runs as it would without. Its nodes enter the graph, and each is emptied as soon as
  the next one is recorded. The first of them that backward comes to has the function run once more; what the nodes
  of that run hold is handed to the first ones, in the order in which both were recorded.
- use_reentrant=True: the function runs without a graph and is one node. Its backward runs the function with a graph,
  and a backward pass of its own through that.

Both run the function again with the random numbers and under the autocast of the first time.

Source: torch's page "torch.utils.checkpoint"; Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016).
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from typing import Any

from ..amp import autocast, switches
from ..autograd import Function, backward
from ..core.grad_mode import enable_grad, state
from ..nn.modules.container import Sequential
from ..tensor import Tensor
from ._random_states import DefaultDeviceType, generators_of, get_device_states, set_device_states
from ._selective_checkpoint import CheckpointPolicy, SelectiveCheckpointContext, create_selective_checkpoint_contexts

__all__ = [
    "CheckpointError",
    "CheckpointFunction",
    "CheckpointPolicy",
    "DefaultDeviceType",
    "SelectiveCheckpointContext",
    "check_backward_validity",
    "checkpoint",
    "checkpoint_sequential",
    "create_selective_checkpoint_contexts",
    "detach_variable",
    "get_device_states",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
    "set_device_states",
]

# What the blocks around us of the functions set_checkpoint_... say, the innermost last.
_early_stop: list[bool] = []
_debug: list[bool | None] = []


class CheckpointError(RuntimeError):
    """The function saved other values the second time than the first."""


def noop_context_fn() -> tuple[AbstractContextManager, AbstractContextManager]:
    """Nothing around the first run, nothing around the second."""
    return nullcontext(), nullcontext()


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[AbstractContextManager, AbstractContextManager]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args, **kwargs), whose intermediate values are dropped and computed again during backward.

    Args:
        use_reentrant: which way, see above; False is the better one. True takes no kwargs, differentiates once, with
            backward() alone (not grad(), nor backward(inputs=...)), and needs an argument that requires a gradient.
            None warns and means True.
        preserve_rng_state: whether the second run draws the random numbers of the first (True); by keyword.
        context_fn: gives two context managers, one around each run.
        determinism_check: "default" compares shapes and dtypes of what the two runs save, "none" does not.
        early_stop: the second run ends as soon as everything is there.

    Raises:
        ValueError: for arguments that this way does not take.
        NotImplementedError: for debug=True; in a CUDA graph's capture with preserve_rng_state.
        CheckpointError, in backward: the two runs saved different values.
        RuntimeError, in backward: a tensor among args was changed in place meanwhile.
    """
    use_reentrant = _chosen(use_reentrant, "checkpoint")
    preserve_rng_state = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        _refuse_keywords(kwargs)
        if context_fn is not noop_context_fn or debug:
            raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        return CheckpointFunction.apply(function, preserve_rng_state, *args)
    if _debug and _debug[-1] is not None:
        debug = _debug[-1]
    if debug:
        raise NotImplementedError(
            "minitorch2: checkpoint(debug=True) is not supported; leave it out, and compare what the function computes "
            "in two calls."
        )
    if determinism_check not in ("default", "none"):
        raise ValueError(f"determinism_check should be one of ['default', 'none'], but got {determinism_check}")
    contexts = context_fn()
    if not state.grad:
        return function(*args, **kwargs)
    if _early_stop:
        early_stop = _early_stop[-1]
    call = _Call(function, args, kwargs, contexts[1], preserve_rng_state)
    region = _Region(call, determinism_check == "default", early_stop)
    if state.tape is not None:
        state.tape.add(region)
    with region.recording(), contexts[0]:
        return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """A Sequential, or a list of functions, applied to `input` in `segments` parts, all but the last checkpointed.

    The parts are of equal length but for the last, which has the rest. preserve_rng_state: as for :func:`checkpoint`.
    """
    use_reentrant = _chosen(use_reentrant, "checkpoint_sequential")
    preserve_rng_state = kwargs.pop("preserve_rng_state", True)
    _refuse_keywords(kwargs)
    functions = list(functions.children()) if isinstance(functions, Sequential) else functions
    length = len(functions) // segments
    starts = range(0, length * (segments - 1), length) if length else ()
    for start in starts:
        part = _in_turn(functions[start : start + length])
        input = checkpoint(part, input, use_reentrant=use_reentrant, preserve_rng_state=preserve_rng_state)
    return _in_turn(functions[length * len(starts) :])(input)


@contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """A block whose checkpoints (use_reentrant=False) end their second run early or not, whatever their own argument.

    Switching it off is for functions whose last steps matter although no gradient needs them.
    """
    _early_stop.append(enable)
    try:
        yield
    finally:
        _early_stop.pop()


@contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """A block whose checkpoints (use_reentrant=False) have this for their `debug`; with None, their own."""
    _debug.append(enabled)
    try:
        yield
    finally:
        _debug.pop()


_WITHOUT = {
    "checkpoint": "Starting in PyTorch 2.9, calling checkpoint without use_reentrant will raise an exception.",
    "checkpoint_sequential": "In version 2.9 we will raise an exception if use_reentrant is not passed.",
}


def _chosen(use_reentrant: bool | None, name: str) -> bool:
    if use_reentrant is not None:
        return use_reentrant
    warnings.warn(
        f"torch.utils.checkpoint{'' if name == 'checkpoint' else f'.{name}'}: the use_reentrant parameter should be "
        f"passed explicitly. {_WITHOUT[name]} use_reentrant=False is recommended, but if you need to preserve the "
        "current default behavior, you can pass use_reentrant=True. Refer to docs for more details on the differences "
        "between the two variants.",
        stacklevel=3,
    )
    return True


def _refuse_keywords(kwargs: dict[str, Any]) -> None:
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))


def _in_turn(functions: Any) -> Callable[[Any], Any]:
    def run(input: Any) -> Any:
        for function in functions:
            input = function(input)
        return input

    return run


class _Surroundings:
    """The random numbers and the autocast of now, to compute under once more."""

    def __init__(self, args: Any, preserve_rng_state: bool) -> None:
        generators = generators_of(args) if preserve_rng_state else []
        self._streams = [(generator, generator.get_state()) for generator in generators]
        self._autocast = [
            (device, switches.get_autocast_dtype(device), switches.is_autocast_enabled(device))
            for device in ("cpu", "cuda")
        ]
        self._cache_enabled = switches.is_autocast_cache_enabled()

    @contextmanager
    def restored(self) -> Iterator[None]:
        present = [generator.get_state() for generator, _ in self._streams]
        try:
            for generator, then in self._streams:
                generator.set_state(then)
            with ExitStack() as stack:
                for settings in self._autocast:
                    stack.enter_context(autocast(*settings, self._cache_enabled))
                yield
        finally:
            for (generator, _), now in zip(self._streams, present, strict=True):
                generator.set_state(now)


class _Call:
    """A function and its arguments, to be called once more."""

    def __init__(self, function: Any, args: tuple, kwargs: dict, context: Any, preserve_rng_state: bool) -> None:
        self._function, self._args, self._kwargs, self._context = function, args, kwargs, context
        self._versions = [(a, a._counter[0]) for a in args if isinstance(a, Tensor)]
        self._surroundings = _Surroundings((args, kwargs), preserve_rng_state)

    def again(self, recording: _Recording) -> None:
        for tensor, version in self._versions:
            if tensor._counter[0] != version:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an inplace operation: "
                    f"an argument of a checkpoint, [{tensor._named()}], is at version {tensor._counter[0]}; expected "
                    f"version {version} instead."
                )
        with self._surroundings.restored(), self._context, enable_grad(), _told(recording), suppress(_AllThere):
            self._function(*self._args, **self._kwargs)


@contextmanager
def _told(tape: Any) -> Iterator[None]:
    """A block whose nodes are reported to `tape`."""
    outer, state.tape = state.tape, tape
    try:
        yield
    finally:
        state.tape = outer


class _AllThere(Exception):
    """Ends a second run: the rest of the function has nothing more to give."""


class _Recording:
    """The nodes of a second run, in their order; they keep what they hold."""

    def __init__(self, wanted: int | None) -> None:
        self.items: list[Any] = []
        self._wanted = wanted

    def add(self, item: Any) -> None:
        if item.held():
            self.items.append(item)
            if len(self.items) == self._wanted:
                raise _AllThere


class _Region:
    """One checkpointed call, and the nodes that were recorded in it and emptied.

    The nodes own the region (by `recompute`), it knows them weakly. A region inside another is emptied like a node of
    that: what it holds is its call, arguments and all.
    """

    recompute: Any = None
    _call: _Call | None = None

    def __init__(self, call: _Call, checked: bool, early_stop: bool) -> None:
        self._call, self._checked, self._early_stop = call, checked, early_stop
        self._members: list[tuple[weakref.ref[Any], Any]] = []  # and what each must hold again
        self._latest: Any = None
        self._closed = False

    def held(self) -> dict[str, Any]:
        return {} if self._call is None else {"_call": self._call}

    def hold(self, held: dict[str, Any]) -> None:
        vars(self).update(held)

    def drop(self, held: dict[str, Any]) -> None:
        del self._call

    @contextmanager
    def recording(self) -> Iterator[None]:
        with _told(self):
            yield
        self._empty_latest()
        self._closed = True

    def add(self, item: Any) -> None:
        # Not the item itself but the one before: an in-place method may still mend what its node has just saved.
        self._empty_latest()
        if item.held():
            self._latest = item

    def _empty_latest(self) -> None:
        item, self._latest = self._latest, None
        if item is None:
            return
        held = item.held()
        self._members.append((weakref.ref(item), _looks(item, held)))
        item.drop(held)
        item.recompute = self._fill

    def _fill(self) -> None:
        """Runs the function again and gives every node what its twin holds."""
        if self.recompute is not None:
            self.recompute()
        assert self._call is not None, "a region's call comes back with the region around it"
        recording = _Recording(len(self._members) if self._early_stop else None)
        self._call.again(recording)
        self._check(recording.items)
        for (reference, _), twin in zip(self._members, recording.items, strict=False):
            item = reference()
            if item is not None and item.recompute is not None:
                item.hold(twin.held())
                item.recompute = None

    def _check(self, twins: list[Any]) -> None:
        n = len(self._members)
        # A backward pass inside the function comes before all of them are recorded.
        if len(twins) < n or (self._closed and len(twins) > n):
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward and "
                f"recomputation: by {n} operations then, by {len(twins)} now. The function must compute the same both "
                "times."
            )
        if not self._checked:
            return
        for i, ((_, then), twin) in enumerate(zip(self._members, twins, strict=False)):
            now = _looks(twin, twin.held())
            if now != then:
                raise CheckpointError(
                    "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than "
                    f"during the forward pass: operation {i} of those that save something was {_spoken(then)}, and is "
                    f"{_spoken(now)}"
                )


def _looks(item: Any, held: dict[str, Any]) -> tuple[str, list[tuple]]:
    """Which op it is, and shape and dtype of each array it holds."""
    values = [value for kept in held.values() if isinstance(kept, tuple) for value in kept]
    arrays = [getattr(value, "_data", value) for value in values]  # of a tensor
    return type(item).__name__, [(a.shape, a.dtype) for a in arrays if hasattr(a, "dtype")]


def _spoken(looks: tuple[str, list[tuple]]) -> str:
    name, arrays = looks
    return f"{name} with {', '.join(str(list(shape)) for shape, _ in arrays)}"


class CheckpointFunction(Function):
    """The node of use_reentrant=True: apply(function, preserve_rng_state, *args)."""

    @staticmethod
    def forward(ctx, run_function, preserve_rng_state, *args):
        check_backward_validity(args)
        ctx.run_function = run_function
        ctx.surroundings = _Surroundings(args, preserve_rng_state)
        ctx.is_tensor = [isinstance(a, Tensor) for a in args]
        ctx.others = [a for a in args if not isinstance(a, Tensor)]
        ctx.save_for_backward(*(a for a in args if isinstance(a, Tensor)))
        return run_function(*args)

    @staticmethod
    def backward(ctx, *grads):
        if state.selective:
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` "
                "parameter to .backward(). To resolve this error, you can either set use_reentrant=False, or call "
                ".backward() without passing the `inputs` argument."
            )
        tensors, others = iter(ctx.saved_tensors), iter(ctx.others)
        inputs = detach_variable(tuple(next(tensors) if is_tensor else next(others) for is_tensor in ctx.is_tensor))
        with ctx.surroundings.restored(), enable_grad():
            outputs = ctx.run_function(*inputs)
        outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
        roots = [(o, g) for o, g in zip(outputs, grads, strict=True) if isinstance(o, Tensor) and o.requires_grad]
        if not roots:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        backward([o for o, _ in roots], [g for _, g in roots])
        return None, None, *(x.grad if isinstance(x, Tensor) else None for x in inputs)


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The tensors of a tuple as leaves on the same memory, each requiring a gradient if it did; RuntimeError for no
    tuple."""
    if not isinstance(inputs, tuple):
        kind = type(inputs).__name__
        raise RuntimeError(f"Only tuple of tensors is supported. Got Unsupported input type: {kind}")
    return tuple(x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs)


def check_backward_validity(inputs: Any) -> None:
    """Warns where none of the tensors requires a gradient."""
    if not any(x.requires_grad for x in inputs if isinstance(x, Tensor)):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)
