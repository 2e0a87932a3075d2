"""Sharing a compiled loop among threads without the interpreter's lock. Importing this module imports numba.

Between two Python threads the lock goes back and forth, and each time one of them sleeps until it is woken: 30 to 60 us
for a shared loop, as long as a small layer computes. Here it takes 2 us. A thread of the pool that has nothing to do
stays in `attend` for a while, awake. Its slot, a row of numbers in memory, says what it does:

    slot[STATE]      ASLEEP: not here; WATCHING; TAKEN by a caller who writes the other numbers; CALLED
    slot[FUNCTION]   the address of int f(arguments, start, stop), which is not 0 where the loop raised an error
    slot[ARGUMENTS]  where its arguments lie
    slot[START], slot[STOP]
    slot[DONE]       how many calls have ended, and
    slot[FAILED]     how many of them by an error
"""

from __future__ import annotations

import ast
import copy
import inspect
import platform
import textwrap
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic

from .jit import jit
from .loops import part_of

STATE, FUNCTION, ARGUMENTS, START, STOP, DONE, FAILED = range(7)
ASLEEP, WATCHING, TAKEN, CALLED = range(4)
_LOOKS = 64

_ON_X86 = platform.machine() in ("x86_64", "AMD64", "i686")
_NUMBER, _ADDRESS = ir.IntType(64), ir.IntType(8).as_pointer()
_JOB = ir.FunctionType(_NUMBER, [_ADDRESS, _NUMBER, _NUMBER])


def _first(context, builder, signature, arguments):
    """The pointer to the first element of the array that is the first argument."""
    return context.make_array(signature.args[0])(context, builder, arguments[0]).data


def _as_load(typing_context, array):
    """array[0] as it stands in memory now, and what was written before it."""

    def generate(context, builder, signature, arguments):
        return builder.load_atomic(_first(context, builder, signature, arguments), "acquire", 8)

    return types.int64(array), generate


def _as_store(typing_context, array, value):
    """array[0] = value, after all that was written before."""

    def generate(context, builder, signature, arguments):
        builder.store_atomic(arguments[1], _first(context, builder, signature, arguments), "release", 8)
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


def _as_exchange(typing_context, array, old, new):
    """array[0] = new if it is `old`, in one piece; whether it was."""

    def generate(context, builder, signature, arguments):
        pointer = _first(context, builder, signature, arguments)
        result = builder.cmpxchg(pointer, arguments[1], arguments[2], "acq_rel", "acquire")
        return builder.extract_value(result, 1)

    return types.boolean(array, types.int64, types.int64), generate


def _as_pause(typing_context):
    """Tells the processor that this is a loop that waits, so that it leaves its other hyperthread the units."""

    def generate(context, builder, signature, arguments):
        if _ON_X86:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), ())
        return context.get_dummy_value()

    return types.void(), generate


def _as_borrowed(typing_context, value):
    """An array that counts no references, as its slices then do not either; anything else as it is.

    Numba counts each slice of an array in one place for all threads. Two that take a slice for every row pass that
    place to and fro: layer norm's gradient took half as long again on two threads as on one, and now takes half."""

    def generate(context, builder, signature, arguments):
        (value,) = arguments
        if not isinstance(signature.return_type, types.Array):
            return impl_ret_borrowed(context, builder, signature.return_type, value)
        array = context.make_array(signature.return_type)(context, builder, value)
        array.meminfo, array.parent = (cgutils.get_null_value(x.type) for x in (array.meminfo, array.parent))
        return array._getvalue()

    return value(value), generate


def _as_job(typing_context, arguments):
    """The function that this stands in, to be called with these arguments but for the second and the third, two
    numbers: FUNCTION and ARGUMENTS, valid until that function returns."""

    def generate(context, builder, signature, values):
        kinds = signature.args[0].types
        memory = cgutils.alloca_once_value(builder, values[0])
        function = ir.Function(builder.module, _JOB, builder.module.get_unique_name("job"))
        function.linkage = "internal"
        inside = ir.IRBuilder(function.append_basic_block())
        address, start, stop = function.args
        slots, _, _, *others = cgutils.unpack_tuple(inside, inside.load(inside.bitcast(address, memory.type)))
        given = [slots, start, stop, *others]
        status, _ = context.call_conv.call_function(inside, builder.function, types.boolean, kinds, given)
        inside.ret(inside.zext(status.is_error, _NUMBER))
        addresses = [builder.ptrtoint(pointer, _NUMBER) for pointer in (function, memory)]
        return context.make_tuple(builder, signature.return_type, addresses)

    return types.UniTuple(types.int64, 2)(arguments), generate


def _as_call(typing_context, function, arguments, start, stop):
    """Calls what a job is."""

    def generate(context, builder, signature, values):
        function = builder.inttoptr(values[0], _JOB.as_pointer())
        return builder.call(function, (builder.inttoptr(values[1], _ADDRESS), *values[2:]))

    return types.int64(types.int64, types.int64, types.int64, types.int64), generate


_borrowed: Any = intrinsic(_as_borrowed)
_job: Any = intrinsic(_as_job)
_load: Any = intrinsic(_as_load)
_store: Any = intrinsic(_as_store)
_exchange: Any = intrinsic(_as_exchange)
_pause: Any = intrinsic(_as_pause)
_call: Any = intrinsic(_as_call)


@jit
def attend(slot, bell, heard, turns):
    """Does what `share` gives to this slot, until bell[0] is no longer `heard` or nothing came for `turns` looks."""
    _store(slot, WATCHING)
    left = turns
    while True:
        if _load(slot) == CALLED:
            slot[FAILED] += _call(slot[FUNCTION], slot[ARGUMENTS], slot[START], slot[STOP])
            _store(slot[DONE:], slot[DONE] + 1)
            _store(slot, WATCHING)
            left = turns
        elif left == 0 or _load(bell) != heard:
            if _exchange(slot, WATCHING, ASLEEP):
                return
        else:
            left -= 1
        _pause()


@jit
def _take(slot):
    """Whether this slot's thread was watching, and is the caller's now. One may be busy for a moment only."""
    for _ in range(_LOOKS):
        if _exchange(slot, WATCHING, TAKEN):
            return True
        if _load(slot) == ASLEEP:
            return False
        _pause()
    return False


@jit
def share(slots, start, stop, job):
    """`job` for equal parts of range(start, stop): the first in this thread and one in each slot's.

    False, and nothing done, where not all of those threads are awake and free.
    """
    for i in range(len(slots)):
        if not _take(slots[i]):
            for j in range(i):
                _store(slots[j], WATCHING)
            return False
    function, arguments = job
    done, failed, parts = np.empty(len(slots), np.int64), 0, len(slots) + 1
    for i in range(len(slots)):
        slot = slots[i]
        done[i] = slot[DONE]
        failed -= slot[FAILED]
        slot[FUNCTION], slot[ARGUMENTS] = function, arguments
        first, last = part_of(stop - start, i + 1, parts)
        slot[START], slot[STOP] = start + first, start + last
        _store(slot, CALLED)
    failed += _call(function, arguments, start, start + (stop - start) // parts)
    for i in range(len(slots)):
        slot = slots[i]
        while _load(slot[DONE:]) == done[i]:
            _pause()
        failed += slot[FAILED]
    if failed > 0:
        raise RuntimeError("a compiled loop raised an error in one of the threads that shared it")
    return True


_FIRST = """
if len(slots) > 0:
    return _share(slots, {start}, {stop}, _job((slots[:0], {start}, {stop}, {others})))
"""


def shareable(loop):
    """Gives a compiled loop(*arguments, start, stop) its `shared`(slots, start, stop, *arguments) for pool.share_loop:
    the loop itself where there are no slots, and else `share` of it.

    It is the loop's own text, with _FIRST before it, and so it is compiled once. What a function that calls the loop
    would call is optimised a second time: that was half of what one waited for the first step of a program."""
    rules = {key: loop.targetoptions[key] for key in ("fastmath", "error_model")}
    loop.shared = jit(_shared(_text_of(loop.py_func), loop.py_func), **rules)
    return loop


def _text_of(function) -> ast.FunctionDef:
    (text,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(text, ast.FunctionDef)
    text.decorator_list = []
    return text


def _shared(text: ast.FunctionDef, of) -> Any:
    """The loop of this text as a function that is `shared`, in the place of the function `of`. Numba keeps on disk no
    code that has a function for a value, and what it keeps it finds by file, line and name: hence those."""
    *others, start, stop = [argument.arg for argument in text.args.args]
    first = "".join(f"{name} = _borrowed({name})\n" for name in others)
    first += _FIRST.format(start=start, stop=stop, others=", ".join(others))
    text.name = f"shared_{text.name}"
    text.args.args = [ast.arg(name) for name in ("slots", start, stop, *others)]
    text.body = [*ast.parse(first).body, *text.body, *ast.parse("return True").body]
    tree = ast.fix_missing_locations(ast.increment_lineno(ast.Module([text], []), of.__code__.co_firstlineno - 1))
    of.__globals__.update(_share=share, _job=_job, _borrowed=_borrowed)
    made: dict[str, Any] = {}
    exec(compile(tree, of.__code__.co_filename, "exec"), of.__globals__, made)
    return made[text.name]


class _OfTheDtype(ast.NodeTransformer):
    """Numbers written in a formula as ones of the result's dtype: numba takes them for float64, and all they meet."""

    def visit_Constant(self, node):
        return ast.parse(f"result.dtype.type({node.value!r})", mode="eval").body


_EACH = """
def {name}({arguments}, start, stop):
    {numbers}
    {arrays}
    for i in range(result.size):
        {each}
"""


class Formula:
    """A function of numbers, the last of its statements a return, as a loop over flat arrays of them, start to stop:

        @Formula                           loop(x, y, result, slope, start, stop):
        def f(x, y, *, slope):                 result[i] = f(x[i], y[i], slope)

    What stands behind the * is one number for all. A product may be rounded once with its sum, but no more freely, and
    x / 0 is inf."""

    def __init__(self, function):
        self.__name__, self.__doc__ = function.__name__, function.__doc__
        text = _text_of(function)
        one, all_of_them = ([each.arg for each in kind] for kind in (text.args.args, text.args.kwonlyargs))
        arrays = [f"all_{name}" for name in one]
        loop = _EACH.format(
            name=text.name,
            arguments=", ".join([*arrays, "result", *all_of_them]),
            numbers="; ".join(f"{name} = result.dtype.type({name})" for name in all_of_them) or "pass",
            arrays="; ".join(f"{name} = {name}[start:stop]" for name in [*arrays, "result"]),
            each="; ".join(f"{name} = {array}[i]" for name, array in zip(one, arrays, strict=True)),
        )
        (made,) = ast.parse(loop).body
        assert isinstance(made, ast.FunctionDef) and isinstance(made.body[-1], ast.For)
        made.body[-1].body += _steps(text, "result[i]")
        self.shared = jit(_shared(made, function), {"contract"}, "numpy")
        self.function = function


_ROWS = """
def {name}_rows(all_{a}, all_{b}, result, {a}_at, {b}_at, start, stop):
    for r in range(start, stop):
        {a}_first = r // {a}_at[0] % {a}_at[1] * {a}_at[2]
        {b}_first = r // {b}_at[0] % {b}_at[1] * {b}_at[2]
        {a}_row, {b}_row = all_{a}[{a}_first : {a}_first + {a}_at[3]], all_{b}[{b}_first : {b}_first + {b}_at[3]]
        row = result[r]
        if len({b}_row) < len(row):
            {b} = {b}_row[0]
            for i in range(len(row)):
                {a} = {a}_row[i]
        elif len({a}_row) < len(row):
            {a} = {a}_row[0]
            for i in range(len(row)):
                {b} = {b}_row[i]
        else:
            for i in range(len(row)):
                {a}, {b} = {a}_row[i], {b}_row[i]
"""


class Rows:
    """A Formula of two numbers as a loop over rows, for arrays that are broadcast to one another or have gaps:

        loop(x, y, result, x_at, y_at, start, stop)

    result (R, L); x and y flat, with whatever lies between their rows. Row r of the result is made of row r // P % Q
    of theirs, which begins that many times S on and has W numbers, L or one: (P, Q, S, W) being x_at and y_at."""

    template = _ROWS

    def __init__(self, formula: Formula):
        text = _text_of(formula.function)
        a, b = (each.arg for each in text.args.args)
        (made,) = ast.parse(self.template.format(name=text.name, a=a, b=b)).body
        assert isinstance(made, ast.FunctionDef)
        _, *loops = (node for node in ast.walk(made) if isinstance(node, ast.For))
        for loop in loops:
            loop.body += _steps(text, "row[i]")
        self.shared = jit(_shared(made, formula.function), {"contract"}, "numpy")


_ONTO = """
def {name}_onto(all_{b}, result, {b}_at, start, stop):
    for r in range(start, stop):
        {b}_first = r // {b}_at[0] % {b}_at[1] * {b}_at[2]
        {b}_row, row = all_{b}[{b}_first : {b}_first + {b}_at[3]], result[r]
        if len({b}_row) < len(row):
            {b} = {b}_row[0]
            for i in range(len(row)):
                {a} = row[i]
        else:
            for i in range(len(row)):
                {a}, {b} = row[i], {b}_row[i]
"""


class Onto(Rows):
    """As Rows, the result being x itself:

        loop(y, result, y_at, start, stop)

    Of two arguments that are one array, a compiler that is not told so must assume the worst: that each number written
    is the next one read. The vector units then stand idle."""

    template = _ONTO


def _steps(text: ast.FunctionDef, place: str) -> list[ast.stmt]:
    """The formula's statements, the last of them as an assignment to `place`."""
    *steps, last = [_OfTheDtype().visit(step) for step in copy.deepcopy(text.body) if not _is_docstring(step)]
    (made,) = ast.parse(f"{place} = 0").body
    assert isinstance(made, ast.Assign) and isinstance(last, ast.Return) and last.value is not None
    made.value = last.value
    return [*steps, made]


def _is_docstring(step) -> bool:
    return isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant)
