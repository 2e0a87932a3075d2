"""Saving: what is refused and where it stands, the user's own classes, and files that survive a kill."""

import datetime
import enum
import io
import os
import pathlib
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from serialization_cases import our_bytes, torch_bytes

import minitorch2
from minitorch2 import serialization
from minitorch2.serialization.atomic import atomic_write
from minitorch2.tensor import Tensor

ROOT = Path(__file__).resolve().parent.parent


def no_function():
    pass


class Config:
    def __init__(self, lr):
        self.lr = lr

    def __eq__(self, other):
        return type(other) is Config and vars(self) == vars(other)

    __hash__ = None


def local_instance():
    class Local:
        pass

    return Local()


class Color(enum.Enum):
    RED = 1


class Numbers(list):
    pass


class Slots:
    __slots__ = ("a",)

    def __eq__(self, other):
        return type(other) is Slots and self.a == other.a

    __hash__ = None


def slots():
    made = Slots()
    made.a = [1.5, "x"]
    return made


OBJECTS = [
    Config(minitorch2.device("cpu")),
    Config({"lr": 0.1, "when": datetime.datetime(2020, 1, 2), "path": pathlib.PurePosixPath("/a/b")}),
    Color.RED,
    Numbers([1, 2]),
    slots(),
    defaultdict(list, {"a": [1]}),
    datetime.timedelta(seconds=3),
    range(3),
    frozenset([1, 2]),
]


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_objects_whose_class_has_a_name(value):
    """Written as PyTorch writes them; load builds what is named to it, and PyTorch whatever it trusts."""
    file = io.BytesIO()
    serialization.save({"twice": [value, value]}, file)
    file.seek(0)
    theirs = torch.load(file, weights_only=False)["twice"]
    assert theirs[0] is theirs[1] and (theirs[0] == value or "device" in repr(vars(value)))
    file.seek(0)
    try:
        found = serialization.load(file)["twice"]
    except pickle.UnpicklingError as error:
        assert "was not an allowed global" in str(error)
        file.seek(0)
        makers = [type(value), list, datetime.datetime, pathlib.PurePosixPath]
        with serialization.safe_globals(makers):
            found = serialization.load(file)["twice"]
    assert found[0] is found[1] and found[0] == value and type(found[0]) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        np.float32(1.5),
        np.int64(-3),
        np.bool_(True),
        np.complex64(1 + 2j),
        np.zeros(0),
        np.arange(6.0).reshape(2, 3),
        np.arange(6, dtype=np.int8).reshape(2, 3).T,
        np.array(2.5),
        np.ones((2, 3), ">f4"),
        np.random.RandomState(0).get_state(),
        random.Random(0).getstate(),
    ],
    ids=str,
)
def test_values_of_numpy(value):
    """Generators' states among them, which training programs save beside the weights."""
    file = io.BytesIO()
    serialization.save({"x": value}, file)
    for load in (lambda f: torch.load(f, weights_only=False), serialization.load):
        file.seek(0)
        found = load(file)["x"]
        assert type(found) is type(value)
        if isinstance(value, tuple):
            assert repr(found) == repr(value)
        else:
            assert found.dtype.newbyteorder("=") == value.dtype.newbyteorder("=") and np.array_equal(found, value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda: 0, r"state\['a'\]\[1\]\['fn'\] is a function"),
        (no_function, r"state\['a'\]\[1\]\['fn'\] is a function"),
        (Config, r"\['fn'\] is a class"),
        (local_instance(), r"\['fn'\] is made by local_instance.<locals>.Local, which no reader can find"),
        (torch.nn.Linear(1, 1), r"\['fn'\] is a Linear of PyTorch's.*from_torch"),
        (torch.ones(1), r"\['fn'\] is a Tensor of PyTorch's.*from_torch"),
        (minitorch2.optim.SGD([minitorch2.ones(1)], 0.1), r"\['fn'\] is a whole SGD.*state_dict"),
        (minitorch2.Generator(), r"\['fn'\] is a Generator, which cannot be saved"),
        (np.array(["a"]), r"\['fn'\] is a NumPy value of the type <U1.*lists"),
        (np.dtype("f4"), r"\['fn'\] is a dtype of NumPy's"),
        (iter(()).__class__, r"\['fn'\] is a class"),
        ((x for x in ()), r"\['fn'\] is a generator, which cannot be saved: cannot pickle"),
        ({2**62: 1}, r"\['fn'\]\[4611686018427387904\] has a key that is too large"),
        (1 << 5000, r"\['fn'\] has more than 255 bytes"),
        (open, r"\['fn'\] is a function"),
    ],
    ids=[
        "lambda",
        "function",
        "class",
        "instance",
        "module",
        "tensor",
        "optimizer",
        "generator of numbers",
        "strings",
        "dtype",
        "builtin class",
        "generator",
        "key",
        "int",
        "builtin",
    ],
)
def test_what_cannot_be_saved_is_named_by_its_place(value, message, tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(b"old")
    with pytest.raises(pickle.PicklingError, match=message):
        serialization.save({"a": [0, {"fn": value}]}, path)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["model.pt"]


def test_cycles_and_depth_are_refused():
    cycle = []
    cycle.append({"x": cycle})
    with pytest.raises(pickle.PicklingError, match=r"state\[0\]\['x'\] contains itself"):
        our_bytes(cycle)
    deep = nested = []
    for _ in range(300):
        nested.append([])
        nested = nested[0]
    with pytest.raises(pickle.PicklingError, match="deeper than 200"):
        our_bytes(deep)


def test_safe_globals_open_the_list_by_a_name_at_a_time():
    saved = torch_bytes({"config": Config(0.1), "d": defaultdict(list)})
    name = f"{Config.__module__}.Config"
    with pytest.raises(pickle.UnpicklingError, match=rf"GLOBAL {name} was not an allowed global"):
        serialization.load(saved)
    with serialization.safe_globals([Config, defaultdict, list]):
        assert set(serialization.get_safe_globals()) == {Config, defaultdict, list}
        saved.seek(0)
        loaded = serialization.load(saved)
        assert loaded["config"] == Config(0.1) and type(loaded["d"]) is defaultdict
        loaded["d"]["x"].append(1)
        again = serialization.load(our_bytes(loaded))
        assert again["config"] == Config(0.1) and again["d"] == {"x": [1]} and again["d"].default_factory is list
        with torch.serialization.safe_globals([Config, defaultdict, list]):
            assert torch.load(our_bytes({"config": Config(0.1)}))["config"] == Config(0.1)
    assert serialization.get_safe_globals() == []
    serialization.add_safe_globals([(Config, name)])
    saved.seek(0)
    with pytest.raises(pickle.UnpicklingError, match="defaultdict"):
        serialization.load(saved)
    serialization.clear_safe_globals()
    assert serialization.get_safe_globals() == []
    for bad in (os.system, eval, getattr, subprocess.run, (print, "os.system"), (eval, "my.harmless")):
        with pytest.raises(ValueError, match="arbitrary code"):
            serialization.add_safe_globals([bad])
    assert serialization.get_safe_globals() == []


@pytest.mark.filterwarnings("ignore:.*quantized tensor creation")
def test_kinds_of_tensors_that_do_not_exist_here():
    for value, name in (
        (torch.zeros(2, dtype=torch.complex64), "ComplexFloatStorage"),
        (torch.zeros(2, dtype=torch.uint16), "torch.uint16"),
        (torch.zeros(2, 2).to_sparse(), "sparse"),
        (torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "quantized"),
        (torch.strided, "layout"),
        (torch.float8_e5m2, "float8_e5m2"),
    ):
        with pytest.raises(NotImplementedError, match=f"{name}.*not supported"):
            serialization.load(torch_bytes([value]))


@pytest.mark.parametrize("options", [{"weights_only": False}, {"pickle_module": pickle}])
def test_there_is_no_door_for_code(options):
    with pytest.raises(RuntimeError, match=r"weights_only=False is not supported|safely"):
        serialization.load(torch_bytes(1), **options)


def test_options_save_does_not_have():
    for options in ({"pickle_protocol": 4}, {"pickle_module": io}, {"_use_new_zipfile_serialization": False}):
        with pytest.raises(NotImplementedError, match=r"minitorch2\.save"):
            serialization.save(1, io.BytesIO(), **options)


class FullDisk(io.RawIOBase):
    def __init__(self, room):
        self.room = room

    def write(self, data):
        self.room -= len(data)
        if self.room < 0:
            raise OSError(28, "No space left on device")
        return len(data)


def test_errors_of_the_file_reach_the_caller(tmp_path):
    state = Tensor._wrap(np.zeros(1000))
    with pytest.raises(OSError, match="No space left"):
        serialization.save(state, FullDisk(3000))
    with pytest.raises(RuntimeError, match=r"Parent directory .*missing does not exist"):
        serialization.save(state, tmp_path / "missing" / "model.pt")
    with pytest.raises(IsADirectoryError, match="folder"):
        serialization.save(state, tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RuntimeError, match="does not exist"):
        serialization.save(state, tmp_path / "file" / "model.pt")


def test_atomic_write_keeps_links_permissions_and_the_old_file(tmp_path):
    target, link = tmp_path / "model.pt", tmp_path / "latest.pt"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    with atomic_write(link) as file:
        file.write(b"new")
        assert target.read_bytes() == b"old"
    assert link.is_symlink() and target.read_bytes() == b"new" and target.stat().st_mode & 0o777 == 0o640
    with pytest.raises(KeyboardInterrupt), atomic_write(target) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"new" and sorted(os.listdir(tmp_path)) == ["latest.pt", "model.pt"]
    with atomic_write("/dev/null") as file:
        file.write(b"gone")


def run(code, *arguments, **options):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'kernels'}", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), *arguments], env=environment, **options)


@pytest.mark.skipif(sys.platform == "win32", reason="no resource limits")
def test_a_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.pt"
    serialization.save({"version": 1}, path)
    # A limit on the size of files is what a test can have of a full disk.
    code = """
        import resource, signal, sys, numpy as np
        from minitorch2 import serialization
        from minitorch2.tensor import Tensor
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            serialization.save(Tensor._wrap(np.zeros(10**6)), sys.argv[1])
        except OSError as error:
            assert "intact" in str(error) and sys.argv[1] in str(error), error
            sys.exit(7)
    """
    assert run(code, str(path)).wait(60) == 7
    assert serialization.load(path) == {"version": 1} and os.listdir(tmp_path) == ["model.pt"]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path):
    path = tmp_path / "model.pt"
    code = """
        import sys, numpy as np
        from minitorch2 import serialization
        from minitorch2.tensor import Tensor
        for version in range(10**9):
            tensors = [Tensor._wrap(np.full(50_000, version, np.int64)) for _ in range(4)]
            serialization.save({"version": version, "tensors": tensors}, sys.argv[1])
            print(version, flush=True)
    """
    deep = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
    draw = np.random.default_rng(0)
    for _ in range(100 if deep else 5):
        process = run(code, str(path), stdout=subprocess.PIPE)
        process.stdout.readline()  # the first file is there
        time.sleep(draw.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        loaded = serialization.load(path)
        for tensor in loaded["tensors"]:
            assert (tensor._data == loaded["version"]).all() and tensor._data.size == 50_000
