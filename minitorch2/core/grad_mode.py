"""no_grad, enable_grad, set_grad_enabled, inference_mode: per thread, as context managers and decorators."""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
import warnings
from typing import Any


class _State(threading.local):
    grad = True  # record the graph
    inference = False  # new tensors may never enter a graph
    transforms = 0  # how many transforms of torch.func are within the functions they were given
    backward = 0  # how many backward passes of this thread are under way, one inside the other
    mapped = 0  # how many vmaps are between two samples, which may share a graph: backward keeps it
    selective = False  # the innermost of them was asked for the gradients of certain tensors alone
    task: Any = None  # the innermost of them (engine.Task)
    running: Any = None  # the node whose backward is under way, where anomalies are looked for
    copies_saved: Any = None  # where nodes save copies, which later writes do not reach: says whether they may be used
    tape: Any = None  # told of each node that is recorded: the innermost checkpoint (utils.checkpoint)


state = _State()


class _Mode:
    """Sets grad (and inference) for a block; a thread may enter one object again and again."""

    def __init__(self):
        self._previous: list[tuple[bool, bool]] = []

    def _wanted(self) -> tuple[bool, bool]:
        raise AssertionError("a mode says what it wants")

    def __enter__(self):
        self._previous.append((state.grad, state.inference))
        state.grad, state.inference = self._wanted()

    def __exit__(self, *exc):
        state.grad, state.inference = self._previous.pop()

    def _within(self, function, /, *args, **kwargs):
        """function(*args, **kwargs) in this mode. What was before stands in no attribute: the mode of a function that
        it decorates is one for all threads."""
        before = state.grad, state.inference
        state.grad, state.inference = self._wanted()
        try:
            return function(*args, **kwargs)
        finally:
            state.grad, state.inference = before

    def __call__(self, function):
        if inspect.isclass(function):
            warnings.warn(
                "Decorating classes is deprecated and will be disabled in future versions. You should only decorate "
                "functions or methods. To preserve the current behavior of class decoration, you can directly decorate "
                "the `__init__` method and nothing else.",
                FutureWarning,
                stacklevel=2,
            )
        if inspect.isgeneratorfunction(function):
            return self._decorate_generator(function)

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            return self._within(function, *args, **kwargs)

        return wrapped

    def _decorate_generator(self, function):
        # The mode holds while the generator's body runs, never while its consumer does.
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            body = function(*args, **kwargs)
            resume, value = body.send, None
            try:
                while True:
                    try:
                        result = self._within(resume, value)
                    except StopIteration as stop:
                        return stop.value
                    try:
                        resume, value = body.send, (yield result)
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        resume, value = body.throw, error
            finally:
                self._within(body.close)

        return wrapped


class _BareDecorator(_Mode):
    """Also works without parentheses: `@no_grad`, as torch allows."""

    def __new__(cls, function=None) -> Any:  # a mode, or the function it decorates
        mode = super().__new__(cls)
        if function is None:
            return mode
        mode.__init__()
        return mode(function)

    def __init__(self, function=None):
        super().__init__()


class no_grad(_BareDecorator):
    """Nothing inside is recorded: results have requires_grad=False."""

    def _wanted(self):
        return False, state.inference


class enable_grad(_BareDecorator):
    """Records again inside a no_grad block."""

    def _wanted(self):
        return True, state.inference


class set_grad_enabled(_Mode):
    """Switches recording by a bool; as a function call it takes effect at once, as torch's does."""

    def __init__(self, mode: bool):
        super().__init__()
        self.mode = bool(mode)
        self._outer = state.grad
        state.grad = self.mode

    def _wanted(self):
        return self.mode, state.inference

    def __enter__(self):
        super().__enter__()
        self._previous[-1] = (self._outer, state.inference)

    def __call__(self, function):
        state.grad = self._outer  # used as a decorator: the switch at construction is taken back
        return super().__call__(function)


class set_multithreading_enabled(contextlib.ContextDecorator):
    """Whether several threads may compute gradients: here the one that calls backward does, either way."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode

    def __enter__(self) -> None: ...

    def __exit__(self, *exc) -> None: ...


class inference_mode(_Mode):
    """no_grad, and the tensors made inside may never be recorded later either."""

    def __new__(cls, mode=True):
        instance = super().__new__(cls)
        if callable(mode):
            instance.__init__(True)
            return instance(mode)
        return instance

    def __init__(self, mode: bool = True):
        super().__init__()
        self.mode = bool(mode)

    def _wanted(self):
        return (False, True) if self.mode else (True, False)


def is_grad_enabled() -> bool:
    return state.grad


def is_inference_mode_enabled() -> bool:
    return state.inference
