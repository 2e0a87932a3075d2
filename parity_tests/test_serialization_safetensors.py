"""Safetensors files: what the safetensors library writes is read the same, and a lying table is refused."""

import json
import pickle
import struct

import numpy as np
import pytest
import safetensors.torch
import torch
from serialization_cases import ALLOWED, DTYPES, assert_same

from minitorch2 import serialization


def tensors():
    torch.manual_seed(0)
    state = {str(dtype): (torch.randn(2, 3) * 3).to(dtype) for dtype in DTYPES}
    return state | {"scalar": torch.tensor(1.5), "empty": torch.zeros(0, 4), "vector": torch.arange(5)}


@pytest.mark.parametrize("mmap", [False, True])
def test_reads_what_the_library_writes(tmp_path, mmap):
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(tensors(), path, metadata={"format": "pt"})
    loaded = serialization.load(path, mmap=mmap)
    want = torch.load(path)
    assert set(loaded) == set(want)
    assert_same({name: loaded[name] for name in want}, want)
    before = path.read_bytes()
    loaded["scalar"].numpy()[...] = 7
    assert path.read_bytes() == before
    with pytest.raises(RuntimeError, match="CUDA"):
        serialization.load(path, map_location="cuda")


def file_of(table, data: bytes) -> bytes:
    header = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(header)) + header + data


def entry(dtype="F32", shape=(2,), place=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(place)}


LIES = {
    "nothing": b"",
    "a huge table": struct.pack("<Q", 2**62) + b"{}",
    "a table longer than the file": struct.pack("<Q", 3) + b"{}",
    "no JSON": file_of(b"{", b""),
    "deep JSON": file_of(b"[" * 100_000, b""),
    "a long number": file_of(b"1" * 100_000, b""),
    "a list": file_of([], b""),
    "bytes left over": file_of({"a": entry()}, bytes(9)),
    "bytes missing": file_of({"a": entry()}, bytes(7)),
    "overlap": file_of({"a": entry(), "b": entry(place=(4, 12))}, bytes(12)),
    "the same place": file_of({"a": entry(), "b": entry()}, bytes(8)),
    "a hole": file_of({"a": entry(), "b": entry(place=(9, 17))}, bytes(17)),
    "another size": file_of({"a": entry(shape=(3,))}, bytes(8)),
    "an overflow": file_of({"a": entry(shape=(2**62, 2**62, 0, 4))}, bytes(8)),
    "a negative size": file_of({"a": entry(shape=(-2, -1))}, bytes(8)),
    "a fraction": file_of({"a": entry(shape=(2.0,))}, bytes(8)),
    "many dimensions": file_of({"a": entry(shape=(2, *[1] * 64))}, bytes(8)),
    "a name twice": file_of(json.dumps({"a": entry()}).replace("}}", '}, "a": 1}').encode(), bytes(8)),
    "an unknown field": file_of({"a": entry() | {"x": 1}}, bytes(8)),
    "a dtype that is none": file_of({"a": entry("F31")}, bytes(8)),
    "a dtype that is a list": file_of({"a": entry(["F32"])}, bytes(8)),
    "a bool of 2": file_of({"a": entry("BOOL", (8,))}, b"\2" * 8),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_lying_tables_are_refused(lie, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(file_of({"a": entry()}, np.ones(2, np.float32).tobytes()))
    assert serialization.load(path)["a"].tolist() == [1, 1]
    path.write_bytes(lie)
    for mmap in (False, True):
        with pytest.raises(ALLOWED) as error:
            serialization.load(path, mmap=mmap)
        assert isinstance(error.value, pickle.UnpicklingError | NotImplementedError)
