"""Data sets: the file formats, what an item is, and that damaged or hostile files are refused by name."""

import gzip
import hashlib
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minitorch2 as torch
from minitorch2.vision.datasets import CIFAR10, MNIST, FashionMNIST, MiniMNIST, VisionDataset, load_or_mini
from minitorch2.vision.datasets.batches import dump_batch
from minitorch2.vision.datasets.cifar import batch_records
from minitorch2.vision.datasets.download import Published
from minitorch2.vision.datasets.idx import idx_bytes, read_idx
from minitorch2.vision.transforms import Compose, Normalize, ToTensor

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"


def write_mnist(folder, rng, train=12, test=5, compress=False):
    """A small data set in MNIST's layout; returns what was written by file name."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    written = {}
    for part, count in (("train", train), ("t10k", test)):
        written[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        written[f"{part}-labels-idx1-ubyte"] = rng.integers(0, 10, count, dtype=np.uint8)
    for name, array in written.items():
        content = idx_bytes(array)
        if compress:
            (raw / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (raw / name).write_bytes(content)
    return written


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# idx files


@pytest.mark.parametrize("name", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_keeps_values_and_shape(tmp_path, rng, name, ending):
    array = (rng.normal(size=(3, 1, 4)) * 100).astype(name)
    path = tmp_path / f"file{ending}"
    path.write_bytes(gzip.compress(idx_bytes(array)) if ending else idx_bytes(array))
    loaded = read_idx(path)
    assert loaded.dtype == array.dtype and loaded.dtype.isnative and loaded.flags.writeable
    np.testing.assert_array_equal(loaded, array)


def test_idx_is_big_endian(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\0\0\x0b\x02" + struct.pack(">II", 1, 2) + struct.pack(">hh", 258, -2))
    assert read_idx(path).tolist() == [[258, -2]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected an idx file of at least 4 bytes, found 0"),
        (b"\x1f\x8b\x08\x01abcdefgh", "magic number is 0x1f8b0801"),
        (b"\0\0\x07\x01\0\0\0\x01a", "magic number is 0x00000701"),
        (b"\0\0\x08\x00", "magic number is 0x00000800"),
        (b"\0\0\x08\x03\0\0\0\x01", "expected an idx header of 16 bytes, found 8"),
        (b"\0\0\x08\x01\0\0\0\x05abc", "needs 13 bytes, found 11"),
        (b"\0\0\x08\x01\0\0\0\x05abcdefg", "needs 13 bytes, found 15"),
        (b"\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff", "its header asks for 18446744065119617025 bytes"),
    ],
)
def test_damaged_idx_names_file_and_bytes(tmp_path, content, message):
    path = tmp_path / "some-file"
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda raw: raw[: len(raw) // 2], "damaged or incomplete"),
        (lambda raw: raw[:-6] + bytes([raw[-6] ^ 1]) + raw[-5:], "damaged or incomplete"),  # in the checksum
        (lambda raw: b"no gzip at all", "damaged or incomplete"),
        (lambda raw: gzip.compress(gzip.decompress(raw)[:-1]), "needs 109 bytes, found only 108"),
        (lambda raw: gzip.compress(gzip.decompress(raw) + b"\0" * (1 << 20)), "needs 109 bytes, found more"),
    ],
)
def test_damaged_gzip(tmp_path, rng, spoil, message):
    path = tmp_path / "file.gz"
    path.write_bytes(spoil(gzip.compress(idx_bytes(rng.integers(0, 256, 101, dtype=np.uint8)))))
    with pytest.raises(RuntimeError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_idx_refuses_what_it_cannot_hold():
    with pytest.raises(TypeError, match="int64"):
        idx_bytes(np.zeros(3, np.int64))


# MNIST


@pytest.mark.parametrize("compress", [False, True])
def test_mnist_items(tmp_path, rng, compress):
    written = write_mnist(tmp_path, rng, compress=compress)
    data = MNIST(tmp_path, train=True)
    assert data.data.dtype is torch.uint8 and tuple(data.data.shape) == (12, 28, 28)
    assert data.targets.dtype is torch.int64 and len(data) == 12
    np.testing.assert_array_equal(data.data.numpy(), written["train-images-idx3-ubyte"])
    for index in (0, 11, -1):
        image, target = data[index]
        assert image.mode == "L" and image.size == (28, 28)
        np.testing.assert_array_equal(np.asarray(image), written["train-images-idx3-ubyte"][index])
        assert type(target) is int and target == written["train-labels-idx1-ubyte"][index]
    with pytest.raises(IndexError):
        data[12]
    assert len(list(data)) == 12
    assert len(MNIST(tmp_path, train=False)) == 5


def test_mnist_names(tmp_path, rng):
    write_mnist(tmp_path, rng)
    data = MNIST(str(tmp_path))
    assert data.classes[0] == "0 - zero" and data.classes[9] == "9 - nine"
    assert data.class_to_idx["3 - three"] == 3
    assert data.raw_folder == str(tmp_path / "MNIST" / "raw")
    with pytest.warns(UserWarning, match="train_labels has been renamed targets"):
        assert data.train_labels is data.targets
    with pytest.warns(UserWarning, match="test_data has been renamed data"):
        assert data.test_data is data.data
    assert FashionMNIST.classes[9] == "Ankle boot" and len(FashionMNIST.classes) == 10


def test_transforms_are_applied_and_printed(tmp_path, rng):
    written = write_mnist(tmp_path, rng)
    data = MNIST(
        tmp_path,
        train=False,
        transform=Compose([ToTensor(), Normalize((0.5,), (0.25,))]),
        target_transform=lambda label: -label,
    )
    image, target = data[2]
    expected = (written["t10k-images-idx3-ubyte"][2] / np.float32(255) - np.float32(0.5)) / np.float32(0.25)
    np.testing.assert_array_equal(image.numpy()[0], expected)
    assert target == -int(written["t10k-labels-idx1-ubyte"][2])
    data = MNIST(tmp_path, transform=Compose([ToTensor(), Normalize((0.5,), (0.25,))]))
    assert repr(data) == (  # torchvision's layout, with its unindented second line
        f"Dataset MNIST\n    Number of datapoints: 12\n    Root location: {tmp_path}\n    Split: Train\n"
        "    StandardTransform\nTransform: Compose(\n               ToTensor()\n"
        "               Normalize(mean=(0.5,), std=(0.25,))\n           )"
    )
    assert repr(MNIST(tmp_path, train=False)).endswith("    Split: Test")


def test_vision_dataset_takes_one_kind_of_transform():
    with pytest.raises(ValueError, match="Only transforms or transform/target_transform"):
        VisionDataset("x", transforms=lambda a, b: (a, b), transform=lambda a: a)


def test_root_may_start_with_the_home_folder(monkeypatch, tmp_path, rng):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_mnist(tmp_path, rng)
    assert len(MNIST("~")) == 12


def test_without_pillow_items_are_arrays(tmp_path, rng, monkeypatch):
    written = write_mnist(tmp_path, rng)
    with_pillow = MNIST(tmp_path, transform=ToTensor())[0][0]
    monkeypatch.setitem(sys.modules, "PIL", None)
    image, _ = MNIST(tmp_path)[0]
    assert isinstance(image, np.ndarray) and image.shape == (28, 28, 1)
    np.testing.assert_array_equal(image[:, :, 0], written["train-images-idx3-ubyte"][0])
    np.testing.assert_array_equal(MNIST(tmp_path, transform=ToTensor())[0][0].numpy(), with_pillow.numpy())


def test_missing_mnist(tmp_path, rng):
    with pytest.raises(RuntimeError, match=r"Dataset not found\. You can use download=True to download it"):
        MNIST(tmp_path)
    write_mnist(tmp_path, rng)
    (tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(RuntimeError, match=r"\(t10k-labels-idx1-ubyte not in"):
        MNIST(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte", idx_bytes(np.zeros((12, 28), np.uint8)), "of 3 dimensions, found uint8"),
        ("train-images-idx3-ubyte", idx_bytes(np.zeros((12, 2, 2), np.int16)), "found int16"),
        ("train-images-idx3-ubyte", idx_bytes(np.zeros((11, 28, 28), np.uint8)), "has 11 images.* 12 labels"),
        ("train-labels-idx1-ubyte", idx_bytes(np.full(12, 10, np.uint8)), "label 10, but there are only 10"),
        ("train-labels-idx1-ubyte", idx_bytes(np.zeros(12, np.uint8))[:-3], "needs 20 bytes, found 17"),
    ],
)
def test_files_that_are_no_mnist(tmp_path, rng, name, content, message):
    write_mnist(tmp_path, rng)
    (tmp_path / "MNIST" / "raw" / name).write_bytes(content)
    with pytest.raises(RuntimeError, match=message) as caught:
        MNIST(tmp_path)
    assert name in str(caught.value)


# Mini MNIST


def test_mini_mnist_is_complete_and_as_published():
    digests = {
        "train-images-idx3-ubyte.gz": "36cb395b94762f0009909e61c7df0bc6d23da1b3e0251f38b10b10501b652034",
        "train-labels-idx1-ubyte.gz": "6bf07e4d2b09bd66291b74f06f4d0e8c9f34e62ddcb50269a3126f861d1e7d68",
        "t10k-images-idx3-ubyte.gz": "b97c8bfeb834d8e7999eaa2d69239abe06653dc09c1e5d7eb0c974c5965bc6a9",
        "t10k-labels-idx1-ubyte.gz": "41cf2f530031915ba9fbb241407c369dba1acd7515053edff48cebeee8b260f4",
    }
    folder = Path(MiniMNIST().raw_folder)
    readme = (folder / "README.md").read_text()
    for name, digest in digests.items():
        assert hashlib.sha256(gzip.decompress((folder / name).read_bytes())).hexdigest() == digest
        assert digest in readme
    for train, count in ((True, 500), (False, 100)):
        data = MiniMNIST("ignored", train=train, download=True)
        assert np.bincount(data.targets.numpy()).tolist() == [count] * 10
        assert repr(data).startswith(f"Dataset MiniMNIST\n    Number of datapoints: {count * 10}\n    Split: ")


def test_load_or_mini(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(MNIST, "sources", ())
    with pytest.warns(UserWarning, match=r"small MNIST \(1,000 images\)(.|\n)*could not be had"):
        data = load_or_mini(tmp_path / "none", train=False)
    assert isinstance(data, MiniMNIST) and len(data) == 1000
    write_mnist(tmp_path, rng)
    assert type(load_or_mini(tmp_path, download=False)) is MNIST


@pytest.mark.skipif(not (DATA / "MNIST").is_dir(), reason="data/MNIST is not there")
def test_the_real_mnist():
    data = MNIST(DATA, train=True)
    assert np.bincount(data.targets.numpy()).tolist() == [
        5923,
        6742,
        5958,
        6131,
        5842,
        5421,
        5918,
        6265,
        5851,
        5949,
    ]
    # The two constants everybody normalises with.
    pixels = data.data.numpy() / np.float32(255)
    assert round(float(pixels.mean()), 4) == 0.1307 and round(float(pixels.std()), 4) == 0.3081
    chosen = np.sort(np.concatenate([np.flatnonzero(data.targets.numpy() == c)[:500] for c in range(10)]))
    np.testing.assert_array_equal(MiniMNIST().data.numpy(), data.data.numpy()[chosen])


# CIFAR-10


def batch(rng, count=6):
    return {
        "batch_label": b"training batch 1 of 1",
        "labels": rng.integers(0, 10, count).tolist(),
        "data": rng.integers(0, 256, (count, 3072), dtype=np.uint8),
        "filenames": [b"image_%06d.png" % number for number in range(count)],
    }


def small_cifar(folder, rng):
    """A class like CIFAR10 whose published files are one batch each, and those files in its folder."""
    contents = {name: dump_batch(batch(rng)) for name in ("data_batch_1", "data_batch_2", "test_batch")}

    def published(name):
        digest = hashlib.sha256(batch_records(contents[name])).hexdigest()
        return Published(name, 1 << 20, digest, canonical=batch_records, exact=False)

    class Small(CIFAR10):
        train_list = (published("data_batch_1"), published("data_batch_2"))
        test_list = (published("test_batch"),)

    target = folder / "cifar-10-batches-py"
    target.mkdir(parents=True)
    for name, content in contents.items():
        (target / name).write_bytes(content)
    return Small, contents


def test_cifar_items(tmp_path, rng):
    small, contents = small_cifar(tmp_path, rng)
    data = small(tmp_path)
    first = pickle.loads(contents["data_batch_1"], encoding="latin1")
    assert data.data.shape == (12, 32, 32, 3) and data.data.dtype == np.uint8
    assert len(data) == 12 and isinstance(data.targets, list) and data.targets[:6] == first["labels"]
    image, target = data[3]
    assert image.mode == "RGB" and image.size == (32, 32) and target == first["labels"][3]
    np.testing.assert_array_equal(np.asarray(image), first["data"][3].reshape(3, 32, 32).transpose(1, 2, 0))
    assert data.classes[9] == "truck" and data.class_to_idx["airplane"] == 0
    assert len(small(tmp_path, train=False)) == 6
    assert "Split: Test" in repr(small(tmp_path, train=False))
    tensor, _ = small(tmp_path, transform=ToTensor())[3]
    np.testing.assert_array_equal(tensor.numpy(), first["data"][3].reshape(3, 32, 32) / np.float32(255))


def test_damaged_cifar(tmp_path, rng):
    small, contents = small_cifar(tmp_path, rng)
    path = tmp_path / "cifar-10-batches-py" / "data_batch_2"
    content = contents["data_batch_2"]
    spoilt = bytearray(content)
    spoilt[len(spoilt) // 2] ^= 1
    for wrong, message in (
        (content[:1000], "found 1000: not a CIFAR batch: not a readable pickle"),
        (bytes(spoilt), "expected content of SHA-256"),
        (dump_batch({"labels": [1]}), "no 'data' of"),
        (dump_batch({"data": np.zeros((1, 3072), np.uint8)}), "no list of 'labels'"),
        (dump_batch({"data": np.zeros((1, 3072), np.uint8), "labels": [1, 2]}), "1 images but 2 labels"),
        (dump_batch({"data": np.zeros((1, 3072), np.uint8), "labels": [10]}), "no list of 'labels'"),
        (dump_batch({"data": np.zeros((1, 3), np.uint8), "labels": [1]}), "no 'data' of"),
    ):
        path.write_bytes(wrong)
        with pytest.raises(RuntimeError, match=message) as caught:
            small(tmp_path)
        assert str(path) in str(caught.value) and "Dataset not found or corrupted" in str(caught.value)
    path.unlink()
    with pytest.raises(RuntimeError, match="data_batch_2 is missing"):
        small(tmp_path)


@pytest.mark.skipif(not (DATA / "cifar-10-batches-py").is_dir(), reason="data/cifar-10-batches-py is not there")
def test_the_real_cifar():
    data = CIFAR10(DATA, train=False)
    assert np.bincount(data.targets).tolist() == [1000] * 10
    assert data.targets[:6] == [3, 8, 8, 0, 6, 6]  # cat, ship, ship, airplane, frog, frog


def test_import_opens_no_connection_and_no_pillow():
    probe = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('a connection at import')\n"
        "socket.socket.connect = refuse\n"
        "import minitorch2.vision\n"
        "assert not {'PIL', 'tqdm', 'matplotlib'} & set(sys.modules)\n"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    subprocess.run([sys.executable, "-c", probe], env=os.environ | {"PYTHONPATH": path}, check=True)
