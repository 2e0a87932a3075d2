"""Sharded checkpoints, as Hugging Face lays them out: written, read as one, and refused where they do not fit."""

import json
import os
import pickle
import tracemalloc

import pytest
import safetensors.torch
import torch
from serialization_cases import assert_same, raw, tensor_of

import minitorch2
from minitorch2 import serialization
from minitorch2.serialization import sharded

WANT = {f"layer{i}.weight": torch.randn(10, 10, generator=torch.Generator().manual_seed(i)) for i in range(5)}


def ours():
    return {name: tensor_of(tensor) for name, tensor in WANT.items()}


def index_of(folder, weight_map, name="model.safetensors.index.json"):
    path = folder / name
    path.write_text(json.dumps({"metadata": {"total_size": 2000}, "weight_map": weight_map}))
    return path


def written_by_torch(folder):
    """Two shards, and an index in another order than theirs."""
    names = list(WANT)
    parts = {"model-00001-of-00002.safetensors": names[:2], "model-00002-of-00002.safetensors": names[2:]}
    for shard, part in parts.items():
        safetensors.torch.save_file({name: WANT[name] for name in part}, folder / shard, {"format": "pt"})
    return index_of(folder, {name: shard for shard, part in parts.items() for name in reversed(part)})


@pytest.mark.parametrize("mmap", [False, True])
def test_shards_are_read_as_one(tmp_path, mmap):
    path = written_by_torch(tmp_path)
    for loaded in (serialization.load(path, mmap=mmap), sharded.load_file(str(path), mmap=mmap)):
        assert list(loaded) == list(json.loads(path.read_text())["weight_map"])
        assert {k: raw(v) for k, v in loaded.items()} == {k: raw(v) for k, v in WANT.items()}
    with pytest.raises(RuntimeError, match="CUDA"):
        serialization.load(path, map_location="cuda")


@pytest.mark.parametrize("legacy", [False, True])
def test_shards_of_torch_save(tmp_path, legacy):
    names = list(WANT)
    parts = {"pytorch_model-00001-of-00002.bin": names[:3], "pytorch_model-00002-of-00002.bin": names[3:]}
    for shard, part in parts.items():
        torch.save({n: WANT[n] for n in part}, tmp_path / shard, _use_new_zipfile_serialization=not legacy)
    weight_map = {name: shard for shard, part in parts.items() for name in part}
    path = index_of(tmp_path, weight_map, "pytorch_model.bin.index.json")
    for mmap in (False, True):
        assert_same(serialization.load(path, mmap=mmap), WANT)
    torch.save([1], tmp_path / "pytorch_model-00002-of-00002.bin")
    with pytest.raises(pickle.UnpicklingError, match="no dict of names to tensors"):
        serialization.load(path)


def test_saves_as_hugging_face_does(tmp_path):
    names = sharded.save_sharded(ours(), tmp_path, max_shard_size="1KB")  # 400 bytes each: two in a shard
    assert names == [*(f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)), "model.safetensors.index.json"]
    index = json.loads((tmp_path / names[-1]).read_text())
    assert index["metadata"] == {"total_size": 2000}
    assert [index["weight_map"][name] for name in WANT] == [names[0], names[0], names[1], names[1], names[2]]
    for shard in names[:-1]:
        part = {name: WANT[name] for name in WANT if index["weight_map"][name] == shard}
        safetensors.torch.save_file(part, tmp_path / "one", {"format": "pt"})
        assert (tmp_path / shard).read_bytes() == (tmp_path / "one").read_bytes()
    # Any file of any tensor larger than the limit; then one file alone, and nothing left of the old ones.
    assert len(sharded.save_sharded(ours(), tmp_path, 100)) == 6
    loaded = sharded.load_file(tmp_path / names[-1])
    assert sharded.save_sharded(loaded, tmp_path) == ["model.safetensors"]
    assert sorted(os.listdir(tmp_path)) == ["model.safetensors", "one"]
    assert {k: raw(v) for k, v in serialization.load(tmp_path / "model.safetensors").items()} == {
        k: raw(v) for k, v in WANT.items()
    }


def test_errors_of_save_sharded(tmp_path):
    with pytest.raises(ValueError, match="max_shard_size"):
        sharded.save_sharded(ours(), tmp_path, "5 bananas")
    base = minitorch2.ones(4)
    with pytest.raises(RuntimeError, match="share memory"):  # also where they would lie in different shards
        sharded.save_sharded({"a": base, "b": base}, tmp_path, 1)
    assert os.listdir(tmp_path) == []
    assert [sharded.parse_size(s) for s in ("5GB", "1 kb", "2MiB", 7)] == [5 * 10**9, 1000, 2**21, 7]


@pytest.mark.parametrize(
    "shard", ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", "a\\b.bin", "a\0.bin", "x.py"]
)
def test_an_index_that_points_elsewhere_is_refused(tmp_path, shard):
    folder = tmp_path / "model"
    folder.mkdir()
    safetensors.torch.save_file({"a": torch.ones(2)}, tmp_path / "secret.safetensors")
    with pytest.raises(pickle.UnpicklingError, match=r"no file beside it|of no known kind"):
        serialization.load(index_of(folder, {"a": shard}))


def test_what_is_missing_or_too_much_is_named(tmp_path):
    path = written_by_torch(tmp_path)
    weight_map = json.loads(path.read_text())["weight_map"]
    first, second = sorted(set(weight_map.values()))
    index_of(tmp_path, {**weight_map, "head": second, "layer0.weight": second})
    with pytest.raises(RuntimeError, match=f"'{first}' has 'layer0.weight', which the index does not place there"):
        serialization.load(path)
    index_of(tmp_path, {**weight_map, "head": second})
    with pytest.raises(RuntimeError, match=f"'{second}' lacks 'head'"):
        serialization.load(path)
    index_of(tmp_path, weight_map)
    os.unlink(tmp_path / second)
    with pytest.raises(FileNotFoundError, match=f"1 of the 2 shards.*'{second}'"):
        serialization.load(path)
    os.symlink(tmp_path / first, tmp_path / second)  # as Hugging Face's cache has them; but of another content
    with pytest.raises(RuntimeError, match="of one checkpoint"):
        serialization.load(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"weight_map": []}',
        '{"weight_map": {"a": 1}}',
        "[" * 100_000,
        '{"weight_map":{"a":"x","a":"y"}}',
    ],
)
def test_an_index_that_makes_no_sense_is_refused(tmp_path, text):
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(text)
    with pytest.raises(pickle.UnpicklingError, match="the index of this sharded checkpoint"):
        serialization.load(path)


def test_shards_are_mapped_lazily(tmp_path):
    table = json.dumps({"w": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}).encode()
    names = [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]
    for i, name in enumerate(names):
        table_i = table.replace(b'"w"', b'"w%d"' % i)
        table_i += b" " * (-len(table_i) % 8)
        (tmp_path / name).write_bytes(len(table_i).to_bytes(8, "little") + table_i)
        try:
            os.truncate(tmp_path / name, 8 + len(table_i) + 4 * 10**9)
        except OSError as error:
            pytest.skip(f"the file system has no sparse files of that size ({error})")
    path = index_of(tmp_path, {f"w{i}": name for i, name in enumerate(names)})
    tracemalloc.start()
    try:
        loaded = sharded.load_file(path)
        assert [loaded[f"w{i}"][-1].item() for i in range(3)] == [0, 0, 0]
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()
