"""Any sequence of the opcodes that checkpoints are made of ends in an error or in plain data."""

from hypothesis import given
from hypothesis import strategies as st
from serialization_cases import archive, outcome
from serialization_pieces import FLOATS, ndarray, number, numpy_dtype, storage, tensor, text

from minitorch2.serialization.plain import check_plain

GLOBALS = """
    collections OrderedDict, collections Counter, __builtin__ set, __builtin__ bytearray, _codecs encode,
    torch Size, torch device, torch float16, torch Tensor, torch._utils _rebuild_parameter,
    torch._tensor _rebuild_from_type_v2
"""
PIECES = [
    *(bytes([opcode]) for opcode in b"N\x88\x89)]}(t\x85\x86\x87aesuRb\x81Q"),
    *(b"c" + name.strip().replace(" ", "\n").encode() + b"\n" for name in GLOBALS.split(",")),
    *(
        b"K\x01",
        b"K\x00",
        b"J\xff\xff\xff\xff",
        b"G" + bytes(8),
        number(2**40),
        number(-3),
        text(""),
        text("k"),
        b"U\x01a",
        b"\x8c\x01a",
        b"C\x01a",
        b"\x94",
        b"\x8f",
        b"\x90",
        b"\x91",
        b"\x93",
        numpy_dtype("f4"),
        ndarray(b"K\x04\x85"),
    ),
    *(b"q\x00", b"h\x00", b"q\x01", b"h\x01", storage(), tensor()),
]


@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_any_sequence_of_opcodes_is_survived(pieces):
    data = b"\x80\x02" + b"".join(pieces) + b"."
    check_plain(outcome(repr(data), archive(data, k=FLOATS)))
