"""The benchmarks run and write what their README says. How fast anything is is not tested here."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = [sys.executable, "benchmarks/run.py", "--rounds", "1", "--seconds", "0.05", "--threads", "1"]


def bench(*arguments):
    return subprocess.run([*PROGRAM, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)


def test_a_short_run(tmp_path):
    result = bench("lenet_4", "small_op", "import", "--out", tmp_path / "new" / "bench.json")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "geometric mean of the 1 training ratios" in result.stdout
    report = json.loads((tmp_path / "new" / "bench.json").read_text())
    assert report["settings"] == {"threads": 1, "rounds": 1, "seconds": 0.05}
    assert report["machine"]["cores"] == os.cpu_count() and report["versions"]["torch"]
    assert list(report["workloads"]) == ["lenet_4", "small_op", "import"]
    for name, measured in report["workloads"].items():
        assert any(line.startswith(name) for line in result.stdout.splitlines())
        assert measured["ratio_by_round"] == [measured["ratio"]]
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
