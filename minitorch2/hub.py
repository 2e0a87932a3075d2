"""torch.hub: weights by their address, kept in torch's cache folder.

The folder is $TORCH_HOME/hub, where TORCH_HOME is $XDG_CACHE_HOME/torch unless set and XDG_CACHE_HOME ~/.cache, so
that PyTorch and this library find each other's downloads. Code from repositories is not run here: `load`, `list` and
`help` say so.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
import urllib.request
import warnings
from typing import Any, NoReturn
from urllib.parse import urlparse

from .serialization import load as _load_file
from .serialization.atomic import atomic_write
from .vision.datasets.progress import progress_bar

__all__ = [
    "download_url_to_file",
    "get_dir",
    "help",
    "list",
    "load",
    "load_state_dict_from_url",
    "set_dir",
]

READ_DATA_CHUNK = 128 * 1024
TIMEOUT_SECONDS = 60.0  # for connecting and for each read
HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # torch's: in resnet18-bfd8deac.pth the part between - and .
_hub_dir: str | None = None


def _get_torch_home() -> str:  # torchvision's data sets ask for it by this name
    cache = os.getenv("XDG_CACHE_HOME", "~/.cache")
    return os.path.expanduser(os.getenv("TORCH_HOME", os.path.join(cache, "torch")))


def get_dir() -> str:
    """The folder that downloads are kept in."""
    if os.getenv("TORCH_HUB"):
        warnings.warn("TORCH_HUB is deprecated, please use env TORCH_HOME instead", stacklevel=2)
    return os.path.join(_get_torch_home(), "hub") if _hub_dir is None else _hub_dir


def set_dir(d: str | os.PathLike[str]) -> None:
    """Makes another folder the one that downloads are kept in."""
    global _hub_dir
    _hub_dir = os.path.expanduser(os.fspath(d))


def download_url_to_file(url: str, dst: str, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Downloads into the file `dst`, which is replaced in one step when all of it has come.

    hash_prefix: with what the SHA-256 of the content must begin; RuntimeError where it does not, as where the
    connection ends early. progress: say on a terminal how far it is. OSError (URLError) where nothing can be had.
    """
    dst = os.path.expanduser(dst)
    digest = hashlib.sha256()
    request = urllib.request.Request(url, headers={"User-Agent": "torch.hub"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response, atomic_write(dst) as file:
        length = response.headers.get("Content-Length") or ""
        size = int(length) if length.isdecimal() else None
        received = 0
        bar = progress_bar(os.path.basename(dst), size) if progress else contextlib.nullcontext(_unseen)
        with bar as advance:
            while chunk := response.read(READ_DATA_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                received += len(chunk)
                advance(len(chunk))
        if size is not None and received != size:
            raise RuntimeError(f"{url}: {size} bytes were announced and {received} came")
        if hash_prefix is not None and not digest.hexdigest().startswith(hash_prefix):
            raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{digest.hexdigest()}")')


def _unseen(count: int) -> None:
    """What a bar that is not shown does."""


def load_state_dict_from_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> Any:
    """What the file at `url` holds; it is downloaded once and kept in model_dir, get_dir()/checkpoints unless told.

    check_hash: the file's name ends in - and the first digits of its SHA-256, and the download must
    match them. file_name: the name to keep it under. map_location: as for torch.load. weights_only makes no difference:
    the file is read by minitorch2.load, which never runs code from it, and refuses what could not be read without.
    """
    if os.getenv("TORCH_MODEL_ZOO"):
        warnings.warn("TORCH_MODEL_ZOO is deprecated, please use env TORCH_HOME instead", stacklevel=2)
    model_dir = os.path.join(get_dir(), "checkpoints") if model_dir is None else model_dir
    os.makedirs(model_dir, exist_ok=True)
    name = os.path.basename(urlparse(url).path) if file_name is None else file_name
    kept = os.path.join(model_dir, name)
    if not os.path.exists(kept):
        sys.stdout.write(f'Downloading: "{url}" to {kept}\n')
        found = HASH_REGEX.search(name) if check_hash else None
        download_url_to_file(url, kept, found.group(1) if found else None, progress)
    return _load_file(kept, map_location)


def _refused(name: str) -> NoReturn:
    raise RuntimeError(
        f"minitorch2: torch.hub.{name} runs code from a repository, which is not done here: write the model as a "
        "module, or take one of minitorch2.vision.models, and get its weights with torch.hub.load_state_dict_from_url"
    )


def load(repo_or_dir, model, *args, **kwargs) -> NoReturn:
    """RuntimeError: code from repositories is not run here."""
    _refused("load")


def list(github, *args, **kwargs) -> NoReturn:
    """RuntimeError: code from repositories is not run here."""
    _refused("list")


def help(github, model, *args, **kwargs) -> NoReturn:
    """RuntimeError: code from repositories is not run here."""
    _refused("help")


def __getattr__(name: str):
    if name == "tqdm":  # torchvision takes it from here
        try:
            from tqdm import tqdm
        except ModuleNotFoundError as error:
            raise ImportError("torch.hub.tqdm is the package tqdm: pip install tqdm") from error
        return tqdm
    raise AttributeError(f"minitorch2.hub has no '{name}'")
