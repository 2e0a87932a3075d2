"""The benchmarks that need a GPU do here, on the CPU and at tiny sizes, everything but measure.

What they find on a GPU is in benchmarks/results/. How fast anything is is not tested here.
"""

import functools
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
from hypothesis import settings

pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def module(monkeypatch):
    """Imports a module of benchmarks/."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module


def bench(program, *arguments, **environment):
    return subprocess.run(
        [sys.executable, f"benchmarks/{program}.py", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": "", "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("program", ["gpu", "gpu_check", "gpu_kernels", "gpu_probe"])
def test_without_a_gpu(program):
    result = bench(program, CUDA_VISIBLE_DEVICES="")
    assert result.returncode == 2
    assert result.stderr.startswith("there is no GPU") and result.stderr.endswith("; nothing was measured\n")


def test_two_processes_take_turns(tmp_path):
    out = tmp_path / "new" / "bench.json"
    options = ["--device", "cpu", "--small", "--rounds", "1", "--seconds", "0.01", "--out", out]
    result = bench("gpu", "mlp", "mnist_cnn", *options, MINITORCH2_COMMIT="abc")
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(out.read_text())
    assert report["commit"] == "abc" and report["failures"] == [] and list(report["programs"]) == ["mlp", "mnist_cnn"]
    settings = report["frameworks"]["torch"]["settings"]
    assert settings["cuda.matmul.allow_tf32"] is settings["cudnn.allow_tf32"] is False
    for name, measured in report["programs"].items():
        assert any(line.startswith(name) for line in result.stdout.splitlines())
        eager = measured["eager"]
        assert eager["same"] and eager["ratio"] == eager["minitorch2"]["ms"] / eager["torch"]["ms"]
        assert measured["random"] == (name == "mnist_cnn") and eager["torch"]["rounds"][0]["steps"] >= 5
    assert report["geometric_mean"]["eager"] > 0


def test_every_program_begins_with_the_same_losses(module, tmp_path, request):
    worker, programs = module("gpu_worker"), module("gpu_programs")
    for framework in ("minitorch2", "torch"):  # the worker's own process would end with it
        backends = importlib.import_module(framework).backends
        switches = [(backends.cudnn, "benchmark"), (backends.cudnn, "allow_tf32"), (backends.cuda.matmul, "allow_tf32")]
        for part, name in switches:
            request.addfinalizer(functools.partial(setattr, part, name, getattr(part, name)))
    ours, theirs = (worker.Worker(framework, "cpu") for framework in ("minitorch2", "torch"))
    agree, same = module("gpu").agree, module("gpu").SAME
    for side in (ours, theirs):  # threads of two pools fight over the cores
        request.addfinalizer(functools.partial(side.torch.set_num_threads, side.torch.get_num_threads()))
        side.torch.set_num_threads(1)
    assert set(programs.SMALL) | {"lenet_4"} == set(programs.GPU_PROGRAMS)
    for name in programs.GPU_PROGRAMS:
        start = str(tmp_path / f"{name}.npz")
        built = [ours.build(name, start, True, True), theirs.build(name, start, False, True)]
        assert built[0] == built[1]
        before = [getattr(m, "p", None) for m in ours.program.net.modules()]
        found = [side.losses()["losses"] for side in (ours, theirs)]
        assert agree(*found, same)[0], (name, found)
        assert [getattr(m, "p", None) for m in ours.program.net.modules()] == before  # dropout is back
        ours.captured = not built[0]["random"]  # as a graph's step, whose optimizer is cleared instead of made anew
        assert agree(found[0], ours.losses()["losses"], 1e-5)[0], name
    assert ours.memory() == {"peak_mib": None, "reserved_mib": None}


def test_a_process_that_fails_is_started_anew(module, capsys):
    gpu = module("gpu")
    process = gpu.Process("json", "cpu")  # a module, but no framework
    for _ in range(2):
        with pytest.raises(gpu.Failure, match=r"about: ModuleNotFoundError: No module named 'json.nn'"):
            process.ask("about", 60)
        assert process.child is None and "in _find_and_load" in capsys.readouterr().err
    process.start()
    process.child.send_signal(signal.SIGSTOP)  # however fast the machine
    with pytest.raises(gpu.Failure, match="about took longer than the 0 s left for it"):
        process.ask("about", 0)
    process.start()
    process.child.kill()
    with pytest.raises(gpu.Failure, match="the process ended with status -9 during about"):
        process.ask("about", 60)


MEASURED = {
    "random": True,
    "eager": {
        "minitorch2": {"ms": 2.0, "mean_ms": 2.0, "wall_ms": 2.1, "peak_mib": 10.0, "losses": [2.0]},
        "torch": {"ms": 1.0, "wall_ms": 1.1, "peak_mib": 20.0, "losses": [2.001]},
    },
    "captured": {
        "minitorch2": {"ms": 0.25, "wall_ms": 0.3, "losses": [2.2]},
        "torch": {"ms": 0.5, "wall_ms": 0.5, "losses": [2.0]},
    },
}


def judged(gpu, **changes):
    result = json.loads(json.dumps(MEASURED)) | changes
    session = gpu.Session.__new__(gpu.Session)
    session.args = type("Args", (), {"modes": gpu.MODES})
    session.judge(result)
    return result


def test_the_table(module):
    gpu = module("gpu")
    result = judged(gpu)
    line = gpu.table_line("mnist_cnn", result)
    assert line.split() == ["mnist_cnn", "2.000", "1.000", "2.00", "0.250", "0.500", "0.50", "10", "/", "20"]
    assert len(line) == len(gpu.HEADER) and gpu.failures(result) == []
    assert result["eager"]["same"] and result["captured"]["same"]  # dropout drew differently
    assert gpu.means({"a": result, "b": result, "c": {}}) == {"eager": 2.0, "captured": 0.5}


def test_what_failed_is_said_and_not_averaged(module):
    gpu = module("gpu")
    broken = judged(gpu, captured={"minitorch2": {"error": "prepare: RuntimeError: no"}, "torch": {"ms": 0.5}})
    assert gpu.failures(broken) == ["minitorch2 captured: prepare: RuntimeError: no"]
    assert gpu.table_line("gpt", broken).split() == [
        "gpt",
        "2.000",
        "1.000",
        "2.00",
        "-",
        "0.500",
        "-",
        "10",
        "/",
        "20",
    ]
    assert gpu.means({"gpt": broken}) == {"eager": 2.0}
    different = judged(gpu, random=False)
    assert different["captured"]["same"] is False and gpu.means({"x": different}) == {"eager": 2.0}
    assert gpu.failures(different) == ["captured: the losses differ, [2.2] and [2.0]"]
    different["eager"]["minitorch2"]["wall_ms"] = 5.0
    assert "minitorch2 eager: events saw 2 of 5 ms a step" in gpu.failures(different)
    assert gpu.table_line("x", {"torch_error": "build: it is gone"}).split() == ["x", *"------", "-", "/", "-"]
    assert gpu.failures({"torch_error": "build: it is gone"}) == ["torch: build: it is gone"]
    assert gpu.agree([float("nan")], [1.0], 1) == (False, None)


def test_every_kernel_is_called_as_it_is_written(module, tmp_path, capsys):
    kernels = module("gpu_kernels")
    assert kernels.main(["--device", "cpu", "--out", str(tmp_path / "k.json")]) == 0, capsys.readouterr().out
    report = json.loads((tmp_path / "k.json").read_text())
    assert list(report["kernels"]) == list(kernels.CASES) and report["ceilings_per_second"]["copy"] > 0
    for measured in report["kernels"].values():
        assert measured["ms"] > 0 and measured["amount"] > 0 and measured.get("apart", 0) < 1e-3
        assert measured["share"] == pytest.approx(
            measured["per_second"] / report["ceilings_per_second"][measured["of"]]
        )


def test_kernels_that_fail_or_are_not_begun(module, tmp_path, monkeypatch, capsys):
    kernels = module("gpu_kernels")

    def fails(arrays):
        raise ValueError("no such\nkernel")

    monkeypatch.setitem(kernels.CASES, "gelu", fails)
    out = str(tmp_path / "k.json")
    assert kernels.main(["--device", "cpu", "--out", out, "gelu"]) == 1
    assert "gelu                               failed: ValueError: no such kernel" in capsys.readouterr().out
    assert kernels.main(["--device", "cpu", "--out", out, "--budget", "0", "softmax"]) == 1
    assert "not begun: the budget was spent before" in (tmp_path / "k.json").read_text()
    with pytest.raises(SystemExit):
        kernels.main(["no such kernel"])


class Said:
    """gpu_check.Check with phases that take no GPU."""

    def __init__(self, check, out):
        self.check = check.Check(out, 1)

    def __call__(self, out, workers):
        return self

    def stop(self):
        self.check.stop()

    def run(self, end, script):
        result = self.check.begin("x", [sys.executable, "-c", script], "gpu-check.log").result(end)
        return result | {"verdict": importlib.import_module("gpu_check").verdict(result["status"])}

    def probe(self, end):
        return self.run(end, "print('probed')")

    def tests(self, end):
        return self.run(end, "raise SystemExit(3)") | {"passed": 12, "failed": 1}

    def sanitizer(self, end):
        raise FileNotFoundError("it is not here")

    def kernels(self, end):
        child = "import time; print('child', flush=True); time.sleep(60)"
        return self.run(end, f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])")

    bench = parity = probe


def test_a_phase_that_fails_does_not_stop_the_next(module, tmp_path, monkeypatch, capsys):
    check = module("gpu_check")
    monkeypatch.setattr(check.machine, "need_gpu", lambda: None)
    monkeypatch.setattr(check.machine, "stop_on_sigterm", lambda: None)
    monkeypatch.setattr(check, "LEAST", 1.0)
    monkeypatch.setattr(check, "Check", Said(check, tmp_path))
    assert check.main(["--out", str(tmp_path), "--limit", "kernels=1.5", "--budget", "60"]) == 1
    phases = json.loads((tmp_path / "gpu-check.json").read_text())["phases"]
    assert {name: phase["verdict"] for name, phase in phases.items()} == {
        "probe": "passed",
        "tests": "failed with status 3",
        "parity": "passed",
        "sanitizer": "failed: FileNotFoundError: it is not here",
        "kernels": "stopped by its time limit",
        "bench": "passed",
    }
    assert "tests      failed with status 3 (12 passed, 1 failed)" in capsys.readouterr().out
    assert "child" in (tmp_path / "gpu-check.log").read_text()
    assert len(list(tmp_path.iterdir())) <= 8
    with pytest.raises(SystemExit):  # another run's results are not written over
        check.main(["--out", str(tmp_path), "--phases", "probe"])
    assert "child" in (tmp_path / "gpu-check.log").read_text()
    assert "another run" in capsys.readouterr().err
    for wrong in ("kernels", "kernels=x", "gpu=1"):
        with pytest.raises(SystemExit):
            check.main(["--limit", wrong])


def test_what_pytest_and_the_sanitizer_said(module):
    check = module("gpu_check")
    text = "a::b PASSED [50%]\n== 3 failed, 120 passed, 2 skipped, 7 deselected in 12.3s ==\ndevice: cpu\n"
    text += "========= ERROR SUMMARY: 0 errors"
    assert check.tests_said(text) == {"failed": 3, "passed": 120, "skipped": 2, "deselected": 7}
    assert check.tests_said("nothing") == {}
    clean = "========= ERROR SUMMARY: 0 errors\n========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)"
    assert check.sanitizer_verdict(0, clean, 4) == "passed"
    assert check.sanitizer_verdict(0, clean, 0) == "failed: no test ran"
    assert check.sanitizer_verdict(1, clean, 4) == "failed with status 1"
    assert check.sanitizer_verdict(None, "", 4) == "stopped by its time limit after 4 tests, without a finding"
    for found in ("========= ERROR SUMMARY: 2 errors", "========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0"):
        assert check.sanitizer_verdict(0, found, 4) == "failed: it found errors"
    assert check.sanitizer_verdict(None, "========= Invalid __global__ read of size 4", 4) == "failed: it found errors"


def test_the_tests_under_the_sanitizer_have_no_pool_and_few_examples(module, monkeypatch):
    plugin, allocators = module("gpu_pytest_plugin"), []
    cuda = types.SimpleNamespace(set_allocator=allocators.append)
    monkeypatch.setitem(sys.modules, "cupy", types.SimpleNamespace(cuda=cuda))
    plugin.pytest_collection_finish(None)
    assert allocators == [None] and settings.get_profile("sanitizer").max_examples == 2


def test_the_time_that_the_last_phase_keeps(module):
    check, now = module("gpu_check"), time.monotonic()
    assert check.phase_end("tests", 100, now, 570, ["bench"]) == pytest.approx(now + 100, abs=1)
    assert check.phase_end("kernels", 900, now, 570, ["bench"]) == pytest.approx(now + 565 - 0.35 * 570, abs=1)
    assert check.phase_end("bench", 10, now, 570, []) == pytest.approx(now + 565, abs=1)


def test_the_probe_goes_on_after_what_is_refused(module, monkeypatch, capsys):
    probe_of = module("gpu_probe")
    probe = probe_of.Probe.__new__(probe_of.Probe)
    probe.facts = {}

    def refuse():
        raise NotImplementedError("no cuBLAS\nhere")

    probe.fact("a", lambda: 3)
    probe.fact("b", refuse, "NotImplementedError")
    probe.fact("c", refuse)
    printed = capsys.readouterr().out
    assert "refused, as expected NotImplementedError: no cuBLAS here" in printed and "!! NotImpl" in printed
    assert [probe_of.is_refusal(fact) for name, fact in probe.facts.items() if name != "a"] == [True, False]
    assert probe_of.host_microseconds(lambda: None, lambda: None, 10) >= 0
