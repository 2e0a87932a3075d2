"""The loops that numba compiles for compiled_copying.py. Importing this module imports numba: do so when it is needed.

Arrays of any strides would be compiled once for each kind of order in memory (numba's layouts A, C and F). Here they
are addresses and strides."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .loops import jit
from .share_loops import shareable

TILE = 16  # numbers: a line of the cache in float32
SAME_PLACE = 1024  # bytes; lines that far apart share few places of a first-level cache, of a power of two more so


def _as_load(typing_context, like, address):
    def generate(context, builder, signature, arguments):
        pointer = builder.inttoptr(arguments[1], context.get_value_type(like.dtype).as_pointer())
        return builder.load(pointer)

    return like.dtype(like, types.int64), generate


def _as_store(typing_context, like, address, value):
    def generate(context, builder, signature, arguments):
        pointer = builder.inttoptr(arguments[1], context.get_value_type(like.dtype).as_pointer())
        builder.store(arguments[2], pointer)
        return context.get_dummy_value()

    return types.void(like, types.int64, like.dtype), generate


def _as_move(typing_context, to, of, size):
    """`size` bytes from one address to another."""

    def generate(context, builder, signature, arguments):
        to, of, size = arguments
        to, of = (builder.inttoptr(a, ir.IntType(8).as_pointer()) for a in (to, of))
        cgutils.raw_memcpy(builder, to, of, size, 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


def _as_reverse(typing_context, like, to, of):
    """TILE numbers from address `of` to address `to`, the last of them first."""

    def generate(context, builder, signature, arguments):
        kind = ir.VectorType(context.get_value_type(like.dtype), TILE)
        to, of = (builder.inttoptr(a, kind.as_pointer()) for a in arguments[1:])
        numbers = builder.load(of, align=1)
        order = ir.Constant(ir.VectorType(ir.IntType(32), TILE), list(range(TILE))[::-1])
        builder.store(builder.shuffle_vector(numbers, numbers, order), to, align=1)
        return context.get_dummy_value()

    return types.void(like, types.int64, types.int64), generate


_load: Any = intrinsic(_as_load)
_store: Any = intrinsic(_as_store)
_move: Any = intrinsic(_as_move)
_reverse: Any = intrinsic(_as_reverse)


@shareable
@jit
def move(to, of, start, stop):
    """Bytes start to stop from address `of` to address `to`, without gaps."""
    _move(to + start, of + start, stop - start)


@shareable
@jit
def put(like, to, of, sizes, to_strides, of_strides, start, stop):
    """The numbers at address `of` to address `to`: five dims of these sizes and strides (int64, in bytes), the last of
    them without gaps at `to`. Tiles start to stop of the fourth dim, counted through the three before it.

    Where the last dim has no gaps in either, row by row, forwards or backwards. Where the fourth has none in what is
    read, a tile is whole lines of the cache in both; it goes by way of 1 KiB that stays there, if the lines written
    would drive one another out before they are full."""
    _, b_size, c_size, p_size, q_size = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
    item, across, along = like.itemsize, of_strides[3], of_strides[4]
    tiles = (p_size + TILE - 1) // TILE
    tile = np.empty(TILE * TILE, like.dtype)
    gathered = q_size // TILE * TILE if to_strides[3] % SAME_PLACE == 0 else 0
    for unit in range(start, stop):
        part, c, b = unit % tiles, unit // tiles % c_size, unit // tiles // c_size % b_size
        a = unit // tiles // c_size // b_size
        source = of + a * of_strides[0] + b * of_strides[1] + c * of_strides[2]
        target = to + a * to_strides[0] + b * to_strides[1] + c * to_strides[2]
        first, last = part * TILE, min(p_size, (part + 1) * TILE)
        if along == item:
            for p in range(first, last):
                _move(target + p * to_strides[3], source + p * across, q_size * item)
        elif along == -item:
            for p in range(first, last):
                read, write, whole = source + p * across, target + p * to_strides[3], q_size // TILE * TILE
                for q in range(0, whole, TILE):
                    _reverse(like, write + q * item, read - (q + TILE - 1) * item)
                for q in range(whole, q_size):
                    _store(like, write + q * item, _load(like, read - q * item))
        elif along == 0 and q_size >= TILE:
            for p in range(first, last):
                write, done = target + p * to_strides[3], 1
                _store(like, write, _load(like, source + p * across))
                while done < q_size:  # what is written once is copied, twice as much each time
                    count = min(done, q_size - done)
                    _move(write + done * item, write, count * item)
                    done += count
        elif across == item and last - first == TILE:
            for q in range(0, gathered, TILE):
                for j in range(TILE):
                    read = source + (q + j) * along + first * item
                    for i in range(TILE):
                        tile[i * TILE + j] = _load(like, read + i * item)
                for i in range(TILE):
                    write = target + (first + i) * to_strides[3] + q * item
                    for j in range(TILE):
                        _store(like, write + j * item, tile[i * TILE + j])
            for q in range(gathered, q_size):
                read, write = source + q * along + first * item, target + first * to_strides[3] + q * item
                for p in range(TILE):
                    _store(like, write + p * to_strides[3], _load(like, read + p * item))
        else:
            for p in range(first, last):
                read, write = source + p * across, target + p * to_strides[3]
                for q in range(q_size):
                    _store(like, write + q * item, _load(like, read + q * along))
