"""Damaged checkpoints: whatever was flipped or lost, load ends soon in an error or with the saved data."""

import io
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from serialization_cases import archive, assert_same, load, outcome, raw

from minitorch2.serialization.plain import check_plain

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
CASES = 6000 if DEEP else 300  # mutated files of each kind, of which there are six


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


@pytest.fixture
def bounded_memory():
    """No case may take more than 200 MB; the files have a few kilobytes."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 200e6
    finally:
        tracemalloc.stop()


@pytest.mark.usefixtures("bounded_memory")
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


@pytest.mark.usefixtures("bounded_memory")
@pytest.mark.parametrize("legacy", [False, True], ids=["without checksums", "legacy"])
def test_damage_without_checksums_gives_an_error_or_plain_data(legacy):
    data = saved(_use_new_zipfile_serialization=not legacy)
    for what, changed in mutations(data, 4, CASES):
        check_plain(outcome(what, changed, verify=False))


@pytest.mark.usefixtures("bounded_memory")
def test_a_damaged_pickle_under_a_right_checksum():
    with zipfile.ZipFile(io.BytesIO(saved())) as z:
        pickled = z.read("archive/data.pkl")
        storages = {i.filename.rpartition("/")[2]: z.read(i) for i in z.infolist() if "e/data/" in i.filename}
    for what, changed in mutations(pickled, 5, CASES):
        check_plain(outcome(what, archive(changed, **storages)))


def test_what_torch_loads_altered_is_named_here():
    """torch does not check the archive's checksums: of files with a flipped byte it loads some, silently wrong."""
    data, whole = saved(), checkpoint()
    altered = 0
    for at in range(0, len(data), len(data) // 50):
        changed = bytearray(data)
        changed[at] ^= 0x55
        try:
            theirs = torch.load(io.BytesIO(bytes(changed)), weights_only=True)
            altered += differs(theirs, whole)
        except Exception:
            pass  # torch noticed
        loaded = outcome(f"byte {at}", bytes(changed))
        assert loaded is None or assert_same(loaded, whole) is None
    assert altered > 0  # else this test shows nothing


def differs(got, want) -> bool:
    pairs = [(got[name], value) for name, value in want.items()]
    return any(raw(a) != raw(b) if isinstance(b, torch.Tensor) else a != b for a, b in pairs)


def test_swapped_records_are_noticed():
    """Two storages of one size whose directory entries changed places: the records' own headers tell."""
    file = io.BytesIO()
    torch.save([torch.zeros(8), torch.ones(8)], file)
    data = file.getvalue()
    directory = data.index(b"PK\x01\x02")
    first, second = (data.index(f"archive/data/{key}".encode(), directory) for key in (0, 1))
    last = len("archive/data/")
    names = bytearray(data)
    names[first + last], names[second + last] = names[second + last], names[first + last]
    places = bytearray(data)  # the offset of a record's header is the last field before its name
    places[first - 4 : first], places[second - 4 : second] = places[second - 4 : second], places[first - 4 : first]
    for changed in (names, places):
        with pytest.raises(RuntimeError, match="no header of its own"):
            load(bytes(changed))
