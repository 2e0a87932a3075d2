"""Damaged checkpoints: whatever was flipped or lost, load ends soon in an error or with the saved data."""

import io
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from serialization_cases import archive, assert_same, load, outcome

from minitorch2.serialization.plain import check_plain

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
CASES = 6000 if DEEP else 100  # mutated files of each kind


def checkpoint():
    base = torch.arange(24.0).reshape(4, 6)
    return {
        "weight": base,
        "tied": base.t()[1:],
        "parameter": torch.nn.Parameter(torch.linspace(0, 1, 5).half()),
        "steps": torch.tensor(3),
        "mask": torch.tensor([True, False, True]),
        "bf": torch.ones(3, dtype=torch.bfloat16),
        "groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1], "name": "é"}],
        "none": None,
    }


def saved(**options) -> bytes:
    file = io.BytesIO()
    torch.save(checkpoint(), file, **options)
    return file.getvalue()


def mutations(data: bytes, seed: int, count: int):
    """(what was done, the changed bytes): flips, overwrites, cuts, insertions, repeats and swaps."""
    draw = np.random.default_rng(seed)
    for case in range(count):
        changed = bytearray(data)
        at, other = sorted(int(i) for i in draw.integers(0, len(data), 2))
        length = int(draw.integers(1, 40))
        kind = ("bit", "bit", "bit", "byte", "zeros", "ones", "cut", "delete", "insert", "repeat", "swap")[case % 11]
        if kind == "bit":
            changed[at] ^= 1 << int(draw.integers(8))
        elif kind == "byte":
            changed[at] = int(draw.integers(256))
        elif kind in ("zeros", "ones"):
            changed[at : at + length] = (b"\0" if kind == "zeros" else b"\xff") * len(changed[at : at + length])
        elif kind == "cut":
            del changed[at:]
        elif kind == "delete":
            del changed[at : at + length]
        elif kind == "insert":
            changed[at:at] = draw.bytes(length)
        elif kind == "repeat":
            changed[at:at] = changed[at : at + length]
        else:
            changed[at : at + 8], changed[other : other + 8] = (
                changed[other : other + 8],
                changed[at : at + 8],
            )
        yield f"{kind} at {at}, {other}, {length}", bytes(changed)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_damaged_archive_gives_an_error_or_the_same_tensors(seed):
    data, whole, same = saved(), checkpoint(), 0
    for what, changed in mutations(data, seed, CASES):
        loaded = outcome(what, changed)
        if loaded is not None:  # the change fell on padding, a date, an attribute
            assert_same(loaded, whole, what)
            same += 1
    assert same < CASES * 0.6  # most of such a small archive is padding


def test_every_byte_of_the_records_is_guarded():
    data, whole = saved(), checkpoint()
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        needed = [i for i in z.infolist() if "/data" in i.filename and ".data" not in i.filename]
    for info in needed:
        header = data[info.header_offset : info.header_offset + 30]
        start = info.header_offset + 30 + sum(struct.unpack("<2H", header[26:30]))
        for at in range(start, start + info.file_size, 1 if DEEP else 7):
            changed = bytearray(data)
            changed[at] ^= 0x10
            with pytest.raises(RuntimeError, match="checksum"):
                load(bytes(changed))
    for at in range(0, len(data), 1 if DEEP else 23):
        loaded = outcome(f"cut at {at}", data[:at])
        assert loaded is None or assert_same(loaded, whole) is None


@pytest.mark.parametrize("legacy", [False, True], ids=["without checksums", "legacy"])
def test_damage_without_checksums_gives_an_error_or_plain_data(legacy):
    data = saved(_use_new_zipfile_serialization=not legacy)
    for what, changed in mutations(data, 4, CASES):
        check_plain(outcome(what, changed, verify=False))


def test_a_damaged_pickle_under_a_right_checksum():
    with zipfile.ZipFile(io.BytesIO(saved())) as z:
        pickled = z.read("archive/data.pkl")
        storages = {i.filename.rpartition("/")[2]: z.read(i) for i in z.infolist() if "e/data/" in i.filename}
    tracemalloc.start()
    try:
        for what, changed in mutations(pickled, 5, CASES):
            check_plain(outcome(what, archive(changed, **storages)))
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
