"""minitorch2 convert: the same tensors in another format."""

from __future__ import annotations

import argparse
import os
import pickle
from typing import Any

from ..core import dtypes
from ..serialization import load, npz, safetensors, save, sharded
from ..serialization.examine import examine_checkpoint
from ..tensor import Tensor
from .recast import Recaster, overlapping, refuse_repetition
from .select import check_depth, listed, rename, select
from .text import count, escaped, human

_DTYPES = ("float16", "bfloat16", "float32", "float64")
_DESCRIPTION = """\
Converts between torch.save's format (.pt, .pth, .bin), .safetensors, sharded safetensors (OUT is
FOLDER/model.safetensors.index.json) and .npz, by the names of the files. Nothing in IN is executed. OUT takes its name
when it is whole. Files may be larger than the memory, except compressed .npz archives.

.safetensors and .npz hold a flat dict of tensors: of a nested checkpoint, --key chooses the dict (names as `minitorch2
inspect` shows them, e.g. --key model), and what could not be kept is refused unless --tensors-only allows it. To .pt
everything is kept. From a file that asks to build classes or to run code, --tensors-only takes the tensors, a whole
pickled module's too, and builds nothing else. .npz stores bfloat16 as records of one field of that name.
"""


def add_to(commands: Any) -> None:
    """Adds the command to argparse's subparsers."""
    parser = commands.add_parser(
        "convert",
        help="write the tensors of a file in another format",
        description=_DESCRIPTION,
        epilog="exit status: 0 OUT is written; 2 it is not, and what stood there before is intact",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="IN", help="a model file of any format that minitorch2.load reads")
    parser.add_argument("target", metavar="OUT", help="the new file, whose name says the format")
    parser.add_argument("--dtype", choices=_DTYPES, help="what the floating-point tensors become; others are left")
    parser.add_argument("--key", metavar="NAME", help="the dict of tensors in a nested checkpoint: model")
    parser.add_argument(
        "--only",
        metavar="PATTERN",
        action="append",
        default=[],
        help="tensors whose names match, e.g. 'layer1.*'; repeatable",
    )
    parser.add_argument("--strip-prefix", metavar="P", help="remove this from the start of names (after --only)")
    parser.add_argument("--tensors-only", action="store_true", help="leave out what is no tensor, and say what")
    parser.add_argument(
        "--compress", action="store_true", help="compress the members of an .npz (they cannot be mapped)"
    )
    parser.add_argument("--max-shard-size", metavar="SIZE", default="5GB", help="of sharded output (default 5GB)")
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists; it may be IN itself")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    kind = _kind_of_target(options)
    notes: list[str] = []
    content = _content(options, notes)
    folder = os.path.dirname(os.path.abspath(options.target))
    if kind == "sharded":
        os.makedirs(folder, exist_ok=True)
    dtype = dtypes.BY_NAME[options.dtype] if options.dtype else None
    whole = kind == "torch" and not (options.key or options.only or options.strip_prefix or options.tensors_only)
    with Recaster(folder, dtype) as recaster:
        if whole:
            _refuse_metadata(options, kind, notes)
            save(recaster.cast_nest(content), options.target)
            what, written = "everything", [options.target]
        else:
            tensors = _selected(content, options, kind, notes)
            tensors = {name: recaster.cast(name, tensor) for name, tensor in tensors.items()}
            what, written = count(len(tensors), "tensor"), _write(kind, tensors, options, recaster, notes)
        if recaster.separated:
            notes.append(f"views of one memory became copies in {options.dtype}: {listed(recaster.separated)}")
        for name, overflowed in recaster.overflowed.items():
            notes.append(f"{count(overflowed, 'number')} of {name} became infinite in {options.dtype}")
    size = human(sum(map(os.path.getsize, written)))
    files = f" in {len(written)} files" if len(written) > 1 else ""
    print(escaped(f"{written[-1]}: {what} of {options.source}, {size}{files}"))
    for note in notes:
        print(f"  {escaped(note)}")
    return 0


def _kind_of_target(options: argparse.Namespace) -> str:
    """The format that OUT's name says, after all checks that do not need IN."""
    target, name = options.target, os.path.basename(options.target)
    if target.endswith(".index.json"):
        if name != sharded.INDEX_NAME:
            raise ValueError(
                f"sharded output is named {sharded.INDEX_NAME}; give that as the name, in a folder of its own"
            )
        kind = "sharded"
    else:
        kinds = {".pt": "torch", ".pth": "torch", ".bin": "torch", ".safetensors": "safetensors", ".npz": "npz"}
        kind = kinds.get(os.path.splitext(name)[1], "")
        if not kind:
            known = ", ".join([*kinds, sharded.INDEX_NAME])
            raise ValueError(f"the name {target!r} does not say which format to write; it must end in one of {known}")
    if options.compress and kind != "npz":
        raise ValueError("--compress is for .npz output; the other formats are not compressed")
    folder = os.path.dirname(target) or "."
    if kind != "sharded" and not os.path.isdir(folder):
        raise ValueError(f"the folder {folder} does not exist")
    if options.force:
        return kind
    if kind == "sharded" and sharded.model_files(folder):
        raise ValueError(f"{folder} holds a model already; --force replaces it and removes what is not needed of it")
    if os.path.exists(target):
        same = "IN itself" if os.path.exists(options.source) and os.path.samefile(options.source, target) else "there"
        raise ValueError(f"{target} is {same} already; --force replaces it, when the new file is whole")
    return kind


def _content(options: argparse.Namespace, notes: list[str]) -> Any:
    """What is in IN, mapped. Where tensors alone are asked for, what load refuses to build is left out of it."""
    try:
        return load(options.source, map_location="cpu", mmap=True)
    except pickle.UnpicklingError as error:
        examined = examine_checkpoint(options.source)
        if examined is None or examined.error is not None or not examined.findings.names:
            raise
        if not options.tensors_only and options.key is None:
            message = f"{error}. Or take the tensors out of it and build nothing else: --tensors-only"
            raise pickle.UnpicklingError(message) from None
        check_depth(examined.root)
        notes.append(f"left out, and not built: {listed(list(examined.findings.names))}")
        return examined.root


def _selected(content: Any, options: argparse.Namespace, kind: str, notes: list[str]) -> dict[str, Tensor]:
    if isinstance(content, Tensor):
        raise ValueError("IN is one tensor without a name, and the formats here need names; save {'name': tensor}")
    selection = select(content, options.key)
    if selection.lost and not options.tensors_only:
        raise ValueError(
            f"these would be lost, since {options.target} would hold the dict of tensors alone: "
            f"{listed(selection.lost)}; --tensors-only leaves them out"
            + ("" if options.key else ", --key NAME chooses a dict of tensors")
        )
    if selection.lost:
        notes.append(f"left out: {listed(selection.lost)}")
    _refuse_metadata(options, kind, notes)
    chosen = rename(selection.tensors, options.only, options.strip_prefix)
    notes += [*selection.notes, *chosen.notes]
    return chosen.tensors


def _metadata(options: argparse.Namespace) -> dict[str, str]:
    return safetensors.load_metadata(options.source) if options.source.endswith(".safetensors") else {}


def _refuse_metadata(options: argparse.Namespace, kind: str, notes: list[str]) -> None:
    """A safetensors file's own texts find a place in another safetensors file only."""
    metadata = _metadata(options)
    lost = [] if kind == "safetensors" else [key for key in metadata if key != "format"]
    if lost and not options.tensors_only:
        raise ValueError(f"the metadata {listed(sorted(lost))} would be lost; --tensors-only leaves it out")
    if lost:
        notes.append(f"left out: the metadata {listed(sorted(lost))}")


def _write(
    kind: str, tensors: dict[str, Tensor], options: argparse.Namespace, recaster: Recaster, notes: list[str]
) -> list[str]:
    """Writes OUT; the paths of its files, the one that stands for all last."""
    if kind == "torch":
        save(tensors, options.target)
        return [options.target]
    arrays = {name: tensor.detach()._data for name, tensor in tensors.items()}
    refuse_repetition(arrays.values())
    shared = overlapping(arrays)
    if shared:
        notes.append(f"copies were written of tensors that share memory: {listed(shared)}")
    if kind == "npz":
        npz.save_file(tensors, options.target, compressed=options.compress)
        return [options.target]
    # The format has no strides and no sharing.
    for name, tensor in tensors.items():
        if name in shared or not arrays[name].flags.c_contiguous:
            tensors[name] = recaster.packed(name, tensor)
    if kind == "sharded":
        folder = os.path.dirname(options.target)
        return [
            os.path.join(folder, name) for name in sharded.save_sharded(tensors, folder or ".", options.max_shard_size)
        ]
    safetensors.save_file(tensors, options.target, {"format": "pt"} | _metadata(options))
    return [options.target]
