"""Rows of weights times shifted numbers, with all sums in vector registers. Importing this module imports numba.

    out[row + r, at + q] = sum over t of weights[row + r, t] * source[offsets[t] + at + q]     r < rows, q < width

A loop that numba compiles keeps its sums in an array, so each tap or three fetches them and puts them back: 60 GFLOP/s
on a core that has 90. Twelve vectors of sums, three of the source and one of a weight are the sixteen registers there
are; to have them stay there, this one loop over the taps is written in LLVM's terms.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_BYTES = 32  # of a vector
_INT = ir.IntType(64)


def _everywhere(builder, number, vector):
    """A vector with this number in every place."""
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None))


def tile_of(rows_down: int, vectors_across: int) -> Any:
    """The function for compiled code that computes a tile of so many rows and vectors: its width is that of the
    vectors, in numbers."""

    def one(typing_context, source, at, weights, row, offsets, out):
        """source (S,), weights (R, T), offsets (T,), T > 0, out (R', L), at + width <= L. The rows of `weights` may lie
        apart, all else is C-contiguous. Rows below the last one of `weights` are computed with that one."""

        def generate(context, builder, signature, arguments):
            source, weights, offsets, out = (
                context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 2, 4, 5)
            )
            at, row = (context.cast(builder, arguments[i], signature.args[i], types.int64) for i in (1, 3))
            size = signature.args[0].dtype.bitwidth // 8
            vector = ir.VectorType(context.get_data_type(signature.args[0].dtype), _BYTES // size)
            taps, length = builder.extract_value(weights.shape, 1), builder.extract_value(out.shape, 1)
            apart = builder.sdiv(builder.extract_value(weights.strides, 0), ir.Constant(_INT, size))

            def moved(pointer, numbers):
                return builder.gep(pointer, [numbers if isinstance(numbers, ir.Value) else ir.Constant(_INT, numbers)])

            def vectors(pointer):
                return [
                    builder.bitcast(moved(pointer, v * vector.count), vector.as_pointer())
                    for v in range(vectors_across)
                ]

            rows = [builder.add(row, ir.Constant(_INT, r)) for r in range(rows_down)]
            last = builder.sub(builder.extract_value(weights.shape, 0), ir.Constant(_INT, 1))
            there = [builder.select(builder.icmp_signed("<", r, last), r, last) for r in rows]
            weight_rows = [moved(weights.data, builder.mul(r, apart)) for r in there]
            pixels = moved(source.data, at)

            before, loop, after = builder.block, builder.append_basic_block("taps"), builder.append_basic_block("sums")
            builder.branch(loop)
            builder.position_at_end(loop)
            tap = builder.phi(_INT)
            sums = [[builder.phi(vector) for _ in range(vectors_across)] for _ in rows]
            seen = moved(pixels, builder.load(moved(offsets.data, tap)))
            seen = [builder.load(pointer, align=size) for pointer in vectors(seen)]
            totals = []
            for weight_row, of_row in zip(weight_rows, sums, strict=True):
                weight = _everywhere(builder, builder.load(moved(weight_row, tap)), vector)
                products = [builder.fmul(weight, x, flags=("contract",)) for x in seen]
                totals.append([builder.fadd(s, p, flags=("contract",)) for s, p in zip(of_row, products, strict=True)])
            following = builder.add(tap, ir.Constant(_INT, 1))
            builder.cbranch(builder.icmp_signed("<", following, taps), loop, after)
            tap.add_incoming(ir.Constant(_INT, 0), before)
            tap.add_incoming(following, loop)
            for of_row, result in zip(sums, totals, strict=True):
                for s, total in zip(of_row, result, strict=True):
                    s.add_incoming(ir.Constant(vector, None), before)
                    s.add_incoming(total, loop)

            builder.position_at_end(after)
            for r, result in zip(rows, totals, strict=True):
                place = moved(out.data, builder.add(builder.mul(r, length), at))
                for pointer, total in zip(vectors(place), result, strict=True):
                    builder.store(total, pointer, align=size)
            return context.get_dummy_value()

        return types.void(source, at, weights, row, offsets, out), generate

    return intrinsic(one)


ROWS, ROW_BYTES = 4, 3 * _BYTES
tile = tile_of(ROWS, 3)
LINE_BYTES = 8 * _BYTES
line = tile_of(1, 8)  # for rows with weights and sources of their own
