"""CIFAR's pickles: read as Python reads them, written as the originals were, and refused where hostile."""

import hashlib
import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitorch2.vision.datasets import CIFAR10
from minitorch2.vision.datasets.batches import dump_batch, load_batch


def batch(count):
    rng = np.random.default_rng(0)
    return {
        "batch_label": b"training batch 1 of 1",
        "labels": rng.integers(0, 10, count).tolist(),
        "data": rng.integers(0, 256, (count, 3072), dtype=np.uint8),
        "filenames": [b"image_%06d.png" % number for number in range(count)],
    }


def test_batches_are_what_others_read_and_write():
    entries = batch(300)
    content = dump_batch(entries)
    for encoding, key in (("bytes", lambda name: name.encode()), ("latin1", lambda name: name)):
        loaded = pickle.loads(content, encoding=encoding)
        assert loaded[key("labels")] == entries["labels"]
        np.testing.assert_array_equal(loaded[key("data")], entries["data"])
    for written in (content, pickle.dumps(entries, protocol=2)):
        loaded = load_batch(written)
        assert loaded["labels"] == entries["labels"] and loaded["filenames"] == entries["filenames"]
        np.testing.assert_array_equal(loaded["data"], entries["data"])


def test_batches_meta_is_the_original_byte_for_byte():
    names = [name.encode() for name in CIFAR10.classes]
    content = dump_batch({"num_cases_per_batch": 10_000, "label_names": names, "num_vis": 3072})
    assert len(content) == 158
    assert hashlib.md5(content).hexdigest() == "5ff9c542aee3614f3951f8cda6e48888"  # torchvision's table has it


class Shell:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def raw_pickle(*parts):
    return b"\x80\x02" + b"".join(parts) + b"."


HOSTILE = {
    "another function": (raw_pickle(b"cnumpy\nload\n"), "asks for numpy.load"),
    "a name within numpy": (raw_pickle(b"cnumpy.core.multiarray\nfromstring\n"), "asks for numpy.core"),
    "eval": (raw_pickle(b"c__builtin__\neval\nU\x041+1", b"\x85", b"R"), "asks for "),
    "an object by its class": (raw_pickle(b"cnumpy\nndarray\n", b")", b"\x81"), "opcode NEWOBJ"),
    "protocol 4": (pickle.dumps({"data": 1}, protocol=4), "opcode FRAME"),
    "a persistent id": (raw_pickle(b"U\x01a", b"Q"), "opcode BINPERSID"),
    "a huge memo": (raw_pickle(b"}", b"r\xff\xff\xff\x7f"), "memo index"),
    "a huge string": (raw_pickle(b"T\xff\xff\xff\x7f"), "not a readable pickle"),
    "changes to our functions": (
        raw_pickle(b"cnumpy\ndtype\n", b"}", b"X\x05\0\0\0_callK\x01s", b"b"),
        "change the state of a function",
    ),
    "calling ndarray": (raw_pickle(b"cnumpy\nndarray\n", b")", b"R"), "may only be named"),
    "objects in the array": (
        raw_pickle(b"cnumpy\ndtype\n", b"U\x01O", b"K\0K\x01\x87", b"R"),
        "holds uint8 data",
    ),
    "another codec": (raw_pickle(b"c_codecs\nencode\n", b"X\x01\0\0\0a", b"U\x04utf8", b"\x86R"), "latin1"),
    "no dict": (pickle.dumps([1, 2], protocol=2), "a CIFAR batch is a dict, found list"),
    "no pickle": (b"hello", "opcode LIST"),
    "nothing": (b"", "not a readable pickle"),
    "an odd entry": (raw_pickle(b"}U\x04data}s"), "unexpected entry"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused(name):
    content, message = HOSTILE[name]
    with pytest.raises(pickle.UnpicklingError, match=message):
        load_batch(content)


def test_a_pickle_that_runs_a_command_runs_nothing(tmp_path):
    mark = tmp_path / "was-here"
    content = pickle.dumps({"data": Shell(f"touch {mark}")}, protocol=2)
    with pytest.raises(pickle.UnpicklingError, match=r"asks for posix\.system"):
        load_batch(content)
    assert not mark.exists()


def array_pickle(shape=b"K\x01M\x00\x0c\x86", order=b"\x89", raw=b"T\0\x0c\0\0" + bytes(3072)):
    return raw_pickle(
        b"}U\x04data",
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R",
        b"(K\x01",
        shape,
        b"cnumpy\ndtype\nU\x02u1K\0K\x01\x87R",
        order,
        raw,
        b"tb",
        b"s",
    )


def test_array_state_is_checked():
    assert load_batch(array_pickle())["data"].shape == (1, 3072)
    for content, message in (
        (array_pickle(shape=b"K\x02M\x00\x0c\x86"), r"shape \(2, 3072\) needs 6144 bytes, found 3072"),
        (array_pickle(shape=b"J\xff\xff\xff\xffM\x00\x0c\x86"), r"shape \(-1, 3072\)"),
        (array_pickle(shape=b"M\x00\x0c\x85"), r"shape \(3072,\)"),
        (array_pickle(order=b"\x88"), "Fortran order"),
        (array_pickle(raw=b"]"), "the array's state"),
    ):
        with pytest.raises(pickle.UnpicklingError, match=message):
            load_batch(content)


TINY = dump_batch({"labels": [1, 2], "data": np.arange(12, dtype=np.uint8).reshape(2, 6), "batch_label": b"x"})


@given(
    st.lists(st.tuples(st.integers(0, len(TINY) - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, len(TINY)),
)
def test_any_damage_is_either_harmless_or_an_unpickling_error(changes, length):
    content = bytearray(TINY)
    for place, value in changes:
        content[place] = value
    try:
        loaded = load_batch(bytes(content[:length] if length % 3 == 0 else content))
    except pickle.UnpicklingError:
        return
    assert all(isinstance(value, (bytes, str, int, list, np.ndarray)) for value in loaded.values())
