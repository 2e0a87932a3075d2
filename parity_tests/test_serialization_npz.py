"""NumPy's .npz and .npy against NumPy: read and written the same; lies are refused before they cost anything."""

import io
import os
import pickle
import stat
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from serialization_cases import ALLOWED, DTYPES, raw, tensor_of, tensors_of_few_storages
from test_serialization_damage import CASES, mutations

import minitorch2
from minitorch2 import serialization
from minitorch2.serialization import npz


def arrays():
    draw = np.random.default_rng(0)
    numbers = draw.standard_normal((3, 4)) * 50
    types = ("f2", "f4", "f8", "u1", "i1", "i2", "i4", "i8", "?", ">f4", ">i8", "<f4")
    result = {dtype: numbers.astype(np.int64).astype(dtype) for dtype in types}
    result |= {"fortran": np.asfortranarray(numbers), "scalar": np.array(1.5), "empty": np.zeros((0, 4), np.float32)}
    return result | {"a/b.c é": np.arange(5), "large": np.arange(50_000)}


def saved(folder, content=None, compressed=False):
    path = folder / "x.npz"
    (np.savez_compressed if compressed else np.savez)(path, **(arrays() if content is None else content))
    return path


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_reads_what_numpy_writes(tmp_path, compressed, mmap):
    path = saved(tmp_path, compressed=compressed)
    with np.load(path) as want:
        for loaded in (serialization.load(path, mmap=mmap), npz.load_file(str(path), mmap=mmap)):
            assert list(loaded) == list(want)
            for name, tensor in loaded.items():
                native = want[name].astype(want[name].dtype.newbyteorder("="), copy=False)
                assert tensor._data.dtype == native.dtype and tensor.shape == native.shape, name
                assert np.array_equal(tensor._data, native), name
                assert tensor.stride() == torch.from_numpy(native).stride() or tensor.numel() == 0, name
    before = path.read_bytes()
    loaded["large"].numpy()[...] = 7
    assert path.read_bytes() == before
    for refused in (lambda: serialization.load(path, map_location="cuda"), lambda: npz.load_file(path, "cuda")):
        with pytest.raises(RuntimeError, match="CUDA"):
            refused()


@pytest.mark.parametrize("compressed", [False, True])
@given(drawn=tensors_of_few_storages().map(lambda tensors: tensors[-1]))
def test_numpy_reads_what_we_write_and_so_do_we(drawn, compressed, tmp_path_factory):
    """Every dtype, layout and shape; bfloat16 is a record of its bits."""
    path = tmp_path_factory.mktemp("drawn") / "x.npz"
    tensor = tensor_of(drawn.detach())
    npz.save_file({"t": tensor, "é": tensor}, path, compressed=compressed)
    with np.load(path) as seen:
        assert list(seen) == ["t", "é"]
        bits = seen["t"]["bfloat16"] if drawn.dtype is torch.bfloat16 else seen["t"]
        assert bits.shape == tuple(drawn.shape) and np.ascontiguousarray(bits).tobytes() == raw(drawn)
    for mmap in (False, True):
        for loaded in npz.load_file(path, mmap=mmap).values():
            assert loaded.dtype is tensor.dtype and loaded.shape == tensor.shape and raw(loaded) == raw(drawn)
    before = path.read_bytes()
    npz.save_file({"t": tensor, "é": tensor}, path, compressed=compressed)
    assert path.read_bytes() == before


def test_stored_members_are_mapped_and_aligned(tmp_path):
    path = tmp_path / "x.npz"
    content = {
        f"name{'x' * i}": minitorch2.randn(3, 5).to(getattr(minitorch2, str(d)[6:])) for i, d in enumerate(DTYPES)
    }
    npz.save_file(content, path)
    loaded = npz.load_file(path, mmap=True)
    for name, tensor in loaded.items():
        assert type(tensor._data.base.base).__name__ != "NoneType" and tensor._data.flags.aligned
        assert tensor._data.ctypes.data % 64 == 0, name
    again = tmp_path / "again.pt"  # the mapped memory is the tensor's alone: no header gets into another file
    serialization.save(loaded, again)
    assert {k: raw(v) for k, v in torch.load(again).items()} == {k: raw(v) for k, v in content.items()}


def test_saving_is_atomic(tmp_path):
    path = tmp_path / "x.npz"
    npz.save_file({"a": minitorch2.ones(2, requires_grad=True)}, path)
    path.chmod(0o640)
    before = path.read_bytes()
    for wrong in (
        [1],
        {"a": 1},
        {1: minitorch2.ones(1)},
        {"a\0": minitorch2.ones(1)},
        {"x" * 70_000: minitorch2.ones(1)},
    ):
        with pytest.raises(ValueError, match=r"npz.save_file"):
            npz.save_file(wrong, path)
    with pytest.raises(ValueError, match="surrogates"):
        npz.save_file({"a": minitorch2.ones(2), "\ud800": minitorch2.ones(2)}, path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["x.npz"]
    npz.save_file({}, path)
    assert npz.load_file(path) == {} and stat.S_IMODE(path.stat().st_mode) == 0o640


def test_an_archive_written_to_a_pipe(tmp_path):
    class Pipe(io.RawIOBase):
        data = b""

        def write(self, data):
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    np.savez(pipe, **arrays())  # the sizes follow the members
    (tmp_path / "x.npz").write_bytes(pipe.data)
    for mmap in (False, True):
        assert list(npz.load_file(tmp_path / "x.npz", mmap=mmap)) == list(arrays())


@pytest.mark.parametrize("mmap", [False, True])
def test_single_arrays(tmp_path, mmap):
    path = tmp_path / "x.npy"
    for array in arrays().values():
        np.save(path, array)
        for tensor in (serialization.load(path, mmap=mmap), npz.load_array(path, mmap=mmap)):
            assert np.array_equal(tensor._data, array)
    whole = path.read_bytes()
    for changed in (whole[:-1], whole + b"\0", whole[:100], whole[:5], b""):
        path.write_bytes(changed)
        with pytest.raises(pickle.UnpicklingError):
            serialization.load(path, mmap=mmap)


class Attack:
    def __reduce__(self):
        return os.mkdir, ("broken",)


TYPES = {
    "objects": (np.array([Attack(), None]), "Python objects.*could run code"),
    "uint16": (np.arange(3, dtype="u2"), "'<u2'"),
    "uint64": (np.arange(3, dtype="u8"), "'<u8'"),
    "long double": (np.zeros(3, np.longdouble), "'<f16'"),
    "text": (np.array(["a", "bc"]), "strings"),
    "bytes": (np.array([b"a", b"bc"]), "byte strings"),
    "dates": (np.array(["2026-11-27"], "M8[D]"), "dates"),
    "raw": (np.zeros(2, "V2"), "bfloat16"),
    "records": (np.zeros(2, [("a", "<u2"), ("b", "<u2")]), r"\('a', '<u2'\)"),
}


@pytest.mark.parametrize("array, match", TYPES.values(), ids=TYPES)
def test_types_there_are_not_are_refused_by_name(array, match, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path, {"good": np.ones(2), "bad": array})
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    for wrong in (path, tmp_path / "x.npy"):
        with pytest.raises((NotImplementedError, pickle.UnpicklingError), match=f"(?s)(bad|x.npy).*{match}"):
            serialization.load(wrong)
    assert not os.path.exists("broken")


def npy(header: str | bytes, data: bytes = bytes(16), version: int = 1, length: int | None = None) -> bytes:
    header = header.encode() if isinstance(header, str) else header
    length = len(header) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + length.to_bytes(2 if version == 1 else 4, "little") + header + data


def header(descr="'<f4'", order="False", shape="(4,)", rest="") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}{rest}}}\n"


def zipped(*members, method=zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, method)  # dated 1980: the same bytes at any hour
    return file.getvalue()


GOOD = npy(header())
HEADERS = {
    "100 GB": npy(header(shape="(25000000000,)")),
    "2**62 elements": npy(header(shape=f"({2**62},)")),
    "an empty overflow": npy(header(shape=f"({2**62}, 0, {2**62})"), b""),
    "a negative size": npy(header(shape="(-4,)")),
    "a size that is a bool": npy(header(shape="(True, 4)")),
    "a size that is a float": npy(header(shape="(4.0,)")),
    "a shape that is a list": npy(header(shape="[4]")),
    "65 dimensions": npy(header(shape=f"({'1, ' * 64}4)")),
    "bytes left over": npy(header(), bytes(17)),
    "bytes missing": npy(header(), bytes(15)),
    "an order that is a number": npy(header(order="1")),
    "no order": npy("{'descr': '<f4', 'shape': (4,)}"),
    "an unknown entry": npy(header(rest=", 'x': 1")),
    "a call": npy(header(shape="__import__('os').mkdir('broken')")),
    "a name": npy(header(shape="shape")),
    "a list": npy("[]"),
    "an unhashable key": npy("{[]: 1}"),
    "open brackets": npy("(" * 9000),
    "minus signs": npy("-" * 9000 + "1"),
    "nested lists": npy("[" * 90 + "]" * 90),
    "a long number": npy(header(shape="(" + "9" * 9000 + ",)")),
    "no UTF-8": npy(b"\xff" * 50),
    "NUL": npy(header() + "\0"),
    "nothing": npy(""),
    "a header longer than the file": npy(header(), length=9000),
    "a header of 4 GB": npy(header(), version=2, length=2**32 - 1),
    "a real header of 20 KB": npy(header() + " " * 20_000),
    "version 9": npy(header(), version=9),
    "another magic": b"\x93NUMPX" + GOOD[6:],
    "only the magic": b"\x93NUMPY",
    "no array": b"hello",
    "a bool of 2": npy(header("'|b1'"), b"\2" * 4),
    "a type that is none": npy(header("'<f3'")),
    "a type that is a list": npy(header("['<f4']")),
    "a subarray type": npy(header("('<f4', (10**9,))")),
    "an endless string type": npy(header("'<U2000000000'")),
}


def refused(data: bytes, folder, match=None, loads=(serialization.load,)):
    """`data` is refused, mapped or not, at no cost."""
    path = folder / "x.npz"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        for load in loads:
            for mmap in (False, True):
                with pytest.raises(ALLOWED, match=match) as error:
                    load(path, mmap=mmap)
                assert len(str(error.value)) > 30
        assert tracemalloc.get_traced_memory()[1] < 2e6 + 3 * len(data)
    finally:
        tracemalloc.stop()
    assert not os.path.exists("broken")


@pytest.mark.parametrize("lie", HEADERS.values(), ids=HEADERS)
def test_lying_headers_are_refused(lie, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        refused(zipped(("good.npy", GOOD), ("lie.npy", lie), method=method), tmp_path, match="'lie'|bool tensor")
    (tmp_path / "x.npy").write_bytes(lie)
    with pytest.raises(ALLOWED):
        serialization.load(tmp_path / "x.npy")


def test_the_pieces_the_lies_are_made_of_are_sound(tmp_path):
    data = zipped(("1.npy", GOOD), ("2.npy", npy(header(), version=2)), ("3.npy", npy(header(), version=3)))
    (tmp_path / "x.npz").write_bytes(data)
    for tensor in npz.load_file(tmp_path / "x.npz").values():
        assert tensor.tolist() == [0, 0, 0, 0]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_lie(tmp_path):
    good = zipped(("a.npy", GOOD), ("b.npy", GOOD))
    directory = good.index(b"PK\x01\x02")
    second = good.index(b"PK\x01\x02", directory + 4)

    def patched(offset, form, value, data=good):
        data = bytearray(data)
        struct.pack_into(form, data, offset, value)
        return bytes(data)

    def both_sizes(data, entry, size):
        return patched(entry + 20, "<I", size, patched(entry + 24, "<I", size, data))

    bomb = zipped(("a.npy", npy(header(shape="(51000000,)"), bytes(204_000_000))), method=zipfile.ZIP_DEFLATED)
    packed = zipped(("a.npy", npy(header(shape="(1000,)"), bytes(4000))), method=zipfile.ZIP_DEFLATED)
    place = packed.index(b"PK\x01\x02")
    cases = {
        "occurs twice": zipped(("a.npy", GOOD), ("a.npy", GOOD)),
        "is no array": zipped(("a.npy", GOOD), ("README", b"hello")),
        "is no array; an": zipped(("a.npy", GOOD), ("folder/", b"")),
        "bomb": bomb,
        "by a method": zipped(("a.npy", GOOD), method=zipfile.ZIP_BZIP2),
        "encrypted": patched(directory + 8, "<H", 1),
        "claims another size": patched(directory + 24, "<I", 2**31),
        "claims more bytes": both_sizes(good, directory, len(good)),
        "overlaps another": patched(second + 42, "<I", 10),
        "or one before it is lost": patched(directory + 42, "<I", 2**31),
        "(it|member) is lost": patched(len(good) - 10, "<I", len(good) - 22 - second, good),
        "checksum|CRC": patched(good.index(GOOD) + len(GOOD) - 1, "<B", 1),
        "unpack to 2147483648": patched(place + 24, "<I", 2**31, packed),
        "(needs 4000 bytes, and 3990|Bad CRC)": patched(
            place + 24, "<I", len(npy(header(shape="(1000,)"), bytes(3990))), packed
        ),
        "the member 'a' is damaged": patched(packed.index(b"a.npy") + 10, "<Q", 2**63 + 7, packed),
        "cannot be opened": good[: directory + 60],
        "it cannot": b"PK\x03\x04" + bytes(40),
        "or ends": good[:20] + good[-22:],
    }
    for match, data in cases.items():
        refused(data, tmp_path, match=None if match in ("or ends",) else match)
    (tmp_path / "x.npz").write_bytes(bomb)
    assert len(npz.load_file(tmp_path / "x.npz", max_bytes=205_000_000)["a"]) == 51_000_000
    with pytest.raises(RuntimeError, match="more than the 200 allowed"):
        npz.load_file(saved(tmp_path), max_bytes=200)


def test_checksums_of_mapped_members(tmp_path):
    path = tmp_path / "x.npz"
    npz.save_file({"a": minitorch2.zeros(1000)}, path)
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)
    for mmap in (False, True):
        with pytest.raises(RuntimeError, match=r"'a'.*(checksum|CRC)"):
            npz.load_file(path, mmap=mmap)
    assert npz.load_file(path, mmap=True, verify=False)["a"].count_nonzero() == 1


def test_other_names_and_other_formats_are_told_apart(tmp_path):
    path = saved(tmp_path)
    np.save(tmp_path / "x.npy", np.ones(2))
    for source, kind in ((path, "npz"), (tmp_path / "x.npy", "npy")):
        renamed = tmp_path / "x.pt"
        renamed.write_bytes(source.read_bytes())
        for given_ in (renamed, io.BytesIO(source.read_bytes())):
            with pytest.raises(RuntimeError, match=rf"this is a NumPy .{kind} .*name it \*.{kind}, or load it with"):
                serialization.load(given_)
    torch.save({"a": torch.ones(2)}, path)
    torch.save({"a": torch.ones(2)}, tmp_path / "x.npy")
    for wrong in (path, tmp_path / "x.npy"):
        with pytest.raises(pickle.UnpicklingError, match=r"checkpoint of torch.save \(zip format\): name it \*.pt"):
            serialization.load(wrong)
    with pytest.raises(FileNotFoundError):
        serialization.load(tmp_path / "none.npz")


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_damaged_files_give_an_error_or_the_saved_data(seed, tmp_path):
    """Checksums guard the content; what a change of the directory can do is rename a member, or turn its order."""
    content = {name: array for name, array in arrays().items() if name != "large"}
    path = saved(tmp_path, content, compressed=bool(seed % 2))
    whole, mmap = path.read_bytes(), seed > 2
    for what, changed in mutations(whole, seed, CASES):
        path.write_bytes(changed)
        try:
            loaded = serialization.load(path, mmap=mmap)
        except ALLOWED:
            continue
        assert len(loaded) == len(content), what
        for tensor, array in zip(loaded.values(), content.values(), strict=True):
            assert np.array_equal(tensor._data, array), what
