"""The fuzz target without the fuzzer: its corpus loads, and damage to it ends as promised."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

FUZZ = Path(__file__).resolve().parent.parent / "fuzz"
CORPUS = sorted(path for path in (FUZZ / "corpus").rglob("*") if path.is_file())


def program(name):
    spec = importlib.util.spec_from_file_location(name, FUZZ / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TARGETS = program("fuzz_load").TARGETS


def test_every_target_has_a_corpus():
    assert {path.parent.name for path in CORPUS} == set(TARGETS)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_corpus_loads_and_its_damage_is_survived(path):
    check, data = TARGETS[path.parent.name], path.read_bytes()
    assert check(data)
    draw = np.random.default_rng(0)
    for _ in range(20):
        changed = bytearray(data)
        changed[draw.integers(len(data))] = draw.integers(256)
        check(bytes(changed))  # raises for what is not allowed


def test_the_target_can_fail():
    def broken(*args, **kwargs):
        raise KeyError("a bare word")

    module = program("fuzz_load")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minitorch2.serialization.load", broken)
        with pytest.raises(KeyError):
            module.TARGETS["pickle"](b".")


def test_the_names_are_those_of_the_reader():
    from minitorch2.serialization.builders import TABLE

    words = (FUZZ / "names.dict").read_text().splitlines()
    assert {f'"c{p.rpartition(".")[0]}\\x0a{p.rpartition(".")[2]}\\x0a"' for p in TABLE} == set(words)
