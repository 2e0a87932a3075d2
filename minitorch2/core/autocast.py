"""Autocast: in which dtype an op computes while a region of torch.autocast is open, and how its arguments get there.

A region belongs to a thread and to a type of device. Inside it, ops on torch's lists first cast their floating
arguments (all but float64): to the region's lower dtype, to float32, or to the widest among them. What else is called
runs as ever, and what a listed op calls runs as if there were no region. There are two places where that happens:
`listed`, which the modules of functions end with, and `Function.apply` for the ops that a GPU alone has on its lists,
so that these cost the CPU nothing. Source: torch's page "Automatic Mixed Precision package", Autocast Op Reference.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from typing import Any

from minitorch2_kernels.dispatch import on_device

from . import dtypes
from .autocast_lists import FUNCTIONS, GPU_OPS

Variable: Any = None  # the class to recognise a tensor by; its module puts it here
WRAPPERS = {__file__}  # files with functions that only stand around others
regions = 0  # how many regions are open, in all threads together: what the ops look at first


class _State(threading.local):
    """What one thread has switched on, and its casts of float32 parameters, kept until its last region is left."""

    cpu = cuda = False
    cache_enabled = True
    nesting = 0

    def __init__(self):
        self.lower = {"cpu": dtypes.bfloat16, "cuda": dtypes.float16}
        self.casts: dict[tuple[int, bool], tuple[Any, Any]] = {}


state = _State()
_lock = threading.Lock()


def enable(device: str, enabled: bool) -> None:
    """Opens or closes this thread's region for a type of device: "cpu" or "cuda"."""
    global regions
    if getattr(state, device) != enabled:
        setattr(state, device, enabled)
        with _lock:
            regions += 1 if enabled else -1


def listed(namespace: dict[str, Any], *names: str) -> None:
    """Makes the functions that a module defines, and that are on the lists, obey them: all of these, or the named."""
    for name in names or FUNCTIONS.keys() & namespace.keys():
        function = namespace[name]
        if inspect.isfunction(function) and function.__module__ == namespace["__name__"]:
            namespace[name] = _obeying(function, *FUNCTIONS[name])


def _obeying(function, on_cpu, on_cuda):
    @functools.wraps(function)
    def call(*args, **kwargs):
        if regions:
            device = _device(args) or _device(kwargs.values())
            policy = on_cuda if device == "cuda" else on_cpu
            if device and policy:
                return run(policy, device, function, args, kwargs)
        return function(*args, **kwargs)

    call.__dict__["outside_autocast"] = _outside(function)
    return call


def _outside(function):
    """The function as it runs where no region is open: what in-place methods are made from."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        device = regions and (_device(args) or _device(kwargs.values()))
        return run("as is", device, function, args, kwargs) if device else function(*args, **kwargs)

    return call


def lists(op, args) -> bool:
    """Whether this class of ops takes float32 in the region that is open for these arguments."""
    if not state.cuda or not op.__module__.startswith("minitorch2.ops."):
        return False
    of_number = op.op_name == "Div" and not isinstance(args[0], Variable)
    return (of_number or op.op_name in GPU_OPS) and _device(args) == "cuda"


def run(policy, device: str, function, args, kwargs):
    """function(*args, **kwargs), the arguments cast by the policy, with this device's region closed meanwhile."""
    if callable(policy):
        policy = policy(state.lower[device], *args, **kwargs)
    if policy == "float32 unless told":
        policy = "as is" if _argument(function, "dtype", args, kwargs) is not None else "float32"
    if policy == "refused":
        raise RuntimeError(
            "torch.nn.functional.binary_cross_entropy and torch.nn.BCELoss are unsafe to autocast.\n"
            "Many models use a sigmoid layer right before the binary cross entropy layer.\n"
            "In this case, combine the two layers using torch.nn.functional.binary_cross_entropy_with_logits\n"
            "or torch.nn.BCEWithLogitsLoss.  binary_cross_entropy_with_logits and BCEWithLogits are\n"
            "safe to autocast."
        )
    if policy is None:
        return function(*args, **kwargs)
    if policy == "lower":
        target = state.lower[device]
    elif policy == "widest":
        target = _widest(device, [*args, *kwargs.values()])
    else:
        target = dtypes.float32
    if policy != "as is":
        if policy == "rounded":
            args = _cast(args, state.lower[device], device)
        args = _cast(args, target, device)
        kwargs = {name: _cast(value, target, device) for name, value in kwargs.items()}
    setattr(state, device, False)  # `regions` goes on counting this one
    try:
        return function(*args, **kwargs)
    finally:
        setattr(state, device, True)


def stacklevel(level: int) -> int:
    """The stacklevel of a warning meant for the caller `level` - 1 calls up, the frames of WRAPPERS not counted."""
    frame, n = sys._getframe(1), 0
    while frame is not None and level:
        n += 1
        level -= frame.f_code.co_filename not in WRAPPERS
        frame = frame.f_back
    return n


def _argument(function, name: str, args, kwargs):
    if name in kwargs:
        return kwargs[name]
    code = inspect.unwrap(function).__code__
    position = code.co_varnames[: code.co_argcount].index(name) if name in code.co_varnames[: code.co_argcount] else -1
    return args[position] if 0 <= position < len(args) else None


def _device(values):
    """The device whose open region these arguments fall under, or None; tensors stand alone or in a list."""
    found = None
    for value in values:
        for x in value if isinstance(value, list | tuple) else (value,):
            if isinstance(x, Variable):
                if not on_device(x._data):
                    found = found or ("cpu" if state.cpu else None)
                elif state.cuda:
                    return "cuda"
    return found


def _eligible(x, device: str) -> bool:
    return (
        isinstance(x, Variable)
        and on_device(x._data) == (device == "cuda")
        and x.dtype.is_floating_point
        and x.dtype is not dtypes.float64
    )


def _widest(device: str, values) -> Any:
    """float32 if one of the tensors is, else the lower dtype."""
    lower = widest = state.lower[device]
    for value in values:
        for x in value if isinstance(value, list | tuple) else (value,):
            if not _eligible(x, device):
                continue
            if widest is dtypes.float32 or x.dtype is dtypes.float32:
                widest = dtypes.float32
            elif x.dtype is not lower:
                raise RuntimeError("Unexpected floating ScalarType in at::autocast::prioritize")
    return widest


def _cast(value, target, device: str):
    if isinstance(value, list | tuple):
        return (list if isinstance(value, list) else tuple)(_cast(x, target, device) for x in value)
    if not _eligible(value, device) or value.dtype is target:
        return value
    if value.dtype is dtypes.float32 and target is state.lower[device] and _is_parameter(value):
        return _cached(value, target)
    return value.to(target)


def _is_parameter(x) -> bool:
    """A leaf that is trained: it is met again and again in a region, and not written to meanwhile."""
    return state.cache_enabled and x._requires_grad and x._grad_fn is None and x._base is None


def _cached(x, target):
    # Without a graph the cast has no history, and would cut the parameter off from a later use that has one.
    from .grad_mode import state as grad_state

    key = id(x), grad_state.grad  # the entry holds x, so its id is its own as long as the entry stands
    entry = state.casts.get(key)
    if entry is None or entry[1].dtype is not target:
        entry = state.casts[key] = (x, x.to(target))
    return entry[1]
