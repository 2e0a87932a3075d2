"""minitorch2 inspect on files that attack: what pickle.load would run is written out, and nothing ever runs."""

import argparse
import collections
import io
import itertools
import json
import os
import pickle
import pickletools
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_cases import Attack, Net, reporter, runner
from serialization_cases import ALLOWED, archive
from test_serialization_damage import CASES, checkpoint, mutations
from test_serialization_safety import ATTACKS, FLOATS, NAMES, text

from minitorch2 import serialization
from minitorch2.cli.text import escaped


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    return runner(capsys, tmp_path, monkeypatch)


@pytest.fixture
def report(command):
    return reporter(command)


@pytest.mark.parametrize("protocol", range(6))
def test_what_would_run_is_written_out_and_does_not_run(protocol, command, tmp_path):
    for function, argument, spelled in (
        (os.system, "touch x", "os.system('touch x')"),
        (eval, "open('x', 'w')", "eval(\"open('x', 'w')\")"),
        (os.mkdir, "x\x1b[31m", "os.mkdir('x\\x1b[31m')"),
        (pickle.loads, b"cos\nsystem\n", "pickle.loads("),
        (itertools.chain, "x", "itertools.chain("),
    ):
        payload = {"w": Attack(function, (argument,)), "t": torch.ones(2)}
        torch.save(payload, "zip.pt", pickle_protocol=max(protocol, 2))
        torch.save(payload, "legacy.pt", pickle_protocol=max(protocol, 2), _use_new_zipfile_serialization=False)
        Path("plain.pkl").write_bytes(pickle.dumps([Attack(function, (argument,))], protocol))
        np.savez("x.npz", a=np.ones(2), b=np.array([Attack(function, (argument,))], object))
        np.save("x.npy", np.array([Attack(function, (argument,))], object))
        np.savez("records.npz", np.array([(1, Attack(function, (argument,)))], [("a", "i4"), ("b", "O")]))
        before = set(os.listdir(tmp_path))
        for path in ("zip.pt", "legacy.pt", "plain.pkl", "x.npz", "x.npy", "records.npz"):
            status, out, _ = command("inspect", path)
            assert status == 3 and "This file asks to run code when unpickled by" in out and spelled in out, path
            assert "minitorch2.load re" in out
        assert set(os.listdir(tmp_path)) == before


def test_the_verdict_is_in_the_json_too(report):
    torch.save({"w": Attack(os.system, ("touch x",)), "m": torch.nn.Sequential(torch.nn.Linear(2, 3))}, "x.pt")
    seen = report("x.pt", status=3)
    assert seen["runs_code"] == ["os.system('touch x')"] and not seen["loads"]
    assert [t["name"] for t in seen["tensors"]] == ["m.0.weight", "m.0.bias"]
    assert seen["other_names"] == ["torch.nn.modules.container.Sequential", "torch.nn.modules.linear.Linear"]


SYSTEM = b"cos\nsystem\n"
WAYS_TO_CALL = {
    "INST": b"(" + text("touch x") + b"ios\nsystem\n.",
    "INST of protocol 0": b"(S'touch x'\nios\nsystem\n.",
    "OBJ": b"(" + SYSTEM + text("touch x") + b"o.",
    "STACK_GLOBAL": text("os") + text("system") + b"\x93" + text("touch x") + b"\x85R.",
    "NEWOBJ": SYSTEM + text("touch x") + b"\x85\x81.",
    "NEWOBJ_EX": SYSTEM + text("touch x") + b"\x85}\x92.",
    "EXT1": b"\x82\x01" + text("touch x") + b"\x85R.",
    "EXT4": b"\x84\x01\0\0\0" + text("touch x") + b"\x85R.",
    "protocol 0": b"cos\nsystem\np0\n(Vtouch x\np1\ntp2\nRp3\n.",
    "a long program": b"c__builtin__\neval\n(S'" + b"1 + " * 5000 + b"1'\ntR.",
    "getattr": b"c__builtin__\ngetattr\ncos\npath\n" + text("system") + b"\x86R" + text("touch x") + b"\x85R.",
    "a lazy map": b"c__builtin__\nmap\n" + SYSTEM + b"]" + text("touch x") + b"a\x86R.",
    "Python 2's name": b"ccommands\ngetoutput\n" + text("touch x") + b"\x85R.",
    "behind a tensor's builder": b"ctorch._tensor\n_rebuild_from_type_v2\n("
    + SYSTEM
    + SYSTEM
    + text("x")
    + b"\x85}tR.",
    "as a default factory": b"ccollections\ndefaultdict\n" + SYSTEM + b"\x85R.",
    "behind a harmless class": b"ccopyreg\n_reconstructor\n(cargparse\nNamespace\ncsubprocess\nPopen\n]"
    + text("touch")
    + b"a"
    + text("x")
    + b"atR.",
    "another class for a harmless object": b"cargparse\nNamespace\n)\x81N}" + text("__class__") + SYSTEM + b"s\x86b.",
    "BUILD of a name": b"cos\npath\n}" + text("sep") + text("x") + b"sb.",
    "in the middle, popped": b"}" + SYSTEM + text("touch x") + b"\x85R0.",
    "in the memo alone": b"}(" + SYSTEM + text("touch x") + b"\x85Rq\x001.",
    "as a key": b"}" + SYSTEM + text("touch x") + b"\x85RK\x01s.",
    "before the damage": SYSTEM + text("touch x") + b"\x85R\xff\xff.",
    "before the end of the file": SYSTEM + text("touch x") + b"\x85R",
    "before a persistent id": SYSTEM + text("touch x") + b"\x85R" + text("x") + b"Q.",
    "before a number of a persistent id": SYSTEM + text("touch x") + b"\x85RQ.",
}


@pytest.mark.parametrize("attack", WAYS_TO_CALL.values(), ids=WAYS_TO_CALL)
def test_every_way_to_call(attack, command, tmp_path):
    for data in (archive(b"\x80\x02" + attack), attack, b"\x80\x04" + attack):
        Path("x.pt").write_bytes(data)
        status, out, _ = command("inspect", "x.pt")
        assert status == 3 and "asks to" in out
        assert os.listdir(tmp_path) == ["x.pt"]


@pytest.mark.parametrize("position", range(5))
def test_any_pickle_of_a_legacy_file_may_attack(position, command, tmp_path):
    file = io.BytesIO()
    torch.save({"w": torch.ones(2)}, file, _use_new_zipfile_serialization=False)
    file.seek(0)
    places = [0]
    for _ in range(5):
        collections.deque(pickletools.genops(file), maxlen=0)  # to the STOP of one pickle
        places.append(file.tell())
    data = file.getvalue()
    at = places[position] + 2
    # Called and forgotten, before the pickle that belongs there goes on.
    Path("x.pt").write_bytes(data[:at] + SYSTEM + text("touch x") + b"\x85R0" + data[at:])
    status, out, _ = command("inspect", "x.pt")
    assert status == 3 and "os.system('touch x')" in out and os.listdir(tmp_path) == ["x.pt"]


def test_nothing_is_imported(command, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    Path("decoy_module.py").write_text("open('broken', 'w')")
    for name in [*(name.strip() for name in NAMES.split(",")), "decoy_module Net", "decoy_module.sub Net"]:
        module, _, function = name.partition(" ")
        for make in (b"cdecoy_module\nNet\n.", f"c{module}\n{function}\n".encode() + text("x") + b"\x85R."):
            Path("x.pt").write_bytes(archive(b"\x80\x02" + make))
            assert command("inspect", "x.pt")[0] in (0, 2, 3)
    assert "decoy_module" not in sys.modules and not os.path.exists("broken")


@pytest.mark.parametrize("legacy", [False, True])
def test_whole_modules(report, command, legacy):
    torch.save(Net(), "x.pt", _use_new_zipfile_serialization=not legacy)
    seen = report("x.pt", status=3)
    assert seen["builds_classes"] == {f"{Net.__module__}.Net": 1} and not seen["runs_code"]
    assert {t["name"] for t in seen["tensors"]} >= {"body.0.weight", "body.1.running_mean", "scratch"}
    assert {"torch.nn.modules.linear.Linear", "torch.nn.modules.batchnorm.BatchNorm1d"} <= set(seen["other_names"])
    _, out, _ = command("inspect", "x.pt")
    assert f"{Net.__module__}.Net(size=7)" in out and "Linear(in_features=2, out_features=3)" in out
    torch.save(Net().body, "x.pt", _use_new_zipfile_serialization=not legacy)  # nothing but torch's own layers
    assert report("x.pt")["builds_classes"] == {}


def test_harmless_objects_are_named_and_are_no_alarm(report):
    content = {
        "args": argparse.Namespace(lr=0.1),
        "counts": collections.defaultdict(list, a=[1]),
        "path": Path("x"),
        "range": range(3),
        "ok": torch.ones(2),
    }
    torch.save(content, "x.pt")
    seen = report("x.pt")
    assert "argparse.Namespace" in seen["other_names"] and not seen["loads"]
    assert {entry["name"] for entry in seen["other"]} >= {"args.lr", "counts.a", "path", "range"}
    torch.save({"u": torch.ones(2, dtype=torch.uint16), "s": torch.eye(2).to_sparse(), "ok": torch.ones(2)}, "x.pt")
    seen = report("x.pt")
    assert seen["other"][0]["value"] == "a tensor of torch.uint16, (2,) (not supported here)"
    assert [t["name"] for t in seen["tensors"]] == ["ok"]


def test_text_from_the_file_cannot_reach_the_terminal(command):
    evil = "\x1b]0;owned\x07\u202e\r\n\x9b2J\ud800"
    content = {
        evil: torch.ones(2),
        "x": evil,
        "y": {evil: 1},
        "z": Attack(eval, (evil,)),
        "bytes": evil.encode("utf-8", "replace"),
    }
    torch.save(content, "x.pt")
    status, out, _ = command("inspect", "x.pt")  # the fixture asserts that all of it can be printed
    assert status == 3 and "\\x1b]0;owned\\x07\\u202e\\r\\n\\x9b2J\\ud800" in out
    command("inspect", "x.pt", "--json", "--all")
    status, _, err = command("inspect", evil.removesuffix("\ud800") + ".pt")
    assert status == 2 and "No such file" in err


ARGUMENTS = (["inspect"], ["inspect", "--json", "--stats"])


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_attacks_end_soon(attack, command, tmp_path):
    for data in (archive(b"\x80\x02" + attack, k=FLOATS), b"\x80\x02" + attack):
        Path("x.pt").write_bytes(data)
        started = time.perf_counter()
        tracemalloc.start()
        try:
            for arguments in ARGUMENTS:
                assert command(*arguments, "x.pt")[0] in (0, 2, 3)
            assert tracemalloc.get_traced_memory()[1] < 20e6
        finally:
            tracemalloc.stop()
        assert time.perf_counter() - started < 20
        assert os.listdir(tmp_path) == ["x.pt"]


def whole(pickled: bytes) -> bytes:
    return archive(pickled, **STORAGES)


FILE = io.BytesIO()
torch.save(checkpoint(), FILE)
with zipfile.ZipFile(FILE) as opened:
    PICKLED = opened.read("archive/data.pkl")
    STORAGES = {
        i.filename.rpartition("/")[2]: opened.read(i) for i in opened.infolist() if "archive/data/" in i.filename
    }


@pytest.mark.parametrize("make", [bytes, whole], ids=["file", "pickle"])
def test_damaged_files_are_judged_as_load_judges_them(make, command):
    data = FILE.getvalue() if make is bytes else PICKLED
    for what, changed in mutations(data, 6, CASES):
        Path("x.pt").write_bytes(make(changed))
        status, out, err = command("inspect", "x.pt", "--json")
        try:
            serialization.load("x.pt")
        except ALLOWED as error:
            if status == 2:
                assert err.split(": ", 1)[1][:20] in escaped(str(error)), what
            elif json.loads(out)["loads"]:
                assert "checksum" in str(error) and command("inspect", "x.pt", "--verify")[0] == 2, what
        else:
            assert status == 0 and json.loads(out)["loads"], what
