"""Loops whose sums stay in vector registers. Importing this module imports numba.

    tile:  out[row + r, at + q] = sum over t of weights[row + r, t] * source[offsets[t] + at + q]   r < rows, q < width
    dots:  out[row + r, tap + k] += sum over q of g[row + r, begin + q] * source[offsets[tap + k] + begin + q]

A loop that numba compiles keeps a tile's sums in an array, so each tap or three fetches them and puts them back: 60
GFLOP/s on a core that has 90. Twelve vectors of sums, three of the source and one of a weight are the sixteen registers
there are; to have them stay there, the loop is written in LLVM's terms.

Where the processor has vectors of 64 bytes, tiles are made of these: 245 GFLOP/s on a core that makes 128 with 32. Such
a processor has 32 registers. Tiles of eight rows gain 3 % by them, and lose more where rows are not in eights; dot
products, of which each needs a load, go from 210 to 238 with six taps instead of three (numba's own loop: 195).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

_, _, _features = cpu_target.target_context.codegen().magic_tuple()  # of the processor that is compiled for
WIDE = "+avx512f" in _features.split(",")
_WIDEST = 64 if WIDE else 32  # bytes of a vector
_INT, _SHORT = ir.IntType(64), ir.IntType(32)


def _lanes(count: int):
    """The type of a number for each lane of a vector."""
    return ir.VectorType(_SHORT, count)


def _mask(count: int):
    """The type of a yes or no for each lane of a vector."""
    return ir.VectorType(ir.IntType(1), count)


def _everywhere(builder, number, vector):
    """A vector with this number in every place."""
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(_SHORT, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_lanes(vector.count), None))


class _Loop:
    """Arrays and numbers of a function that is being generated, and its one loop, whose sums are vectors."""

    def __init__(self, context, builder, signature, arguments, bytes_each: int):
        given = zip(signature.args, arguments, strict=True)
        self.builder = builder
        self.arguments = [
            context.make_array(kind)(context, builder, value)
            if isinstance(kind, types.Array)
            else context.cast(builder, value, kind, types.int64)
            for kind, value in given
        ]
        dtype = signature.args[0].dtype
        self.size = dtype.bitwidth // 8
        self.number = context.get_data_type(dtype)
        self.vector = ir.VectorType(self.number, bytes_each // self.size)

    def extent(self, array, dim: int):
        return self.builder.extract_value(array.shape, dim)

    def after(self, number, count: int, last=None):
        """number, number + 1, ..., `count` of them; none greater than `last`."""
        each = [self.builder.add(number, ir.Constant(_INT, i)) for i in range(count)]
        if last is None:
            return each
        return [self.builder.select(self.builder.icmp_signed("<", one, last), one, last) for one in each]

    def moved(self, pointer, numbers):
        return self.builder.gep(pointer, [numbers if isinstance(numbers, ir.Value) else ir.Constant(_INT, numbers)])

    def as_vector(self, pointer):
        return self.builder.bitcast(pointer, self.vector.as_pointer())

    def vector_at(self, pointer):
        return self.builder.load(self.as_vector(pointer), align=self.size)

    def repeated(self, values, stop, step: int, following):
        """What values = following(n, values) are after n = 0, step, 2 step, ... less than stop > 0."""
        builder = self.builder
        before, loop, after = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        n, held = builder.phi(_INT), [builder.phi(value.type) for value in values]
        results = following(n, held)
        ahead = builder.add(n, ir.Constant(_INT, step))
        builder.cbranch(builder.icmp_signed("<", ahead, stop), loop, after)
        for phi, first, later in zip((n, *held), (ir.Constant(_INT, 0), *values), (ahead, *results), strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(later, loop)
        builder.position_at_end(after)
        return results

    def sums(self, shape: tuple[int, int], stop, step: int, factors):
        """sums[i][j] = sum over n of a[i] * b[j], (a, b) = factors(n), for n from 0 on, less than stop > 0."""
        builder, (rows, columns) = self.builder, shape

        def following(n, sums):
            a, b = factors(n)
            products = [builder.fmul(one, other, flags=("contract",)) for one in a for other in b]
            return [builder.fadd(s, p, flags=("contract",)) for s, p in zip(sums, products, strict=True)]

        totals = self.repeated([ir.Constant(self.vector, None)] * (rows * columns), stop, step, following)
        return [totals[i * columns : (i + 1) * columns] for i in range(rows)]

    def sum_onto(self, number, vector):
        """number plus all numbers of the vector, in any order."""
        return self._reduced("fadd", "reassoc", number, vector)

    def largest_in(self, vector):
        """The largest number of the vector, in which no NaN is."""
        return self._reduced("fmax", "nnan", vector)

    def _reduced(self, how: str, rule: str, *operands):
        function = self.intrinsic(f"vector.reduce.{how}", "", self.number, [operand.type for operand in operands])
        return self.builder.call(function, operands, fastmath=(rule,))

    def intrinsic(self, name: str, suffix: str, result, arguments):
        """LLVM's function of that name for these vectors."""
        name = ".".join(filter(None, ("llvm", name, f"v{self.vector.count}f{8 * self.size}", suffix)))
        kind = ir.FunctionType(result, arguments)
        return self.builder.module.globals.get(name) or ir.Function(self.builder.module, kind, name)


def tile_of(rows_down: int, vectors_across: int, bytes_each: int) -> Any:
    """The function for compiled code that computes a tile of so many rows and vectors: its width is that of the
    vectors, in numbers."""

    def one(typing_context, source, at, weights, row, offsets, out):
        """source (S,), weights (R, T), offsets (T,), T > 0, out (R', L), at + width <= L. The rows of `weights` may lie
        apart, all else is C-contiguous. Rows below the last one of `weights` are computed with that one."""

        def generate(context, builder, signature, arguments):
            loop = _Loop(context, builder, signature, arguments, bytes_each)
            source, at, weights, row, offsets, out = loop.arguments
            moved, width = loop.moved, loop.vector.count
            apart = builder.sdiv(builder.extract_value(weights.strides, 0), ir.Constant(_INT, loop.size))
            there = loop.after(row, rows_down, builder.sub(loop.extent(weights, 0), ir.Constant(_INT, 1)))
            weight_rows = [moved(weights.data, builder.mul(r, apart)) for r in there]
            pixels = moved(source.data, at)

            def factors(tap):
                seen = moved(pixels, builder.load(moved(offsets.data, tap)))
                vectors = [loop.vector_at(moved(seen, v * width)) for v in range(vectors_across)]
                return [_everywhere(builder, builder.load(moved(r, tap)), loop.vector) for r in weight_rows], vectors

            totals = loop.sums((rows_down, vectors_across), loop.extent(weights, 1), 1, factors)
            length = loop.extent(out, 1)
            for r, of_row in zip(loop.after(row, rows_down), totals, strict=True):
                place = moved(out.data, builder.add(builder.mul(r, length), at))
                for v, total in enumerate(of_row):
                    builder.store(total, loop.as_vector(moved(place, v * width)), align=loop.size)
            return context.get_dummy_value()

        return types.void(source, at, weights, row, offsets, out), generate

    return intrinsic(one)


def dots_of(rows_down: int, taps_across: int, bytes_each: int) -> Any:
    """The function for compiled code that adds up so many dot products of rows and of shifted sources at once."""

    def some(typing_context, source, g, row, offsets, tap, begin, count, out):
        """source (S,), g (R, L), offsets (T,), out (R, T), all C-contiguous, row + rows_down <= R; count > 0 goes up to
        the next whole vector of g, so g must have zeros there. Taps behind the last one are the last one again."""

        def generate(context, builder, signature, arguments):
            loop = _Loop(context, builder, signature, arguments, bytes_each)
            source, g, row, offsets, tap, begin, count, out = loop.arguments
            moved, length, width = loop.moved, loop.extent(g, 1), loop.extent(out, 1)
            taps = loop.after(tap, taps_across, builder.sub(loop.extent(offsets, 0), ir.Constant(_INT, 1)))
            rows = loop.after(row, rows_down)
            of_g = [moved(g.data, builder.add(builder.mul(r, length), begin)) for r in rows]
            seen = [moved(source.data, builder.add(builder.load(moved(offsets.data, t)), begin)) for t in taps]

            def factors(q):
                return [loop.vector_at(moved(r, q)) for r in of_g], [loop.vector_at(moved(s, q)) for s in seen]

            totals = loop.sums((rows_down, taps_across), count, loop.vector.count, factors)
            places = [moved(out.data, builder.add(builder.mul(r, width), t)) for r in rows for t in taps]
            vectors = [total for of_row in totals for total in of_row]
            before = [builder.load(place) for place in places]  # all of them, since the last tap may be there twice
            for place, old, total in zip(places, before, vectors, strict=True):
                builder.store(loop.sum_onto(old, total), place)
            return context.get_dummy_value()

        return types.void(source, g, row, offsets, tap, begin, count, out), generate

    return intrinsic(some)


def panel_tile_of(rows_down: int, vectors_across: int, bytes_each: int) -> Any:
    """The function for compiled code that computes a tile of a product of matrices, where b's columns are in a panel:
    as many of them as a tile is wide, row after row."""

    def one(typing_context, a, at, apart, rows, steps, panel, depth, onto, out, to, length):
        """Flat arrays: out[to + r * length + q] = the sum over t < depth of a[at + r * apart + steps[t]] * panel[t *
        width + q], and where `onto` what was there; depth > 0. Of a's rows there are so many; the others are the last
        one."""

        def generate(context, builder, signature, arguments):
            loop = _Loop(context, builder, signature, arguments, bytes_each)
            a, at, apart, rows, steps, panel, depth, onto, out, to, length = loop.arguments
            moved, width, zero = loop.moved, loop.vector.count, ir.Constant(_INT, 0)
            last = builder.sub(rows, ir.Constant(_INT, 1))
            of_a = [moved(a.data, builder.add(at, builder.mul(r, apart))) for r in loop.after(zero, rows_down, last)]

            def factors(t):
                seen = moved(panel.data, builder.mul(t, ir.Constant(_INT, vectors_across * width)))
                step = builder.load(moved(steps.data, t))
                numbers = [_everywhere(builder, builder.load(moved(r, step)), loop.vector) for r in of_a]
                return numbers, [loop.vector_at(moved(seen, v * width)) for v in range(vectors_across)]

            totals = loop.sums((rows_down, vectors_across), depth, 1, factors)
            starts = [moved(out.data, builder.add(to, builder.mul(r, length))) for r in loop.after(zero, rows_down)]
            places = [moved(start, v * width) for start in starts for v in range(vectors_across)]
            sums = [total for of_row in totals for total in of_row]
            adding = builder.icmp_signed("!=", onto, zero)
            with builder.if_else(adding) as (then, otherwise):
                with then:
                    for place, total in zip(places, sums, strict=True):
                        more = builder.fadd(loop.vector_at(place), total)
                        builder.store(more, loop.as_vector(place), align=loop.size)
                with otherwise:
                    for place, total in zip(places, sums, strict=True):
                        builder.store(total, loop.as_vector(place), align=loop.size)
            return context.get_dummy_value()

        return types.void(a, at, apart, rows, steps, panel, depth, onto, out, to, length), generate

    return intrinsic(one)


def largest_of(bytes_each: int) -> Any:
    """The function for compiled code that finds the largest number of a row, as a loop over vectors: numba's has a
    number at a time, since in its comparisons NaN counts."""

    def one(typing_context, row, count):
        """The largest of the first `count` numbers of row, a flat array, no fewer than a vector has; -inf, if all are
        NaN, which are passed over."""

        def generate(context, builder, signature, arguments):
            loop = _Loop(context, builder, signature, arguments, bytes_each)
            row, count = loop.arguments
            width = loop.vector.count
            last = builder.sub(count, ir.Constant(_INT, width))

            def following(n, most):
                (place,) = loop.after(n, 1, last)  # the last vector may see again what the one before it has
                seen = loop.vector_at(loop.moved(row.data, place))
                return [builder.select(builder.fcmp_ordered(">", seen, held), seen, held) for held in most]

            lowest = ir.Constant(loop.vector, [float("-inf")] * width)
            (most,) = loop.repeated([lowest], count, width, following)
            return loop.largest_in(most)

        return row.dtype(row, types.int64), generate

    return intrinsic(one)


def move_of(bytes_each: int) -> Any:
    """The function for compiled code that copies a vector."""

    def one(typing_context, source, at, out, to):
        """Flat arrays: out[to + j] = source[at + j] for as many j as a vector has."""

        def generate(context, builder, signature, arguments):
            loop = _Loop(context, builder, signature, arguments, bytes_each)
            source, at, out, to = loop.arguments
            vector = loop.vector_at(loop.moved(source.data, at))
            builder.store(vector, loop.as_vector(loop.moved(out.data, to)), align=loop.size)
            return context.get_dummy_value()

        return types.void(source, at, out, to), generate

    return intrinsic(one)


def turn_of(count: int) -> Any:
    """The function for compiled code that transposes a square of so many rows, a power of two, in registers."""

    def square(typing_context, source, at, offsets, first, out, to, length):
        """Flat arrays: out[to + t * length + j] = source[at + offsets[first + j] + t] for j, t < count."""

        def generate(context, builder, signature, arguments):
            loop = _Loop(context, builder, signature, arguments, count * signature.args[0].dtype.bitwidth // 8)
            source, at, offsets, first, out, to, length = loop.arguments
            moves = [builder.load(loop.moved(offsets.data, j)) for j in loop.after(first, count)]
            rows = [loop.vector_at(loop.moved(source.data, builder.add(at, move))) for move in moves]
            size = 1
            while size < count:  # squares of this size change places across the diagonal of one twice as large
                upper = [lane if not lane & size else lane - size + count for lane in range(count)]
                lower = [lane + size if not lane & size else lane + count for lane in range(count)]
                masks = [ir.Constant(_lanes(count), lanes) for lanes in (upper, lower)]
                for j in range(count):
                    if not j & size:
                        pair = rows[j], rows[j + size]
                        rows[j], rows[j + size] = (builder.shuffle_vector(*pair, mask) for mask in masks)
                size *= 2
            for t, row in enumerate(rows):
                place = loop.moved(out.data, builder.add(to, builder.mul(ir.Constant(_INT, t), length)))
                builder.store(row, loop.as_vector(place), align=loop.size)
            return context.get_dummy_value()

        return types.void(source, at, offsets, first, out, to, length), generate

    return intrinsic(square)


def copy_of(reading: int, writing: int, bytes_each: int) -> Any:
    """The function for compiled code that copies numbers which lie so far apart, 1 or 2, to where they lie so far
    apart. It touches no others: the lanes of a vector behind the last of them are masked. In a loop, as many numbers as
    do not fill a vector take as long as vectors, each."""

    def one(typing_context, source, at, out, to, count):
        """Flat arrays: out[to + writing * j] = source[at + reading * j] for j < count, count > 0."""

        def generate(context, builder, signature, arguments):
            loop = _Loop(context, builder, signature, arguments, bytes_each)
            source, at, out, to, count = loop.arguments
            width, undefined = loop.vector.count, ir.Constant(loop.vector, ir.Undefined)
            of_vector, masked = loop.vector.as_pointer(), [_SHORT, _mask(width)]
            load = loop.intrinsic("masked.load", "p0", loop.vector, [of_vector, *masked, loop.vector])
            store = loop.intrinsic("masked.store", "p0", ir.VoidType(), [loop.vector, of_vector, *masked])
            align = ir.Constant(_SHORT, loop.size)

            def pieces(pointer, first, n, step, left):
                """The vectors of `step` in a row, as pointers, with which of their lanes are to be touched."""
                begin = loop.moved(pointer, builder.add(first, builder.mul(n, ir.Constant(_INT, step))))
                for piece in range(step):
                    lanes = range(piece * width, (piece + 1) * width)
                    number = ir.Constant(_lanes(width), [lane // step for lane in lanes])
                    there = ir.Constant(_mask(width), [lane % step == 0 for lane in lanes])
                    touched = builder.and_(builder.icmp_signed("<", number, left), there)
                    yield loop.as_vector(loop.moved(begin, piece * width)), touched

            def following(n, nothing):
                left = builder.trunc(builder.sub(count, n), _SHORT)
                left = _everywhere(builder, left, _lanes(width))
                found = [
                    builder.call(load, (place, align, touched, undefined))
                    for place, touched in pieces(source.data, at, n, reading, left)
                ]
                every = ir.Constant(_lanes(width), [reading * lane for lane in range(width)])
                numbers = builder.shuffle_vector(found[0], found[-1], every)
                for piece, (place, touched) in enumerate(pieces(out.data, to, n, writing, left)):
                    spread = [(piece * width + lane) // writing for lane in range(width)]
                    placed = builder.shuffle_vector(numbers, undefined, ir.Constant(_lanes(width), spread))
                    builder.call(store, (placed, place, align, touched))
                return nothing

            loop.repeated([], count, width, following)
            return context.get_dummy_value()

        return types.void(source, at, out, to, count), generate

    return intrinsic(one)


ROWS, ROW_BYTES = 4, 3 * _WIDEST
tile = tile_of(ROWS, 3, _WIDEST)
LINE_BYTES = 8 * 32
line = tile_of(1, 8, 32)  # for rows with weights and sources of their own: what it waits for is their numbers
TAPS = 6 if WIDE else 3
dots = dots_of(ROWS, TAPS, _WIDEST)
LINE_TAPS = 8
line_dots = dots_of(1, LINE_TAPS, _WIDEST)
VECTORS, VECTOR_BYTES = 4 if WIDE else 3, _WIDEST  # of a panel, of which the last may have fewer
wide_panel_tile, double_panel_tile, single_panel_tile = (panel_tile_of(ROWS, n, _WIDEST) for n in (VECTORS, 2, 1))
SQUARE = _WIDEST // 4  # numbers of float32 in a vector
turn_square = turn_of(SQUARE)
move_vector = move_of(_WIDEST)
largest_of_many = largest_of(_WIDEST)
copy_row, copy_every_second, copy_to_every_second = (copy_of(r, w, _WIDEST) for r, w in ((1, 1), (2, 1), (1, 2)))
