"""The benchmarks run and write what their README says. How fast anything is is not tested here."""

import functools
import importlib
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parent.parent
SHORT = ["--rounds", "1", "--seconds", "0.05", "--threads", "1"]


def bench(*arguments, program="run", options=SHORT):
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    return subprocess.run(
        [sys.executable, f"benchmarks/{program}.py", *map(str, arguments), *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


def test_a_short_run(tmp_path):
    chart = tmp_path / "chart.png"
    result = bench("lenet_4", "small_op", "import", "--out", tmp_path / "new" / "bench.json", "--chart", chart)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "geometric mean of the 1 ratios of whole programs" in result.stdout
    assert chart.read_bytes().startswith(b"\x89PNG")
    report = json.loads((tmp_path / "new" / "bench.json").read_text())
    assert report["settings"] == {"threads": 1, "rounds": 1, "seconds": 0.05, "impl": "best"}
    assert report["machine"]["cores"] == os.cpu_count() and report["versions"]["torch"]
    assert list(report["workloads"]) == ["lenet_4", "small_op", "import"]
    for name, measured in report["workloads"].items():
        assert any(line.startswith(name) for line in result.stdout.splitlines())
        assert len(measured["ratio_by_round"]) == (4 if name == "import" else 1)
        assert measured["ratio"] == statistics.median(measured["ratio_by_round"])
        for framework in ("minitorch2", "torch"):
            assert measured[framework]["seconds"] > 0
            assert 10 < measured[framework]["peak_mib"] < 5000
    assert report["geometric_mean"] == pytest.approx(report["workloads"]["lenet_4"]["ratio"])


def test_different_computations_are_not_compared(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    check = importlib.import_module("run").check_same_program
    check("mlp", [2.3, 2.1], [2.3000001, 2.11])
    for losses in ([2.3, 2.2], [2.3, float("nan")]):
        with pytest.raises(SystemExit, match="mlp: the losses differ"):
            check("mlp", losses, [2.3, 2.1])


def test_a_workload_that_does_not_exist():
    result = bench("vgg")
    assert result.returncode == 2 and "there is no workload 'vgg'; there are mlp, mnist_cnn," in result.stderr


def test_operations(tmp_path):
    result = bench("add 10x10", "conv 1x1", "sgd", "--out", tmp_path / "ops.json", "--impl", "numpy", program="ops")
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads((tmp_path / "ops.json").read_text())
    assert report["settings"]["impl"] == "numpy"
    assert list(report["operations"]) == ["add 10x10", "conv 1x1 96-24, 8x56x56", "sgd momentum 1.2M"]
    for name, parts in report["operations"].items():
        assert list(parts) == (["forward"] if "sgd" in name else ["forward", "both"])
        for measured in parts.values():
            assert measured["ratio"] == pytest.approx(measured["minitorch2"] / measured["torch"])
    assert bench("no such", program="ops").returncode == 2


def test_every_operation_runs_in_both(monkeypatch, request):
    for framework in ("minitorch2", "torch"):  # timed in a process of its own elsewhere, whose threads it sets
        library = importlib.import_module(framework)
        request.addfinalizer(functools.partial(library.set_num_threads, library.get_num_threads()))
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.syspath_prepend(ROOT)
    ops = importlib.import_module("ops")
    few = [name for name in ops.CASES if "1M" not in name and "1.2M" not in name and "conv" not in name]
    few = few if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else few[::4]
    ours, theirs = (ops.time_operations(framework, few, 1, 0.0) for framework in ("minitorch2", "torch"))
    assert {name: set(parts) for name, parts in ours.items()} == {name: set(parts) for name, parts in theirs.items()}


def test_a_profile():
    result = bench("lenet_4", "--steps", "3", "--top", "5", program="profile_step", options=[])
    assert result.returncode == 0, result.stdout + result.stderr
    assert "ms a step under the profiler" in result.stdout and len(result.stdout.splitlines()) == 8


def test_growth(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    growth = importlib.import_module("growth")
    assert growth.exponent({n: 3e-6 * n**1.5 for n in growth.DEPTHS}) == pytest.approx(1.5)
    result = bench("--memory", "20", program="growth", options=[])
    assert result.returncode == 0 and result.stdout.count("MiB") == 11, result.stdout + result.stderr
