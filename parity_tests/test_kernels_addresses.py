"""Every override of every kernel gives the same numbers, bit for bit, wherever its arrays lie in memory.

Where a loop reads one array and writes another, the compiler has its vector code ask first whether the two are less
than some 256 bytes apart, and if so takes the numbers one by one: a sum is then taken in another order. Arrays that are
just made lie anywhere, so that one program would not give the same numbers twice. Drawn places find that, but seldom,
so that the loops' source is looked at, too.
"""

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_draws import Draw
from test_kernels import CASES, EXACT, HERE, OVERRIDDEN, assert_same, mapped, results
from test_kernels import threads_as_found as threads_as_found
from test_kernels import tiny_blocks as tiny_blocks

import minitorch2_kernels as K

FAR = 1 << 13  # bytes that stay free, at least, after an array that stands alone
ALIGNED = 16  # bytes; malloc gives multiples of it
MAKERS = ("empty", "empty_like", "zeros", "zeros_like")
PLACEMENTS = 8


class Arena:
    """Memory in which arrays are made one after another; `near` says of each whether it begins where the one before
    ended, in the order of the addresses or, downwards, against it."""

    def __init__(self, near, upwards=True):
        self.memory, self.near, self.upwards = np.zeros(1 << 21, np.uint8), near, upwards
        self.close, self.far = 1 << 20, 0

    def place(self, size):
        """Where so many bytes are to lie."""
        if not self.near():
            begin, self.far = self.far, self.far + -(-size // FAR) * FAR + FAR
            return begin
        if not self.upwards:
            self.close = (self.close - size) // ALIGNED * ALIGNED
            return self.close
        begin, self.close = self.close, self.close + -(-size // ALIGNED) * ALIGNED
        return begin

    def placed(self, a):
        """A copy of this array here, in the same order in memory."""
        if a.dtype.hasobject or not a.nbytes:
            return a
        packed = a.copy(order="K")
        copy = np.ndarray(a.shape, a.dtype, self.memory.data, self.place(a.nbytes), packed.strides)
        copy[...] = packed
        return copy


def lying(arena, function, args):
    """results(function, args), with args and every array that is made for them in an arena."""
    with pytest.MonkeyPatch.context() as patch:
        for name in MAKERS:
            real = getattr(np, name)
            patch.setattr(np, name, lambda *a, real=real, **k: arena.placed(real(*a, **k)))
        return [a.copy() for a in results(function, args, arena.placed)]


@pytest.mark.parametrize("name", HERE)
@given(data=st.data())
def test_overrides(name, data):
    of = Draw(data.draw)
    of.dtype = "float32"
    args = mapped(np.ndarray.copy, CASES[name][0](of))
    for supports, override in OVERRIDDEN[name].overrides:
        if supports(*args):
            results(override, args)  # compiled before NumPy's functions are replaced, which numba would not know
            apart = lying(Arena(lambda: False), override, args)
            for placement in range(PLACEMENTS):
                close = lying(Arena(lambda: of.rng.rand() < 0.5, upwards=placement % 2 == 0), override, args)
                assert_same(close, apart, EXACT, f"{name}: {override.__doc__}")


IN_ANY_ORDER = {"jit", "inner", "summing"}  # the decorators that let the compiler reorder sums
IN_ONE_ORDER = {  # why they may write where they sum
    ("dense_loops", "turn", "total"): "a sum of zeros, or NaN",
    ("pooling_loops", "max_pool_2x2", "not_a_number"): "a bit",
    ("row_loops", "softmax", "total"): "in place: there is no other array",
    ("sums_loops", "running_sums", "total"): "every sum is written, so that there is no other order",
}


def assigned(node):
    """(name, what it is set to) of all assignments in it."""
    for step in ast.walk(node):
        for target in step.targets if isinstance(step, ast.Assign) else ():
            pairs = [(target, step.value)]
            if isinstance(target, ast.Tuple):
                values = step.value.elts if isinstance(step.value, ast.Tuple) else [step.value] * len(target.elts)
                pairs = zip(target.elts, values, strict=True)
            yield from ((name.id, value) for name, value in pairs if isinstance(name, ast.Name))


def summed_and_written(function):
    """Names of the numbers, but for counts, that go on from turn to turn of an innermost loop that writes an array."""
    counts = {name for name, value in assigned(function) if type(getattr(value, "value", None)) is int}
    for loop in ast.walk(function):
        if not isinstance(loop, ast.For) or any(isinstance(node, ast.For) for node in ast.walk(loop) if node != loop):
            continue
        changed = [node.target for node in ast.walk(loop) if isinstance(node, ast.AugAssign)]
        written = [target for node in ast.walk(loop) for target in getattr(node, "targets", ())] + changed
        if any(
            isinstance(part, ast.Subscript) for target in written for part in (target, *getattr(target, "elts", ()))
        ):
            sums = {target.id for target in changed if isinstance(target, ast.Name)}
            yield from sums - {name for name, _ in assigned(loop)} - counts


def test_no_loop_takes_a_sum_and_writes():
    found = set()
    for path in (Path(K.__file__).parent / "cpu").glob("*_loops.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                names = {getattr(decorator, "id", "") for decorator in function.decorator_list}
                if names & IN_ANY_ORDER:
                    found |= {(path.stem, function.name, name) for name in summed_and_written(function)}
    assert found == set(IN_ONE_ORDER)
