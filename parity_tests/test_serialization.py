"""Checkpoints: what torch.save wrote minitorch2 loads the same, and the other way round."""

import io
import os
import pickle
import struct
import sys
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from serialization_cases import (
    DTYPES,
    assert_same,
    nests,
    our_bytes,
    raw,
    root_of,
    tensor_of,
    tensors_of_few_storages,
    torch_bytes,
)

import minitorch2
from minitorch2 import serialization
from minitorch2.nn.parameter import Buffer, Parameter
from minitorch2.serialization.zip_writer import ZipWriter
from minitorch2.tensor import Tensor


def without_id(data: bytes) -> list:
    """All records but the identifier, which torch draws from the content in its own way."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [
            (i.filename, i.header_offset, i.flag_bits, archive.read(i))
            for i in archive.infolist()
            if "serialization_id" not in i.filename
        ]


def training_checkpoint():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(16, 2)
    )
    optimizers = {
        "adam": torch.optim.Adam(model.parameters(), amsgrad=True),
        "sgd": torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True),
    }
    schedulers = {
        "multistep": torch.optim.lr_scheduler.MultiStepLR(optimizers["sgd"], [2, 5, 5]),
        "cosine": torch.optim.lr_scheduler.CosineAnnealingLR(optimizers["adam"], 10),
        "lambda": torch.optim.lr_scheduler.LambdaLR(optimizers["sgd"], lambda epoch: 0.9**epoch),
    }
    for _ in range(2):
        model(torch.randn(3, 1, 4, 4)).sum().backward()
        for each in (*optimizers.values(), *schedulers.values()):
            each.step()
    return {
        "model": model.state_dict(),
        "optimizer": {name: o.state_dict() for name, o in optimizers.items()},
        "scheduler": {name: s.state_dict() for name, s in schedulers.items()},
        "rng": torch.get_rng_state(),
        "epoch": 7,
        "best": (0.25, [1, None, "x"]),
        "args": {"lr": 1e-3, "dtype": torch.bfloat16, "shape": torch.Size([2, 3])},
    }


@given(nests(), st.booleans())
def test_loads_what_torch_saves(nest, legacy):
    assert_same(serialization.load(torch_bytes(nest, _use_new_zipfile_serialization=not legacy)), nest)


@given(nests())
def test_torch_loads_what_we_save(nest):
    loaded = serialization.load(torch_bytes(nest))
    again = torch.load(our_bytes(loaded), weights_only=True)
    assert_same(loaded, again)
    assert_same(serialization.load(our_bytes(loaded)), nest)


@given(tensors_of_few_storages())
def test_torch_loads_tensors_made_here(references):
    ours = [tensor_of(reference) for reference in references]
    for got, want in zip(torch.load(our_bytes(ours)), ours, strict=True):
        assert raw(got) == raw(want) and tuple(got.shape) == tuple(want.shape) and str(got.dtype) == str(want.dtype)


def test_a_training_checkpoint_goes_both_ways():
    checkpoint = training_checkpoint()
    loaded = serialization.load(torch_bytes(checkpoint))
    assert_same(loaded, checkpoint)
    assert_same(loaded, torch.load(our_bytes(loaded), weights_only=True))


def test_a_state_dict_is_written_byte_for_byte_as_torch_does():
    layers = {
        "conv": torch.nn.Conv2d(1, 4, 3),
        "norm": torch.nn.BatchNorm2d(4),
        "out": torch.nn.Linear(16, 2),
    }
    theirs = torch_bytes(torch.nn.ModuleDict(layers).bfloat16().state_dict())
    assert without_id(our_bytes(serialization.load(theirs)).getvalue()) == without_id(theirs.getvalue())


def test_the_same_object_gives_the_same_bytes():
    text = "".join(["lo", "ss"])  # equal to the literal, another object
    first = our_bytes({"loss": [1.0, "loss"], "tags": {"b", "a", "c"}, "w": Tensor._wrap(np.ones(3, np.float32))})
    second = our_bytes({text: [1.0, text], "tags": {"c", "b", "a"}, "w": Tensor._wrap(np.ones(3, np.float32))})
    assert first.getvalue() == second.getvalue()
    third = our_bytes({"loss": [1.0, "loss"], "tags": {"a", "b", "c"}, "w": Tensor._wrap(np.zeros(3, np.float32))})
    ids = [zipfile.ZipFile(f).read("archive/.data/serialization_id") for f in (first, third)]
    assert ids[0] != ids[1] and all(len(i) == 40 and i.isdigit() for i in ids)


def test_tied_weights_stay_tied_and_views_stay_views():
    buffer = np.arange(12, dtype=np.float32)
    whole, part = Tensor._wrap(buffer.reshape(3, 4)), Tensor._wrap(buffer.reshape(3, 4).T[1:])
    parameter = Parameter(whole)
    state = {"whole": whole, "part": part, "p": parameter, "q": parameter}
    for loaded in (serialization.load(our_bytes(state)), torch.load(our_bytes(state))):
        assert loaded["p"] is loaded["q"]
        loaded["whole"].numpy()[0, 1] = 100.0
        assert loaded["part"].tolist()[0][0] == loaded["p"].tolist()[0][1] == 100.0
    assert len([n for n in zipfile.ZipFile(our_bytes(state)).namelist() if "/data/" in n]) == 1


def test_arrays_torch_cannot_describe_are_saved_by_value():
    base = np.arange(6, dtype=np.float32)
    misaligned = np.frombuffer(b"x" + base.tobytes(), np.uint8)[1:].view(np.float32)
    state = [
        Tensor._wrap(base[::-1]),
        Tensor._wrap(misaligned),
        Tensor._wrap(np.broadcast_to(base[:1], (2, 3))),
    ]
    backwards, shifted, expanded = torch.load(our_bytes(state))
    assert backwards.tolist() == [5, 4, 3, 2, 1, 0] and shifted.tolist() == [0, 1, 2, 3, 4, 5]
    assert expanded.stride() == (0, 0) and expanded.tolist() == [[0.0] * 3] * 2


def test_one_memory_under_two_dtypes_is_refused_as_in_torch():
    array = np.zeros(4, np.float32)
    with pytest.raises(RuntimeError, match="view the same data as different types"):
        our_bytes([Tensor._wrap(array), Tensor._wrap(array.view(np.int32))])


def test_attributes_of_tensors_and_buffers():
    tensor, parameter = torch.ones(2), torch.nn.Parameter(torch.ones(2))
    tensor.tag, parameter.lr_scale = {"a": 1}, 0.5
    saved = [tensor, parameter, torch.nn.Buffer(torch.ones(1), persistent=False)]
    ours = serialization.load(torch_bytes(saved))
    theirs = torch.load(our_bytes(ours))
    for tensor, parameter, buffer in (ours, theirs):
        assert tensor.tag == {"a": 1} and parameter.lr_scale == 0.5 and buffer.persistent is False
    assert type(ours[2]) is Buffer and isinstance(theirs[2], torch.nn.Buffer)


@pytest.mark.parametrize("swap", [False, True], ids=["own order", "other order"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_byte_order(dtype, swap, tmp_path):
    tensor = torch.tensor([1, 0, 1]).to(dtype)
    data = torch_bytes(tensor).getvalue()
    if swap:
        records = {
            i.filename: zipfile.ZipFile(io.BytesIO(data)).read(i) for i in zipfile.ZipFile(io.BytesIO(data)).infolist()
        }
        records["archive/byteorder"] = {"little": b"big", "big": b"little"}[sys.byteorder]
        size = tensor.element_size()
        records["archive/data/0"] = (
            np.frombuffer(records["archive/data/0"], f"V{size}").view(f"u{size}").byteswap().tobytes()
        )
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in records.items():
                archive.writestr(name, content)
        data = file.getvalue()
    assert_same(serialization.load(io.BytesIO(data)), tensor)
    path = tmp_path / "x.pt"
    path.write_bytes(data)
    assert_same(serialization.load(path, mmap=True), tensor)


def test_paths_and_positions(tmp_path):
    state = [Tensor._wrap(np.arange(3.0))]
    for name in ("model.pt", "no extension", "é.pt", ".hidden", "two.dots.pth"):
        serialization.save(state, tmp_path / name)
        assert torch.load(tmp_path / name)[0].tolist() == [0, 1, 2]
        assert raw(serialization.load(str(tmp_path / name))[0]) == raw(state[0])
    assert zipfile.ZipFile(tmp_path / "two.dots.pth").namelist()[0] == "two.dots/data.pkl"
    file = io.BytesIO(b"header")
    file.seek(6)
    serialization.save(state, file)
    file.seek(6)
    assert raw(serialization.load(file)[0]) == raw(state[0])
    with pytest.raises(AttributeError, match="write"):
        serialization.save(state, 3)
    with pytest.raises(AttributeError, match="seek"):
        serialization.load(3)
    with pytest.raises(FileNotFoundError):
        serialization.load(tmp_path / "missing.pt")


def test_map_location():
    saved = torch_bytes([torch.ones(2)]).getvalue()

    def load(map_location):
        return serialization.load(io.BytesIO(saved), map_location)[0]._data.tolist()

    seen = []
    for location in (
        None,
        "cpu",
        serialization.load(torch_bytes(torch.device("cpu"))),
        {"cuda:0": "cpu"},
        b"cpu",
    ):
        assert load(location) == [1, 1]
    assert load(lambda storage, location: seen.append((storage.nbytes(), location))) == [1, 1]
    assert load(lambda storage, location: storage) == [1, 1] and seen == [(8, "cpu")]
    for location in ("cuda", "cuda:1", {"cpu": "cuda:0"}, lambda storage, location: storage.nothing):
        with pytest.raises((RuntimeError, AttributeError), match=r"CUDA device.*map_location='cpu'|nothing"):
            load(location)
    with pytest.raises(RuntimeError, match="don't know how to restore data location"):
        load("abacus")
    with pytest.raises(TypeError, match="map_location must return"):
        load(lambda storage, location: 5)


def test_files_from_a_gpu():
    with zipfile.ZipFile(torch_bytes([torch.ones(2)])) as archive:
        data = archive.read("archive/data.pkl").replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
        storage = archive.read("archive/data/0")
    file = io.BytesIO()
    writer = ZipWriter(file, "archive")
    writer.write_record("data.pkl", data)
    writer.write_record("data/0", storage)
    writer.write_record("version", b"3\n")
    writer.finish()
    for load in (serialization.load, torch.load):
        with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device"):
            load(io.BytesIO(file.getvalue()))
        assert load(io.BytesIO(file.getvalue()), map_location="cpu")[0].tolist() == [1, 1]


@pytest.mark.parametrize("verify", [True, False])
def test_mmap_is_copy_on_write(tmp_path, verify):
    path = tmp_path / "model.pt"
    checkpoint = {"w": torch.arange(10.0), "v": torch.zeros(0), "h": torch.ones(3, 2).half().t()}
    torch.save(checkpoint, path)
    before = path.read_bytes()
    loaded = serialization.load(path, mmap=True, verify=verify)
    assert_same(loaded, checkpoint)
    loaded["w"]._data[:] = -1
    assert path.read_bytes() == before
    serialization.save(loaded, path)  # over the very file that is mapped
    assert torch.load(path, mmap=True)["w"].tolist() == [-1.0] * 10
    assert loaded["h"]._data.tolist() == [[1.0] * 3] * 2
    with pytest.raises(ValueError, match="path"):
        serialization.load(io.BytesIO(before), mmap=True)


def test_the_legacy_format_is_mapped_too(tmp_path):  # torch refuses
    path = tmp_path / "model.pt"
    base = torch.arange(10.0)
    checkpoint = {"w": base, "v": torch.zeros(0), "part": base[3:].view(7, 1), "mask": torch.tensor([True, False])}
    torch.save(checkpoint, path, _use_new_zipfile_serialization=False)
    before = path.read_bytes()
    loaded = serialization.load(path, mmap=True)
    assert_same(loaded, checkpoint)
    loaded["w"]._data[:] = -1
    assert loaded["part"].tolist() == [[-1]] * 7 and path.read_bytes() == before
    for end in (-1, -9, -50):  # inside or before some storage: their order changes from run to run
        path.write_bytes(before[:end])
        for mmap in (False, True):
            with pytest.raises(EOFError, match="cut short"):
                serialization.load(path, mmap=mmap)


def test_torch_can_compute_where_our_storages_lie(tmp_path):
    from torch.utils.serialization import config

    path = tmp_path / "model.pt"
    state = {str(i): Tensor._wrap(np.full(i, i, np.float32)) for i in (3, 0, 100, 1)}
    serialization.save(state, path)
    config.load.calculate_storage_offsets = True
    try:
        loaded = torch.load(path, mmap=True)
    finally:
        config.load.calculate_storage_offsets = False
    for name, tensor in state.items():
        assert raw(loaded[name]) == raw(tensor)


class SparseFile(io.FileIO):
    """Leaves holes where zeros are written, so that gigabytes cost nothing on the disk."""

    def write(self, data):
        data = memoryview(data)
        if len(data) == 1 << 24 and not data.tobytes().strip(b"\0"):
            self.seek(len(data), os.SEEK_CUR)
            return len(data)
        return super().write(data)


def test_a_legacy_file_larger_than_the_memory(tmp_path):
    size = int(1.5 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) // 4
    saved = torch_bytes([torch.zeros(3)], _use_new_zipfile_serialization=False).getvalue()
    few, many = b"K\x03", pickle.dumps(size, 2)[2:-1]  # the number in the pickle, in the storage and in the tensor
    saved = saved.replace(few + b"N", many + b"N").replace(few + b"\x85", many + b"\x85")
    path = tmp_path / "model.pt"
    with open(path, "wb") as file:
        file.write(saved[: -8 - 12] + struct.pack("<Q", size))
        file.truncate(file.tell() + 4 * size)  # a hole, which takes no room on the disk
    (loaded,) = serialization.load(path, mmap=True)
    assert loaded.shape == (size,) and loaded[0].item() == loaded[-1].item() == 0


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("HYPOTHESIS_PROFILE") != "deep", reason="moves 9 GB through a checksum")
def test_more_than_four_gigabytes(tmp_path):
    path = tmp_path / "big.pt"
    big = np.memmap(tmp_path / "zeros", np.uint8, "w+", shape=2**32 + 2**24)
    state = [Tensor._wrap(big), Tensor._wrap(np.arange(5.0)), Tensor._wrap(np.zeros(0))]
    with SparseFile(path, "w") as file:
        serialization.save(state, file)
    for loaded in (torch.load(path, mmap=True), serialization.load(path, mmap=True)):
        assert loaded[0].shape[0] == big.size and loaded[1].tolist() == [0, 1, 2, 3, 4]


def test_plain_containers_keep_their_types():
    value = [
        OrderedDict(a=1),
        Counter("aab"),
        {1, 2},
        bytearray(b"xy"),
        b"",
        b"\xff",
        1 + 2j,
        "é\ud800",
        -(2**31) - 1,
    ]
    assert_same(serialization.load(our_bytes(value)), value)
    assert torch.load(our_bytes(value), weights_only=True) == value


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_every_pickle_protocol(protocol, legacy):
    value = {
        **training_checkpoint(),
        "numbers": [0, -1, 255, 2**31, -(2**70), 2**3000, 0.5, True, False, None],
        "bytes": [b"", b"x" * 300, bytearray(b"y" * 300), "z" * 300],
        "sets": [set(), {1, 2}, frozenset({(1, "a")})],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    }
    saved = torch_bytes(value, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy)
    assert_same(serialization.load(saved), value)


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "<i4", ">i8", "f2", ">f4", "f8", "c8", "c16"])
def test_numpy_values(dtype, protocol):
    whole = np.array([[0, 1, 2], [3, 4, 5]], dtype)
    arrays = [whole, whole.T, whole[:, 1:], whole[:0], np.array(1, dtype)]
    value = {"arrays": arrays, "again": arrays[0], "scalar": whole[1, 2], "best": np.float64(0.25)}
    loaded = serialization.load(torch_bytes(value, pickle_protocol=protocol))
    for got, want in zip(loaded["arrays"], pickle.loads(pickle.dumps(arrays, protocol)), strict=True):
        assert got.dtype == want.dtype and got.tolist() == want.tolist()
        assert got.shape == want.shape and (got.strides == want.strides or not want.size)
    assert loaded["again"] is loaded["arrays"][0]
    for name in ("scalar", "best"):
        assert type(loaded[name]) is type(value[name]) and loaded[name] == value[name]


def test_long_containers_are_written_in_batches():
    value = {"list": list(range(2500)), "dict": {i: str(i) for i in range(2001)}, "tuple": tuple(range(5))}
    assert serialization.load(our_bytes(value)) == torch.load(our_bytes(value)) == value


def test_each_root_is_one_buffer_after_a_load():
    loaded = serialization.load(torch_bytes([(t := torch.arange(6.0)), t[2:], t.view(2, 3).t()]))
    assert len({root_of(tensor) for tensor in loaded}) == 1


def small_training(framework):
    """A model, its optimizer and schedule after two steps, in torch or in minitorch2."""
    framework.manual_seed(0)
    nn, optim = framework.nn, framework.optim
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    optimizer = optim.AdamW(model.parameters(), lr=0.1)
    schedule = optim.lr_scheduler.MultiStepLR(optimizer, [1, 3])
    for _ in range(2):
        optimizer.zero_grad()
        model(framework.rand(5, 3)).pow(2).sum().backward()
        optimizer.step()
        schedule.step()
    return {"model": model, "optimizer": optimizer, "schedule": schedule}


@pytest.mark.parametrize("from_torch", [True, False])
def test_training_goes_on_in_the_other_framework(from_torch, tmp_path):
    source, target = (torch, minitorch2) if from_torch else (minitorch2, torch)
    path = tmp_path / "checkpoint.pt"
    saved, resumed = small_training(source), small_training(target)
    saved["optimizer"].param_groups[0]["lr"] = 0.05
    source.save({name: part.state_dict() for name, part in saved.items()}, path)
    checkpoint = target.load(path)
    for name, part in resumed.items():
        part.load_state_dict(checkpoint[name])
    assert resumed["optimizer"].param_groups[0]["lr"] == 0.05
    x = np.linspace(-1, 1, 15, dtype=np.float32).reshape(5, 3)
    for parts, framework in ((saved, source), (resumed, target)):
        for _ in range(2):
            parts["optimizer"].zero_grad()
            parts["model"](framework.from_numpy(x.copy())).pow(2).sum().backward()
            parts["optimizer"].step()
            parts["schedule"].step()
    assert saved["schedule"].get_last_lr() == resumed["schedule"].get_last_lr()
    for ours, theirs in zip(saved["model"].parameters(), resumed["model"].parameters(), strict=True):
        # Two steps of float32 arithmetic in another order; Adam divides by square roots of small squares.
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-4, atol=1e-5)
