"""Memory as bytes: untyped_storage, UntypedStorage and files that are mapped."""

import os
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import torch
from side_by_side import same

import minitorch2 as mt

pytestmark = pytest.mark.filterwarnings("ignore:TypedStorage:UserWarning")


@pytest.fixture
def numbers(tmp_path):
    """A file of the bytes 0 to 19, made anew at every call."""

    def make():
        path = tmp_path / "numbers"
        path.write_bytes(bytes(range(20)))
        return str(path)

    return make


def test_bytes_of_a_file(numbers):
    def run(lib):
        path = numbers()
        storage = lib.UntypedStorage.from_file(path, False, 20)
        part = lib.asarray(storage[3:7], dtype=lib.uint8)
        part[0] = 99  # seen by the storage, not by the file
        wide = lib.asarray(storage[4:12], dtype=lib.int32)
        with open(path, "rb") as file:
            kept = file.read()[3]
        sizes = len(storage), storage.nbytes(), storage[2:5].size(), storage.element_size()
        return part, wide, storage[3], storage[-1], storage.tolist(), kept, sizes, storage.untyped() is storage

    same(run)


def test_a_shared_file_is_written(numbers, tmp_path):
    def run(lib):
        path = numbers()
        storage = lib.UntypedStorage.from_file(path, True, 30)
        storage[0] = 77
        del storage
        new = tmp_path / lib.__name__
        lib.from_file(str(new), True, 3).fill_(1.5)
        with open(path, "rb") as file:
            return file.read()[0], os.path.getsize(path), lib.from_file(str(new), size=3), os.path.getsize(new)

    same(run)


@pytest.mark.parametrize(
    "action",
    [
        lambda lib, path: lib.UntypedStorage.from_file(path, False, 30),
        lambda lib, path: lib.UntypedStorage.from_file(path + " that is not there", False, 3),
        lambda lib, path: lib.UntypedStorage.from_file(path, False, 20)[20],
        lambda lib, path: lib.UntypedStorage.from_file(path, False, 20)[::2],
        lambda lib, path: lib.UntypedStorage.from_file(path, False, 20).__setitem__(0, 1.5),
        lambda lib, path: len(lib.UntypedStorage.from_file(path)),
        lambda lib, path: lib.from_file(path, size=5, dtype=lib.int32),
        lambda lib, path: lib.from_file(path, size=6, dtype=lib.int32),
    ],
)
def test_what_is_refused(action, numbers):
    path = numbers()
    same(lambda lib: action(lib, path))


def test_storages_of_tensors():
    def run(lib):
        x = lib.arange(6, dtype=lib.int16).reshape(2, 3)
        storage = x.t().untyped_storage()
        storage[2] = 9
        storage[4:6] = 3
        return x, len(lib.UntypedStorage(4)), lib.asarray(x.untyped_storage(), dtype=lib.int16)

    same(run)


def test_memory_with_gaps_has_no_bytes():
    with pytest.raises(NotImplementedError, match="gaps"):
        mt.from_numpy(np.ndarray((2,), "f", bytearray(16), 0, (8,))).untyped_storage().tolist()


def test_safetensors_reads_through_storages(tmp_path):
    """The package's own torch.py, as a program that has minitorch2 for torch meets it, in a process of its own."""
    path = str(tmp_path / "weights.safetensors")
    state = {"w": torch.arange(6.0).reshape(2, 3), "h": torch.ones(3, dtype=torch.bfloat16), "n": torch.tensor(3)}
    safetensors.torch.save_file(state, path)
    program = (
        "import minitorch2.alias; minitorch2.alias.install()\n"
        "from safetensors.torch import load_file, save_file\n"
        f"found = load_file({path!r}); found['w'] += 1\n"
        f"save_file(found, {path + '2'!r}); print(type(found['w']))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout == "<class 'torch.Tensor'>\n", run.stderr
    found = safetensors.torch.load_file(path + "2")
    assert torch.equal(found["w"], state["w"] + 1) and torch.equal(found["h"], state["h"]) and found["n"] == 3


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_storage_of_numbers():
    def run(lib):
        x = lib.arange(6.0, device="cpu").reshape(2, 3)
        found = x[1:].storage()
        found[2] = 9.5
        sizes = found.size(), len(found), found.nbytes(), found.element_size(), str(found.dtype), found[1]
        return x, sizes, list(found), repr(found), repr(lib.arange(3, device="cpu").storage())

    same(run)


def test_detached_views_keep_their_place_in_memory():
    def run(lib):
        whole = lib.zeros(12, device="cpu")
        views = whole[6:].detach(), whole[6:].data, lib.nn.Parameter(whole[6:]), whole.view(3, 4)[1:, 2:].t()
        address = whole.untyped_storage().data_ptr()
        return [
            (v.storage_offset(), v.untyped_storage().nbytes(), v.untyped_storage().data_ptr() == address) for v in views
        ]

    same(run)
