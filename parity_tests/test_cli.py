"""minitorch2 inspect: it lists what torch loads and warns of what pickle.load would do; nothing in a file ever runs."""

import json
import os
import subprocess
import sys
import tarfile
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from cli_cases import reporter, runner
from serialization_cases import DTYPES

from minitorch2 import serialization
from minitorch2.cli import stats

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    return runner(capsys, tmp_path, monkeypatch)


@pytest.fixture
def report(command):
    return reporter(command)


def named(nest, name=""):
    """(dotted name, tensor) of all tensors in a nest, in order."""
    if isinstance(nest, torch.Tensor):
        yield name, nest
    elif isinstance(nest, dict | list | tuple):
        for key, value in nest.items() if isinstance(nest, dict) else enumerate(nest):
            yield from named(value, f"{name}.{key}" if name else str(key))


def training_checkpoint():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.randn(5, 3)).sum().backward()
    optimizer.step()
    tied = net[0].weight
    return {
        "model": net.state_dict() | {"tied": tied.detach(), "part": tied.detach()[1:].t()},
        "optimizer": optimizer.state_dict(),
        "all": [torch.arange(6).to(dtype) for dtype in DTYPES],
        "epoch": 3,
        "best": np.float64(0.5),
        "losses": [0.1 * i for i in range(1000)],
        "name": "a model",
    }


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}], ids=str)
def test_lists_what_torch_loads(report, command, options):
    content = training_checkpoint()
    torch.save(content, "x.pt", **options)
    seen = report("x.pt")
    want = list(named(content))
    assert [(t["name"], t["dtype"], tuple(t["shape"]), t["bytes"]) for t in seen["tensors"]] == [
        (name, str(t.dtype).removeprefix("torch."), tuple(t.shape), t.nbytes) for name, t in want
    ]
    sharing = {t["name"]: t["shares_memory_with"] for t in seen["tensors"] if t["shares_memory_with"]}
    assert sharing == {"model.tied": "model.0.weight", "model.part": "model.0.weight"}
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for _, t in want if t.numel()}
    totals = {"tensors": len(want), "elements": sum(t.numel() for _, t in want)}
    assert seen["totals"] == totals | {"storages": len(storages), "bytes": sum(storages.values())}
    others = {entry["name"]: entry["value"] for entry in seen["other"]}
    assert others["epoch"] == "3" and others["name"] == "'a model'" and others["best"] == "np.float64(0.5)"
    assert others["losses"].startswith("[0.0, 0.1, ") and others["losses"].endswith("...] (1,000 in all)")
    assert "'lr': 0.001, 'betas': (0.9, 0.999)" in others["optimizer.param_groups.0"]
    assert seen["loads"] and seen["complete"] and seen["bytes"] == os.path.getsize("x.pt")
    assert not (seen["runs_code"] or seen["builds_classes"] or seen["other_names"] or seen["unusual_opcodes"])
    status, out, err = command("inspect", "x.pt")
    assert status == 0 and not err
    for expected in ("model.0.weight", "shares memory with model.0.weight", "optimizer.state.0.exp_avg", "(4, 3)"):
        assert expected in out
    assert "runs no code that the file chooses" in out and "minitorch2.load reads it" in out


def test_long_lists_are_cut_and_all_shows_them(command):
    torch.save({f"w{i:03}": torch.zeros(i) for i in range(300)}, "x.pt")
    _, out, _ = command("inspect", "x.pt")
    assert "w039" in out and "w040" not in out and "... 250 more tensors (--all" in out and "w299" in out
    _, out, _ = command("inspect", "x.pt", "--all")
    assert all(f"w{i:03} " in out for i in range(300))


@pytest.mark.parametrize("size", [7, 1 << 20])
def test_stats(report, monkeypatch, size):
    monkeypatch.setattr(stats, "CHUNK", size)
    torch.manual_seed(0)
    big = torch.randn(30, 40)
    content = {str(dtype): (torch.randn(6, 5) * 20).to(dtype) for dtype in DTYPES}
    content |= {"t": big.t(), "part": big[3:, ::2], "row": big[:1].expand(9, 40), "scalar": torch.tensor(2.5)}
    content |= {
        "window": torch.arange(5.0).as_strided((3, 3), (1, 1)),
        "large": torch.tensor([2**62 + 1, -(2**62) - 1]),
    }
    content |= {
        "odd": torch.tensor([1.0, float("nan"), float("-inf"), 3.0]),
        "all nan": torch.tensor([float("nan")] * 2),
    }
    torch.save(content, "x.pt")
    safetensors.torch.save_file({k: v.contiguous().clone() for k, v in content.items()}, "x.safetensors")
    np.savez("x.npz", **{k: v.numpy() for k, v in content.items() if v.dtype is not torch.bfloat16})
    for path in ("x.pt", "x.safetensors", "x.npz"):
        for seen in report(path, "--stats")["tensors"]:
            tensor, got = content[seen["name"]], seen["stats"]
            there = tensor[~tensor.isnan()] if tensor.is_floating_point() else tensor
            assert got["nan"] == tensor.numel() - there.numel()
            assert got["inf"] == int(there.isinf().sum())
            if not there.numel():
                assert got["min"] is got["max"] is got["mean"] is None
                continue
            if got["inf"]:
                assert (got["min"], got["max"], got["mean"]) == ("-inf", 3.0, "-inf")
                continue
            assert (got["min"], got["max"]) == (there.min().item(), there.max().item()), seen
            # Another order of summation, in float64.
            assert got["mean"] == pytest.approx(there.double().mean().item(), rel=1e-12, abs=1e-12)


def test_tensors_that_repeat_themselves_without_end_get_no_stats(report):
    torch.save({"w": torch.zeros(100).as_strided((10,) * 9, (1,) * 9)}, "x.pt")  # a thousand million elements
    started = time.perf_counter()
    assert report("x.pt", "--stats")["tensors"][0]["stats"] is None
    assert time.perf_counter() - started < 5


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_other_formats(report, command):
    want = {"a": torch.ones(2, 3), "b": torch.arange(4).bfloat16()}
    safetensors.torch.save_file(want, "x.safetensors", {"format": "pt", "note": "hello"})
    seen = report("x.safetensors", "--stats")
    assert [(t["name"], t["dtype"], t["shape"]) for t in seen["tensors"]] == [
        ("b", "bfloat16", [4]),
        ("a", "float32", [2, 3]),
    ] or ({t["name"] for t in seen["tensors"]} == set(want))
    assert seen["metadata"] == {"format": "pt", "note": "hello"} and seen["checksums"] == "none"
    safetensors.torch.save_file(
        {"f8": torch.ones(4).to(torch.float8_e4m3fn), "u": torch.ones(2, dtype=torch.uint16)}, "x.bin"
    )
    seen = report("x.bin")  # by content, whatever the name
    assert {t["name"]: t["dtype"] for t in seen["tensors"]} == {"f8": "F8_E4M3", "u": "uint16"} and not seen["loads"]
    np.savez("x.npz", a=np.ones((2, 3)), u=np.ones(2, "u2"))
    seen = report("x.npz", "--stats")
    assert seen["tensors"][0]["shape"] == [2, 3] and not seen["loads"] and "<u2" in seen["other"][0]["value"]
    np.save("x.npy", np.arange(5.0))
    assert report("x.npy", "--stats")["tensors"][0]["stats"]["max"] == 4
    serialization.sharded.save_sharded(serialization.load("x.safetensors"), "shards", 25)
    seen = report("shards/model.safetensors.index.json", "--stats")
    assert seen["format"] == "index" and {t["file"] for t in seen["tensors"]} == set(os.listdir("shards")) - {
        "model.safetensors.index.json"
    }
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), "script.pt")
    status, out, _ = command("inspect", "script.pt")
    assert status == 3 and "a TorchScript archive" in out and "constants.pkl" in out and "It holds a program" in out


@pytest.mark.parametrize(
    "content, match",
    [
        (b"", "empty"),
        (b"<html>", "begins with b'<html>'"),
        (b"PK\x03\x04" + bytes(50), "cannot be trusted"),
        (b"hello", "begins"),
    ],
)
def test_what_is_no_model_file(content, match, command):
    Path("x.pt").write_bytes(content)
    status, out, err = command("inspect", "x.pt")
    assert status == 2 and not out and match in err
    with tarfile.open("tar.pt", "w") as tar:
        tar.add("x.pt")
    status, _, err = command("inspect", "tar.pt")
    assert status == 2 and "tar format of torch 0.1" in err
    for path in ("none.pt", "."):
        assert command("inspect", path)[0] == 2


def test_verify_reads_what_a_listing_does_not(command):
    torch.save({"w": torch.zeros(1000)}, "x.pt")
    np.savez("x.npz", w=np.zeros(1000))
    for path in ("x.pt", "x.npz"):
        assert "checksums were not checked (--verify" in command("inspect", path)[1]
        assert "checksums were checked." in command("inspect", path, "--verify")[1]
        data = bytearray(Path(path).read_bytes())
        data[2000] ^= 1
        Path(path).write_bytes(data)
        assert command("inspect", path)[0] == 0
        status, _, err = command("inspect", path, "--verify")
        assert status == 2 and ("checksum" in err or "CRC" in err)


def test_a_file_larger_than_the_memory(command):
    count = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 2 // 4
    table = json.dumps({"w": {"dtype": "F32", "shape": [count], "data_offsets": [0, 4 * count]}}).encode()
    table += b" " * (-len(table) % 8)
    Path("x.safetensors").write_bytes(len(table).to_bytes(8, "little") + table)
    try:
        os.truncate("x.safetensors", 8 + len(table) + 4 * count)
    except OSError as error:
        pytest.skip(f"the file system has no sparse files of that size ({error})")
    status, out, _ = command("inspect", "x.safetensors")
    assert status == 0 and f"({count},)" in out


def test_the_program(tmp_path):
    """As a user starts it; its entry in pyproject.toml; a reader that stops reading."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"minitorch2": "minitorch2.cli:main"}
    torch.save({f"w{i}": torch.zeros(1) for i in range(3000)}, tmp_path / "x.pt")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
    program = [sys.executable, "-m", "minitorch2"]
    helped = subprocess.run([*program, "--help"], env=environment, capture_output=True, text=True)
    assert helped.returncode == 0 and "exit status:" in helped.stdout
    wrong = subprocess.run([*program, "inspect"], env=environment, capture_output=True, text=True)
    assert wrong.returncode == 2 and "required: FILE" in wrong.stderr
    with subprocess.Popen(
        [*program, "inspect", "--all", tmp_path / "x.pt"],
        env=environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as piped:
        piped.stdout.readline()
        piped.stdout.close()
        assert piped.stderr.read() == ""
