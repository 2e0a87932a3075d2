"""What is in a file, whatever its format, without running or importing anything it names."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

from ..core import dtypes
from ..serialization import npz, reader, safetensors, sharded
from ..serialization.examine import Examined, Findings, examine_pickles, examine_zip
from ..serialization.formats import NAMES, kind_of
from ..serialization.mapping import map_file
from ..serialization.npy_header import Header
from ..serialization.plain import check_plain
from ..serialization.storages import restore
from ..serialization.zip_reader import ZipReader
from ..tensor import Tensor
from .walk import Listing, Row, walk


@dataclass
class Report:
    """What `gather` found.

    members: (name, bytes) of an archive that holds a program; checksums: "checked", "unchecked", or "none" where the
    format has none; loads: whether minitorch2.load reads the file; error: what ended the reading.
    """

    path: str
    kind: str
    nbytes: int
    listing: Listing = field(default_factory=Listing)
    findings: Findings = field(default_factory=Findings)
    locations: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    members: list[tuple[str, int]] = field(default_factory=list)
    checksums: str = "none"
    loads: bool = True
    error: Exception | None = None

    @property
    def format(self) -> str:
        return "a sharded checkpoint" if self.kind == "index" else NAMES[self.kind]


def gather(path: str, verify: bool = False, stats: bool = False) -> Report:
    """The report on a file.

    verify: check its checksums; stats: read the tensors for their stats. Raises what minitorch2.load raises for a
    damaged file, unless it also asks to run code: then that is reported, with `error` set.
    """
    if path.endswith(".index.json"):
        return _of_index(path, verify, stats)
    with open(path, "rb") as file:
        report = Report(path, kind_of(file), os.fstat(file.fileno()).st_size, Listing(stats))
        gather_kind = _GATHERERS.get(report.kind)
        if gather_kind is None:
            reader.load(path)  # raises, and says why
            raise RuntimeError(f"{path} is {report.format}")
        gather_kind(report, file, verify)
    return report


def _of_torch(report: Report, file: BinaryIO, verify: bool) -> None:
    archive = ZipReader(file)
    for name in {"data.pkl", "byteorder"} & archive.records.keys():  # what is small is checked in any case
        archive.read(name)
    archive.verify = verify
    report.checksums = "checked" if verify else "unchecked"
    if verify:
        for name in archive.records:
            archive.map_array(name)
    _take(report, examine_zip(archive))


def _of_pickles(report: Report, file: BinaryIO, verify: bool) -> None:
    examined = examine_pickles(file)
    if report.kind != "legacy":
        report.loads = False
        if examined.error is not None and not examined.findings.calls:
            reader.load(report.path)  # raises, and says why
        report.kind = "pickle"
    _take(report, examined)


def _take(report: Report, examined: Examined) -> None:
    """The content of an examined checkpoint; raises its error unless there is worse to tell."""
    report.findings, report.locations = examined.findings, examined.locations
    report.loads = report.loads and not (examined.findings.names or examined.findings.opcodes)
    if examined.error is not None:
        if not examined.findings.runs_code:
            reader.load(report.path, map_location="cpu", mmap=True, verify=False)  # stops earlier, at the first name
            raise examined.error
        report.error, report.loads = examined.error, False
        return
    if report.loads:
        check_plain(examined.root)  # as load does
    walk(examined.root, report.listing)


def _of_safetensors(report: Report, file: BinaryIO, verify: bool) -> None:
    entries, report.metadata = safetensors.read_table(file)
    source = map_file(file) if entries else None
    for entry in entries:
        dtype = dtypes.BY_NAME.get(entry.dtype_name)
        nbytes = entry.end - entry.begin
        storage = (report.path, entry.begin) if nbytes else None
        row = Row(entry.name, entry.dtype_name, entry.shape, nbytes, storage, nbytes)
        report.loads = report.loads and dtype is not None
        report.listing.add(row, None if dtype is None else partial(_mapped, source, entry, dtype))


def _mapped(source: Any, entry: safetensors.Entry, dtype: dtypes.dtype) -> np.ndarray:
    return np.frombuffer(source, np.uint8, entry.end - entry.begin, entry.begin).view(dtype.numpy).reshape(entry.shape)


def _of_npz(report: Report, file: BinaryIO, verify: bool) -> None:
    report.checksums = "checked" if verify else "unchecked"
    with npz.opened(file) as (archive, members):
        source = map_file(file) if members else None
        for member in members:
            if verify:
                npz.check_member(archive, member)
            if member.header.has_objects:
                _of_objects(report, npz.unpacked(archive, member).tobytes())
            load = partial(npz.read_member, archive, member, source, restore, False)
            _add_array(report, member.name, member.header, load)


def _of_npy(report: Report, file: BinaryIO, verify: bool) -> None:
    header = npz.array_header(file)
    if header.has_objects:
        _of_objects(report, file.read())
    elif header.dtype is not None:
        npz.load_array(report.path, mmap=True)  # for its checks
    _add_array(report, "", header, partial(npz.load_array, report.path, mmap=True))


def _add_array(report: Report, name: str, header: Header, load: Callable[[], Tensor]) -> None:
    report.loads = report.loads and header.dtype is not None
    if header.dtype is None:
        report.listing.others.append(
            (name, f"NumPy array of {header.spelled:.100}, {header.shape} (not supported here)")
        )
        return
    storage = (report.path, name) if header.nbytes else None
    row = Row(name, header.dtype.name, header.shape, header.nbytes, storage, header.nbytes)
    report.listing.add(row, lambda: load()._data)


def _of_objects(report: Report, pickled: bytes) -> None:
    """An array of Python objects is a pickle."""
    examined = examine_pickles(BytesIO(pickled))
    report.findings.names |= examined.findings.names
    report.findings.calls += examined.findings.calls
    for opcode, count in examined.findings.opcodes.items():
        report.findings.opcodes[opcode] = report.findings.opcodes.get(opcode, 0) + count


def _of_program(report: Report, file: BinaryIO, verify: bool) -> None:
    with zipfile.ZipFile(file) as archive:
        report.members = [(info.filename, info.file_size) for info in archive.infolist()]
    report.loads = False


def _of_index(path: str, verify: bool, stats: bool) -> Report:
    index = sharded.read_index(path)
    report = Report(path, "index", os.path.getsize(path))
    for shard, names in sharded.checked_shards(index).items():
        part = gather(os.path.join(index.folder, shard), verify, stats)
        if part.error is None and not part.findings.runs_code:
            sharded.check_names(shard, names, [row.name for row in part.listing.rows])
        report.nbytes += part.nbytes
        report.checksums = part.checksums
        report.loads = report.loads and part.loads
        report.error = report.error or part.error
        report.findings.names |= part.findings.names
        report.findings.calls += part.findings.calls
        report.findings.opcodes |= part.findings.opcodes
        report.locations = list(dict.fromkeys([*report.locations, *part.locations]))
        report.listing.others += [(f"{shard}: {name}", text) for name, text in part.listing.others]
        for row in part.listing.rows:
            row.file, row.storage = shard, (shard, row.storage) if row.storage is not None else None
            report.listing.add(row, None)
    return report


_GATHERERS = {
    "torch": _of_torch,
    "legacy": _of_pickles,
    "pickle": _of_pickles,
    "unknown": _of_pickles,
    "safetensors": _of_safetensors,
    "npz": _of_npz,
    "npy": _of_npy,
    "torchscript": _of_program,
    "exported": _of_program,
}
