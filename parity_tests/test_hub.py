"""torch.hub: the cache folder's rules, downloads that arrive whole or not at all, and files read without running code.

Everything is served from this machine.
"""

import hashlib
import http.server
import os
import pickle
import threading

import pytest
import torch

import minitorch2 as mt
import minitorch2.hub
import minitorch2.utils.model_zoo


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own, for both libraries."""
    for name in ("TORCH_HUB", "TORCH_MODEL_ZOO", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(mt.hub, "_hub_dir", None)
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    return tmp_path / "home" / "hub" / "checkpoints"


def served(folder, content: bytes, name="net-{}.pth") -> str:
    """The file:// address of a file with this content, the first digits of its SHA-256 in its name."""
    path = folder / name.format(hashlib.sha256(content).hexdigest()[:8])
    path.write_bytes(content)
    return path.as_uri()


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "made"
    torch.save({"weight": torch.arange(6.0).reshape(2, 3)}, path)
    return path.read_bytes()


def files_in(folder) -> list[str]:
    return sorted(os.listdir(folder)) if folder.exists() else []


@pytest.mark.parametrize(
    "environment",
    [{}, {"TORCH_HOME": "~/x"}, {"XDG_CACHE_HOME": "/cache"}, {"XDG_CACHE_HOME": "~/y", "TORCH_HOME": "/z"}],
)
def test_folders_are_torchs(monkeypatch, environment):
    monkeypatch.delenv("TORCH_HOME")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert mt.hub.get_dir() == torch.hub.get_dir()
    for lib in (mt, torch):
        lib.hub.set_dir("~/elsewhere")
    assert mt.hub.get_dir() == torch.hub.get_dir() == os.path.expanduser("~/elsewhere")
    monkeypatch.setenv("TORCH_HUB", "/old")
    for lib in (mt, torch):
        with pytest.warns(UserWarning, match="TORCH_HUB is deprecated"):
            lib.hub.get_dir()


def test_downloaded_once_and_shared_with_torch(tmp_path, cache, checkpoint, capsys):
    url = served(tmp_path, checkpoint)
    state = mt.hub.load_state_dict_from_url(url, progress=False, check_hash=True)
    assert state["weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    name = os.path.basename(url)
    assert capsys.readouterr().out == f'Downloading: "{url}" to {cache / name}\n'
    assert files_in(cache) == [name]
    os.remove(tmp_path / name)
    for weights_only in (True, False):
        again = mt.hub.load_state_dict_from_url(url, map_location="cpu", weights_only=weights_only)
        assert again["weight"].tolist() == state["weight"].tolist()
    assert torch.hub.load_state_dict_from_url(url, weights_only=True)["weight"].tolist() == state["weight"].tolist()
    assert capsys.readouterr().out == ""


def test_folder_and_name_of_ones_own(tmp_path, cache, checkpoint):
    url = served(tmp_path, checkpoint)
    folder = tmp_path / "models" / "mine"
    mt.utils.model_zoo.load_url(url, str(folder), progress=False, file_name="net.pth")
    assert files_in(folder) == ["net.pth"]
    assert files_in(cache) == []


def test_hash_that_does_not_match(tmp_path, cache, checkpoint):
    url = served(tmp_path, checkpoint, name="net-0123abcd.pth")
    for lib in (mt, torch):
        with pytest.raises(RuntimeError, match='invalid hash value \\(expected "0123abcd", got "'):
            lib.hub.load_state_dict_from_url(url, progress=False, check_hash=True)
        assert files_in(cache) == []
    assert "weight" in mt.hub.load_state_dict_from_url(url, progress=False)


def test_download_url_to_file(tmp_path, capsys):
    url = served(tmp_path, b"content" * 50000)
    whole = hashlib.sha256(b"content" * 50000).hexdigest()
    target = tmp_path / "target"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="invalid hash value"):
        mt.hub.download_url_to_file(url, str(target), "ffff")
    assert target.read_bytes() == b"old"
    mt.hub.download_url_to_file(url, str(target), whole)
    assert target.read_bytes() == b"content" * 50000
    assert "target" in capsys.readouterr().err  # the progress
    mt.hub.download_url_to_file(url, str(target), progress=False)
    assert capsys.readouterr().err == ""
    with pytest.raises(OSError, match="nothing_here"):
        mt.hub.download_url_to_file((tmp_path / "nothing_here").as_uri(), str(tmp_path / "new"))
    assert not any("target." in name or name == "new" for name in files_in(tmp_path))


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * (1000 if self.path.startswith("/whole") else 10))

    def log_message(self, format, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_from_a_server(tmp_path, cache, server):
    mt.hub.download_url_to_file(f"{server}/whole?a=b", str(tmp_path / "file"), progress=False)
    assert (tmp_path / "file").read_bytes() == b"x" * 1000
    with pytest.raises(Exception) as caught:
        mt.hub.load_state_dict_from_url(f"{server}/broken.pth?token=1", progress=False)
    assert "1000 bytes were announced and 10 came" in str(caught.value)
    for lib in (mt, torch):
        with pytest.raises(OSError, match="404"):
            lib.hub.load_state_dict_from_url(f"{server}/missing.pth", progress=False)
    assert files_in(cache) == []


class Program:
    def __reduce__(self):
        return os.mkdir, ("was_run",)


@pytest.mark.parametrize("weights_only", [True, False])
def test_code_is_not_run(tmp_path, monkeypatch, weights_only):
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Program()}, tmp_path / "made")
    url = served(tmp_path, (tmp_path / "made").read_bytes())
    with pytest.raises(pickle.UnpicklingError):
        mt.hub.load_state_dict_from_url(url, progress=False, weights_only=weights_only)
    assert not (tmp_path / "was_run").exists()


def test_repositories_are_refused():
    for call in (
        lambda: mt.hub.load("pytorch/vision", "resnet18", pretrained=True),
        lambda: mt.hub.list("pytorch/vision"),
        lambda: mt.hub.help("pytorch/vision", "resnet18"),
    ):
        with pytest.raises(RuntimeError, match="runs code from a repository, which is not done here"):
            call()
    assert set(mt.hub.__all__) == set(torch.hub.__all__)
