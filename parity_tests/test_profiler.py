"""torch.profiler: what is recorded, when, and that nothing stays behind."""

import gzip
import json
import sys
import threading
import warnings
from typing import Any

import pytest
import torch

import minitorch2
import minitorch2.autograd.profiler
import minitorch2.profiler
from minitorch2.core import recording
from minitorch2.core.function import Function
from minitorch2.utils.data import DataLoader, TensorDataset

mt: Any = minitorch2
profile, ProfilerAction, record_function = mt.profiler.profile, mt.profiler.ProfilerAction, mt.profiler.record_function


def step(lib=mt):
    net = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.ReLU(), lib.nn.Linear(4, 2))
    optimizer = lib.optim.SGD(net.parameters(), lr=0.1)
    net(lib.ones(5, 3)).sum().backward()
    optimizer.step()


def counts(events):
    return {average.key: average.count for average in events.key_averages()}


def test_every_op_and_every_node():
    with profile() as prof:
        step()
    found = counts(prof.events())
    assert found["Linear"] == found["AddmmBackward0"] == 2
    assert found["Relu"] == found["ReluBackward0"] == found["Sum"] == found["SumBackward0"] == 1
    assert found["Optimizer.step#SGD.step"] == 1


def test_nothing_is_timed_afterwards():
    plain = Function.__dict__["apply"], Function.__dict__["run"]
    with profile() as prof:
        assert Function.__dict__["apply"] is not plain[0]
    assert (Function.__dict__["apply"], Function.__dict__["run"]) == plain
    before = len(prof.events())
    step()
    assert recording.current is None and len(prof.events()) == before


def test_nothing_is_timed_after_an_error():
    plain = Function.__dict__["apply"]
    with pytest.raises(RuntimeError, match="size"), profile() as prof:
        mt.add(mt.ones(2), mt.ones(3))
    assert Function.__dict__["apply"] is plain and counts(prof.events())["Add"] == 1


def test_events_nest_and_times_add_up():
    with profile() as prof, record_function("outer"):
        with record_function("inner"):
            mt.ones(10).exp()
        mt.ones(10).log()
    outer, inner, exp, log = prof.events()
    assert [e.name for e in (outer, inner, exp, log)] == ["outer", "inner", "Exp", "Log"]
    assert (
        outer.cpu_parent is None and inner.cpu_parent is outer and exp.cpu_parent is inner and log.cpu_parent is outer
    )
    assert outer.cpu_children == [inner, log]
    for event in (outer, inner):
        assert event.cpu_time_total == pytest.approx(
            event.self_cpu_time_total + sum(child.cpu_time_total for child in event.cpu_children)
        )
    assert outer.time_range.start <= inner.time_range.start <= exp.time_range.end <= outer.time_range.end
    assert prof.events().self_cpu_time_total == pytest.approx(outer.cpu_time_total)


def test_an_op_in_half_precision_is_one_event():
    x = mt.ones(2, 3, dtype=mt.bfloat16)
    with profile() as prof:
        x.exp()
    assert counts(prof.events())["Exp"] == 1


def test_functions_of_ones_own():
    class Double(mt.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = mt.ones(2, requires_grad=True)
    with profile() as prof:
        Double.apply(x).sum().backward()
    assert counts(prof.events())["Double"] == counts(prof.events())["DoubleBackward"] == 1


def test_shapes():
    net = mt.nn.Linear(3, 4)
    with profile(record_shapes=True) as prof:
        net(mt.ones(5, 3))
        net(mt.ones(6, 3)).sum().backward()
    shapes = [a.input_shapes for a in prof.key_averages(group_by_input_shape=True) if a.key == "Linear"]
    assert shapes == [[[4], [5, 3], [4, 3]], [[4], [6, 3], [4, 3]]]
    assert next(e.input_shapes for e in prof.events() if e.name == "AddmmBackward0") == [[6, 4]]
    assert [a.count for a in prof.key_averages() if a.key == "Linear"] == [2]


def test_batches_of_a_loader_are_events():
    loader = DataLoader(TensorDataset(mt.arange(6)), batch_size=2)
    with profile() as prof:
        for _ in loader:
            pass
    (name,) = [key for key in counts(prof.events()) if key.startswith("enumerate(DataLoader)")]
    assert counts(prof.events())[name] == 4  # the last one finds nothing more


def test_threads_nest_apart():
    def work():
        with record_function("elsewhere"):
            mt.ones(2).exp()

    with profile() as prof, record_function("here"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    elsewhere = next(e for e in prof.events() if e.name == "elsewhere")
    assert elsewhere.cpu_parent is None and elsewhere.thread != prof.events()[0].thread


def test_threads_that_begin_at_the_same_moment():
    def work():
        for _ in range(300):
            with record_function("one of many"):
                pass

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with profile() as prof:
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert counts(prof.events())["one of many"] == 1200


@record_function("decorated")
def factorial(n):
    with record_function("one"):
        return n * factorial(n - 1) if n else 1


def test_record_function_decorates_and_may_be_used_without_a_profiler():
    assert factorial(3) == 6
    with profile() as prof:
        assert factorial(3) == 6
    assert counts(prof.events()) == {"decorated": 4, "one": 4}


def test_sections_of_one_name_nest():
    with profile() as prof, record_function("again"), record_function("again"):
        pass
    assert counts(prof.events()) == {"again": 2}


@pytest.mark.parametrize(
    "options",
    [
        {"wait": 1, "warmup": 1, "active": 2},
        {"wait": 2, "warmup": 0, "active": 1, "repeat": 2},
        {"wait": 0, "warmup": 1, "active": 3, "repeat": 1, "skip_first": 2},
        {"wait": 3, "warmup": 1, "active": 1, "skip_first": 1, "skip_first_wait": 1},
    ],
)
def test_schedule(options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = mt.profiler.schedule(**options), torch.profiler.schedule(**options)
    assert [ours(i).name for i in range(20)] == [theirs(i).name for i in range(20)]
    assert all(getattr(torch.profiler.ProfilerAction, a.name).value == a.value for a in ProfilerAction)


@pytest.mark.parametrize("options", [{"wait": -1, "warmup": 1, "active": 1}, {"wait": 1, "warmup": 1, "active": 0}])
def test_schedules_that_are_none(options):
    for lib in (mt, torch):
        with pytest.raises(AssertionError):
            lib.profiler.schedule(**options)


@pytest.mark.filterwarnings("ignore:.*clears events:UserWarning")
@pytest.mark.parametrize("steps", [1, 2, 4, 5, 9])
def test_cycles(steps):
    """on_trace_ready is called as often as PyTorch calls it, at the same steps."""
    ready = {}
    for lib in (mt, torch):
        called = ready.setdefault(lib, [])
        plan = lib.profiler.schedule(wait=1, warmup=1, active=2, repeat=2)
        activities = [lib.profiler.ProfilerActivity.CPU]
        with lib.profiler.profile(
            activities=activities, schedule=plan, on_trace_ready=lambda p, called=called: called.append(p.step_num)
        ) as prof:
            for _ in range(steps):
                lib.ones(2).exp()
                prof.step()
    assert ready[mt] == ready[torch]


def test_a_cycle_holds_its_steps_alone():
    found = []
    plan = mt.profiler.schedule(wait=1, warmup=1, active=2)
    with profile(schedule=plan, on_trace_ready=lambda p: found.append(counts(p.events()))) as prof:
        for _ in range(8):
            mt.ones(2).exp()
            prof.step()
    assert found == [
        {"ProfilerStep#2": 1, "ProfilerStep#3": 1, "Exp": 2},
        {"ProfilerStep#6": 1, "ProfilerStep#7": 1, "Exp": 2},
    ]


def test_table():
    mt.ones(2).exp()  # compiles it, which takes longer than anything here
    large = mt.ones(3000, 3000)  # filled before: it is no op, and would count as the long name's own time
    with profile(record_shapes=True) as prof:
        for _ in range(3):
            mt.ones(2).exp()
        with record_function("a name that is much longer than a column of the table is wide, by far"):
            large.log()
    table = prof.key_averages().table(sort_by="self_cpu_time_total", row_limit=1, max_name_column_width=20)
    assert table.splitlines()[1].split()[0] == "Name" and "Log" in table and "Exp" not in table
    by_count = prof.key_averages().table(sort_by="count", max_name_column_width=20).splitlines()
    assert by_count[3].split()[0] == "Exp" and by_count[3].split()[6] == "3"
    assert any(line.split()[:3] == ["a", "name", "that"] and "..." in line for line in by_count)
    assert by_count[-1].startswith("Self CPU time total: ")
    assert "Input Shapes" in prof.key_averages(group_by_input_shape=True).table()
    with pytest.raises(AttributeError, match="sort_by"):
        prof.key_averages().table(sort_by="name of none")
    with pytest.raises(NotImplementedError, match="devices"):
        prof.key_averages().table(sort_by="cuda_time_total")


@pytest.mark.parametrize("name", ["trace.json", "trace.json.gz"])
def test_chrome_trace(tmp_path, name):
    with profile() as prof:
        step()
    prof.export_chrome_trace(str(tmp_path / name))
    with gzip.open(tmp_path / name) if name.endswith("gz") else open(tmp_path / name, "rb") as file:
        trace = json.load(file)
    assert [e["name"] for e in trace["traceEvents"]] == [e.name for e in prof.events()]
    assert all(e["ph"] == "X" and e["dur"] >= 0 for e in trace["traceEvents"])


def test_tensorboard_trace_handler(tmp_path):
    with profile(on_trace_ready=mt.profiler.tensorboard_trace_handler(str(tmp_path / "logs"), "me", use_gzip=True)):
        mt.ones(2).exp()
    (file,) = (tmp_path / "logs").iterdir()
    assert file.name.startswith("me.") and file.name.endswith(".pt.trace.json.gz")


def test_the_older_profiler():
    with mt.autograd.profiler.profile(record_shapes=True) as prof:
        mt.ones(2).exp()
    assert "Exp" in prof.key_averages().table(sort_by="cpu_time_total") and "Exp" in str(prof)
    assert prof.total_average().count == 1 and prof.self_cpu_time_total > 0
    with mt.autograd.profiler.profile(enabled=False) as prof:
        mt.ones(2).exp()
    with pytest.raises(RuntimeError, match="didn't finish"):
        prof.key_averages()


def test_what_is_refused():
    for option in ("profile_memory", "with_stack", "with_flops", "with_modules"):
        with pytest.raises(NotImplementedError, match=option):
            profile(**{option: True})
        with pytest.raises(NotImplementedError, match=option):
            mt.autograd.profiler.profile(**{option: True})
    with pytest.raises(RuntimeError, match="nothing is recorded"):
        profile().key_averages()
    with profile(), pytest.raises(RuntimeError, match="already enabled"):
        profile().start()
    with pytest.warns(UserWarning, match="CUDA is not available"):
        profile(activities=[mt.profiler.ProfilerActivity.CPU, mt.profiler.ProfilerActivity.CUDA])
    with pytest.raises(TypeError, match="args"):
        record_function("x", 1)
