"""minitorch2 convert: every format to every other, bit for bit, read back by torch, safetensors and NumPy."""

import argparse
import collections
import itertools
import json
import os
import resource
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from cli_cases import Attack, Net, runner
from serialization_cases import DTYPES, raw

from minitorch2 import serialization
from minitorch2.cli import recast


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    return runner(capsys, tmp_path, monkeypatch)


def state():
    """Every dtype, and shapes with zeros and ones; no shared memory."""
    torch.manual_seed(0)
    content = {f"layer.{dtype}": (torch.randn(3, 4) * 9).to(dtype) for dtype in DTYPES}
    content["layer.nan"] = torch.tensor([0.0, -0.0, float("nan"), float("inf")])
    return content | {"layer.é": torch.ones(2), "step": torch.tensor(7), "empty": torch.zeros(0, 3)}


def bits(loaded) -> dict[str, tuple]:
    return {name: (str(t.dtype), tuple(t.shape), raw(t)) for name, t in loaded.items()}


def read_by_others(path: str) -> dict[str, tuple]:
    """What the format's own library reads."""
    if path.endswith(".npz"):
        with np.load(path) as archive:
            arrays = {name: archive[name] for name in archive}
        halves = {name for name, array in arrays.items() if array.dtype.names}
        tensors = {k: torch.from_numpy(v["bfloat16"].view(np.int16) if k in halves else v) for k, v in arrays.items()}
        return bits({k: v.view(torch.bfloat16) if k in halves else v for k, v in tensors.items()})
    if path.endswith(".json"):
        weight_map = json.loads(Path(path).read_text())["weight_map"]
        folder = os.path.dirname(path)
        return {n: bits(safetensors.torch.load_file(os.path.join(folder, s)))[n] for n, s in weight_map.items()}
    return bits(safetensors.torch.load_file(path) if path.endswith(".safetensors") else torch.load(path))


TARGETS = ["x.pt", "x.safetensors", "x.npz", "shards/model.safetensors.index.json"]


@pytest.mark.parametrize(
    "first, second", list(itertools.permutations(TARGETS, 2)), ids=lambda path: path.rpartition(".")[2]
)
def test_round_trips_are_bit_equal(first, second, command):
    torch.save(state(), "in.pth", _use_new_zipfile_serialization=False)
    want = bits(state())
    for source, target in (("in.pth", first), (first, second), (second, "back.pt")):
        status, out, err = command("convert", source, target, "--max-shard-size", 100)
        assert status == 0 and not err and out.startswith(f"{target}: ")
        assert read_by_others(target) == want
        assert bits(serialization.load(target)) == want


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("target", TARGETS[:3])
@pytest.mark.parametrize("in_memory", [0, 1 << 26])
def test_dtype_rounds_as_torch_does(dtype, target, in_memory, command, monkeypatch):
    monkeypatch.setattr(recast, "_IN_MEMORY", in_memory)  # 0: through the temporary file
    content = {k: v for k, v in state().items() if k != "layer.nan"} | {
        "large": torch.tensor([1e300, -1e300, 1.0], dtype=torch.float64),
        "t": torch.randn(5, 6).t(),
    }
    torch.save(content, "in.pt")
    status, out, _ = command("convert", "in.pt", target, "--dtype", dtype)
    assert status == 0 and sorted(os.listdir()) == sorted(["in.pt", target])
    to = getattr(torch, dtype)
    want = bits({k: v.to(to) if v.is_floating_point() else v for k, v in content.items()})
    assert read_by_others(target) == want
    # A nan stays one; which of its many bit patterns it gets in torch depends on the vector unit.
    torch.save({"nan": torch.tensor([0.0, -0.0, float("nan"), float("inf")])}, "in.pt")
    assert command("convert", "in.pt", target, "--dtype", dtype, "--force")[0] == 0
    assert str(serialization.load(target)["nan"].tolist()) == "[0.0, -0.0, nan, inf]"
    assert ("2 numbers of large became infinite" in out) == (dtype != "float64")


def nest():
    torch.manual_seed(0)
    net = torch.nn.Linear(2, 3)
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "parameter": net.weight}


def test_a_nest_keeps_everything_in_torchs_format(command):
    content = nest()
    torch.save(content, "in.pt", _use_new_zipfile_serialization=False)
    assert command("convert", "in.pt", "out.pt")[1].startswith("out.pt: everything of in.pt")
    loaded = torch.load("out.pt")
    assert loaded["epoch"] == 3 and loaded["optimizer"]["param_groups"] == content["optimizer"]["param_groups"]
    assert type(loaded["model"]) is collections.OrderedDict and loaded["model"]._metadata == content["model"]._metadata
    assert loaded["parameter"].data_ptr() == loaded["model"]["weight"].data_ptr()
    assert "_metadata were not kept" in command("convert", "in.pt", "part.pt", "--key", "model")[1]
    command("convert", "in.pt", "half.pt", "--dtype", "bfloat16")
    half = torch.load("half.pt")
    assert type(half["parameter"]) is torch.nn.Parameter and half["parameter"].requires_grad
    assert half["parameter"].dtype is torch.bfloat16 and half["model"]._metadata == content["model"]._metadata
    assert half["parameter"].data_ptr() == half["model"]["weight"].data_ptr()  # one view of one memory stays that
    assert half["optimizer"]["state"][0]["exp_avg"].dtype is torch.bfloat16


def test_what_would_be_lost_is_refused(command):
    content = nest()
    torch.save(content, "in.pt")
    for target in ("x.safetensors", "x.npz"):
        status, _, err = command("convert", "in.pt", target)
        assert status == 2 and "4 dicts of tensors" in err and "--key 'model'" in err
        status, _, err = command("convert", "in.pt", target, "--key", "modell")
        assert status == 2 and "no dict of tensors at --key 'modell'" in err and "'model'" in err
        status, out, _ = command("convert", "in.pt", target, "--key", "model")
        assert status == 0 and "_metadata were not kept" in out
        assert read_by_others(target) == bits(content["model"])
        command("convert", "in.pt", target, "--key", "optimizer.state.1", "--force")
        assert read_by_others(target) == bits(content["optimizer"]["state"][1])
    torch.save({"model": dict(content["model"]), "epoch": 3, "lr": [0.1]}, "in.pt")
    status, _, err = command("convert", "in.pt", "y.npz")
    assert status == 2 and "would be lost" in err and "epoch, lr" in err and not os.path.exists("y.npz")
    status, out, _ = command("convert", "in.pt", "y.npz", "--tensors-only")
    assert status == 0 and "left out: epoch, lr" in out and read_by_others("y.npz") == bits(content["model"])
    torch.save({"a": torch.ones(1), "b": 3}, "in.pt")
    assert "would be lost" in command("convert", "in.pt", "z.npz", "--key", "")[2]
    safetensors.torch.save_file({"a": torch.ones(1)}, "in.safetensors", {"format": "pt", "author": "me"})
    assert "metadata author would be lost" in command("convert", "in.safetensors", "z.npz")[2]
    assert command("convert", "in.safetensors", "z.npz", "--tensors-only")[0] == 0
    assert command("convert", "in.safetensors", "z.safetensors")[0] == 0
    assert serialization.safetensors.load_metadata("z.safetensors") == {"format": "pt", "author": "me"}
    for wrong in ([1, 2], {}, {"a": 1}, torch.ones(2), {1: torch.ones(2)}):
        torch.save(wrong, "in.pt")
        assert command("convert", "in.pt", "w.npz")[0] == 2


def test_only_and_strip_prefix(command):
    content = {"module.a.w": torch.ones(1), "module.a.b": torch.zeros(1), "module.c": torch.ones(2), "d": torch.ones(3)}
    torch.save(content, "in.pt")
    command("convert", "in.pt", "x.pt", "--only", "module.a.*", "--only", "*.c", "--strip-prefix", "module.")
    assert list(torch.load("x.pt")) == ["a.w", "a.b", "c"]
    status, out, _ = command("convert", "in.pt", "x.npz", "--strip-prefix", "module.")
    assert status == 0 and "kept as they are: d" in out and list(np.load("x.npz")) == ["a.w", "a.b", "c", "d"]
    assert "no tensor matches --only z*" in command("convert", "in.pt", "y.pt", "--only", "z*")[2]
    assert "begins with 'z'" in command("convert", "in.pt", "y.pt", "--strip-prefix", "z")[2]
    torch.save(content | {"c": torch.ones(1)}, "in.pt")
    assert "one name" in command("convert", "in.pt", "y.pt", "--strip-prefix", "module.")[2]


def test_shared_memory(command):
    base = torch.arange(12.0).view(3, 4)
    content = {
        "a": base,
        "tied": base,
        "part": base[1:, :2],
        "t": base.t(),
        "row": base[0].expand(5, 4),
        "b": base[:1] + 1,
    }
    torch.save(content, "in.pt")
    for target in TARGETS[1:]:
        status, out, _ = command("convert", "in.pt", target, "--max-shard-size", 60)
        assert status == 0 and "copies were written of tensors that share memory: tied, part, t, row" in out
        assert read_by_others(target) == bits(content)
    command("convert", "in.pt", "x.pt", "--only", "*")
    loaded = torch.load("x.pt")
    assert bits(loaded) == bits(content) and loaded["t"].data_ptr() == loaded["a"].data_ptr()
    status, out, _ = command("convert", "in.pt", "half.pt", "--dtype", "float16")
    assert "views of one memory became copies in float16: part, t, row" in out
    loaded = torch.load("half.pt")
    assert loaded["tied"].data_ptr() == loaded["a"].data_ptr() and loaded["row"].stride() == (0, 1)


def test_a_little_memory_that_claims_to_be_much_is_not_written_out(command):
    torch.save(
        {"w": torch.ones(1).expand(10**6, 10**6), "v": torch.zeros(100).as_strided((10,) * 10, (1,) * 10)}, "in.pt"
    )
    for target in ("x.safetensors", "x.npz"):
        status, _, err = command("convert", "in.pt", target)
        assert status == 2 and "repeat 368 B of memory so often that 4.0 TB would be written" in err
    assert command("convert", "in.pt", "x.pt")[0] == 0 and os.path.getsize("x.pt") < 5000
    assert command("convert", "in.pt", "y.pt", "--dtype", "float16")[0] == 2
    assert command("convert", "in.pt", "y.pt", "--dtype", "float16", "--only", "w")[0] == 0
    assert torch.load("y.pt")["w"].shape == (10**6, 10**6) and os.path.getsize("y.pt") < 5000


def test_existing_files_need_force(command):
    torch.save({"w": torch.ones(1000)}, "x.pt")
    before = Path("x.pt").read_bytes()
    status, _, err = command("convert", "x.pt", "x.pt", "--dtype", "float16")
    assert status == 2 and "is IN itself already; --force" in err and Path("x.pt").read_bytes() == before
    assert command("convert", "x.pt", "x.pt", "--dtype", "float16", "--force")[0] == 0
    assert torch.load("x.pt")["w"].dtype is torch.float16 and os.listdir() == ["x.pt"]
    Path("y.npz").write_bytes(b"mine")
    assert "is there already" in command("convert", "x.pt", "y.npz")[2]
    index = "shards/model.safetensors.index.json"
    assert command("convert", "x.pt", index)[1].startswith("shards/model.safetensors: 1 tensor")  # one file suffices
    assert "holds a model already" in command("convert", "x.pt", index)[2]
    torch.save({"w": torch.ones(3), "v": torch.ones(3)}, "x.pt")
    assert command("convert", "x.pt", index, "--force", "--max-shard-size", 12)[1].endswith("in 3 files\n")
    assert command("convert", index, index, "--force", "--max-shard-size", "1GB")[0] == 0  # IN's own shards go last
    assert os.listdir("shards") == ["model.safetensors"] and len(serialization.load("shards/model.safetensors")) == 2


def test_errors_leave_what_was_there(command):
    torch.save({"w": torch.ones(10)}, "x.pt")
    Path("y.safetensors").write_bytes(b"mine")
    data = bytearray(Path("x.pt").read_bytes())
    data[data.index(np.float32(1).tobytes() * 10) + 3] ^= 1
    Path("bad.pt").write_bytes(data)
    for arguments, match in (
        (("x.pt", "x.zip"), "which format to write"),
        (("x.pt", "other.index.json"), "model.safetensors.index.json"),
        (("x.pt", "none/x.npz"), "folder none does not exist"),
        (("none.pt", "y.npz"), "No such file"),
        (("bad.pt", "y.safetensors", "--force"), "checksum"),
        (("x.pt", "x.safetensors", "--compress"), "--compress is for .npz"),
        (("x.pt", "s/model.safetensors.index.json", "--max-shard-size", "much"), "max_shard_size"),
    ):
        status, out, err = command("convert", *arguments)
        assert status == 2 and not out and match in err, arguments
    assert Path("y.safetensors").read_bytes() == b"mine"
    assert sorted(name for name in os.listdir() if name != "s") == ["bad.pt", "x.pt", "y.safetensors"]
    command("convert", "x.pt", "z.npz", "--compress")
    assert np.load("z.npz")["w"].tolist() == [1] * 10


def test_tensors_are_taken_out_of_files_that_run_code(command, tmp_path):
    weights = {"w": torch.ones(2, 3), "b": torch.zeros(3)}
    torch.save({"model": weights, "evil": Attack(os.system, ("touch x",)), "args": argparse.Namespace(lr=1)}, "in.pt")
    status, _, err = command("convert", "in.pt", "x.safetensors")
    assert status == 2 and "build nothing else: --tensors-only" in err
    for options in (["--tensors-only"], ["--key", "model"]):
        status, out, _ = command("convert", "in.pt", "x.safetensors", "--force", *options)
        assert status == 0 and "left out, and not built: os.system, argparse.Namespace" in out
        assert read_by_others("x.safetensors") == bits(weights)
    net = Net()
    torch.save(net, "in.pt")
    for target in ("x.npz", "y.pt"):
        assert command("convert", "in.pt", target, "--tensors-only")[0] == 0
        assert read_by_others(target) == bits(net.state_dict())
    assert sorted(os.listdir(tmp_path)) == ["in.pt", "x.npz", "x.safetensors", "y.pt"]


def test_memory_stays_bounded(command):
    """300 MB of zeros in a file without any blocks, mapped and written in pieces."""
    for dtype in ("float16", "bfloat16"):  # whose loops may have to be compiled, which takes memory, too
        safetensors.torch.save_file({"w": torch.zeros(100_000)}, "small.safetensors")
        assert command("convert", "small.safetensors", "small.pt", "--dtype", dtype, "--force")[0] == 0
    count = 75_000_000
    table = json.dumps({"w": {"dtype": "F32", "shape": [count], "data_offsets": [0, 4 * count]}}).encode()
    table += b" " * (-len(table) % 8)
    Path("in.safetensors").write_bytes(len(table).to_bytes(8, "little") + table)
    os.truncate("in.safetensors", 8 + len(table) + 4 * count)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    tracemalloc.start()
    try:
        for target, options in (
            ("x.pt", ["--dtype", "float16"]),
            ("x.npz", []),
            ("x.safetensors", ["--dtype", "bfloat16"]),
        ):
            assert command("convert", "in.safetensors", target, *options)[0] == 0
        assert tracemalloc.get_traced_memory()[1] < 100e6  # of which 64 MB are the file's buffers and chunks
        # A disk that is full is an error like any other, also for the temporary file.
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000_000, limits[1]))
        status, _, err = command("convert", "in.safetensors", "y.pt", "--dtype", "float16")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        tracemalloc.stop()
    assert status == 2 and "File too large" in err and not os.path.exists("y.pt")
    assert serialization.load("x.pt", mmap=True)["w"].shape == (count,)
