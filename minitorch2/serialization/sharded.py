"""Checkpoints spread over several files, as Hugging Face lays them out: shards, and an index that says what is where.

model.safetensors.index.json        {"metadata": {"total_size": ...}, "weight_map": {"name": "shard's file"}}
model-00001-of-00002.safetensors    and pytorch_model.bin.index.json with pytorch_model-00001-of-00002.bin
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..tensor import Tensor
from . import safetensors
from .atomic import atomic_write
from .errors import damaged
from .storages import Storage, restore_location

INDEX_NAME = "model.safetensors.index.json"
_SINGLE_NAME = "model.safetensors"
_SHARD_NAME = re.compile(r"model-\d{5,}-of-\d{5,}\.safetensors")
_MAX_INDEX = 100_000_000  # bytes; an index has some hundred bytes for a tensor
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


@dataclass(frozen=True)
class Index:
    """`weight_map`: {tensor's name: shard's file name}, as the file has it; `folder` holds the shards."""

    folder: str
    weight_map: dict[str, str]

    def shards(self) -> dict[str, list[str]]:
        """{shard's file name: names of its tensors}, in the order in which the index first names them."""
        result: dict[str, list[str]] = {}
        for name, shard in self.weight_map.items():
            result.setdefault(shard, []).append(name)
        return result


def load_file(path: str | os.PathLike[str], device: Any = "cpu", mmap: bool = True) -> dict[str, Tensor]:
    """{name: tensor} of all shards that the index file `path` names, in the index's order.

    Args: as safetensors.load_file's; with mmap=True no tensor is read before it is used, and the checkpoint may
        be larger than the memory.

    Raises: UnpicklingError for an index that makes no sense or points out of its folder; FileNotFoundError that
    names the missing shards; RuntimeError that names the tensors missing from a shard or unknown to the index;
    whatever reading a shard raises.
    """
    return read(path, restore_location(device), mmap)


def read(
    path: str | os.PathLike[str], restore: Callable[[Storage, str], Storage], mmap: bool, verify: bool = True
) -> dict[str, Tensor]:
    """`load_file` with map_location's function; `verify`: check the checksums of .bin shards."""
    index = read_index(path)
    tensors: dict[str, Tensor] = {}
    for shard, names in checked_shards(index).items():
        place = os.path.join(index.folder, shard)
        content = _read_shard(place, restore, mmap, verify)
        check_names(shard, names, content)
        tensors.update(content)
    return {name: tensors[name] for name in index.weight_map}


def read_index(path: str | os.PathLike[str]) -> Index:
    """The index file `path`, its shards' names checked to be plain names of files beside it."""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size > _MAX_INDEX:
            damaged(f"the index of this sharded checkpoint is larger than {_MAX_INDEX} bytes")
        data = file.read()
    try:
        parsed = json.loads(data.decode("utf-8"), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        damaged(f"the index of this sharded checkpoint is no JSON ({error})", error)
    weight_map = parsed.get("weight_map") if isinstance(parsed, dict) else None
    if not isinstance(weight_map, dict) or any(type(shard) is not str for shard in weight_map.values()):
        damaged('the index of this sharded checkpoint has no "weight_map" from tensors to files')
    for shard in dict.fromkeys(weight_map.values()):
        # Whatever is no plain name could make the reader open any file of the system.
        if shard != os.path.basename(shard) or shard in ("", ".", "..") or "\\" in shard or not shard.isprintable():
            damaged(f"the index of this sharded checkpoint names the shard {shard!r:.200}, which is no file beside it")
        if not shard.endswith((".safetensors", ".bin", ".pt", ".pth")):
            damaged(f"the index of this sharded checkpoint names the shard {shard!r:.200}, which is of no known kind")
    return Index(os.path.dirname(os.fspath(path)), weight_map)


def checked_shards(index: Index) -> dict[str, list[str]]:
    """`index.shards()`. Raises FileNotFoundError, before any is opened, naming those that are not there."""
    shards = index.shards()
    missing = [shard for shard in shards if not os.path.isfile(os.path.join(index.folder, shard))]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of the {len(shards)} shards of this checkpoint are missing from "
            f"{index.folder or 'the current folder'}: {_listed(missing)}; copy or download them, too"
        )
    return shards


def check_names(shard: str, promised: Iterable[str], found: Iterable[str]) -> None:
    """Raises RuntimeError unless a shard holds just the tensors that the index says."""
    promised, found = dict.fromkeys(promised), dict.fromkeys(found)
    missing = [name for name in promised if name not in found]
    extra = [name for name in found if name not in promised]
    problems = [f"lacks {_listed(missing)}"] if missing else []
    problems += [f"has {_listed(extra)}, which the index does not place there"] if extra else []
    if problems:
        raise RuntimeError(
            f"minitorch2.load: the shard '{shard}' {' and '.join(problems)}; index and shards are not of one "
            "checkpoint, copy or download all of them again"
        )


def save_sharded(
    tensors: dict[str, Tensor], folder: str | os.PathLike[str], max_shard_size: int | str = "5GB"
) -> list[str]:
    """Writes {name: tensor} into `folder` as Hugging Face's save_pretrained does; returns the files' names.

    One file, model.safetensors, if that suffices; else shards filled in order up to `max_shard_size` (bytes, or a
    text such as "500MB", units of 1000; a tensor that is larger gets a shard of its own) and the index. A model
    that was saved there before is replaced: each file in one step, the index after all shards, and the old files
    it no longer needs are then removed. Each file has the metadata {"format": "pt"}.

    Raises: as safetensors.save_file, before anything is written; ValueError for a size that is none.
    """
    limit = parse_size(max_shard_size)
    arrays = safetensors.checked_arrays(tensors)
    groups: list[dict[str, Tensor]] = [{}]
    used = 0
    for name, array in arrays.items():
        if groups[-1] and used + array.nbytes > limit:
            groups.append({})
            used = 0
        groups[-1][name] = tensors[name]
        used += array.nbytes
    folder = os.fspath(folder)
    os.makedirs(folder, exist_ok=True)
    before = model_files(folder)
    count = len(groups)
    names = [f"model-{i:05}-of-{count:05}.safetensors" for i in range(1, count + 1)] if count > 1 else [_SINGLE_NAME]
    for name, group in zip(names, groups, strict=True):
        safetensors.save_file(group, os.path.join(folder, name), {"format": "pt"})
    if count > 1:
        weight_map = {name: shard for shard, group in zip(names, groups, strict=True) for name in group}
        total = sum(array.nbytes for array in arrays.values())
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        with atomic_write(os.path.join(folder, INDEX_NAME)) as file:
            file.write((json.dumps(index, indent=2, sort_keys=True) + "\n").encode())
        names.append(INDEX_NAME)
    for name in set(before) - set(names):
        os.unlink(os.path.join(folder, name))
    return names


def model_files(folder: str) -> list[str]:
    """The files of a model that `save_sharded` wrote into `folder`, which saving another there replaces."""
    if not os.path.isdir(folder):
        return []
    names = sorted(os.listdir(folder))
    return [name for name in names if name in (_SINGLE_NAME, INDEX_NAME) or _SHARD_NAME.fullmatch(name)]


def parse_size(size: int | str) -> int:
    """Bytes of "5GB", "500 MB", "1GiB" or a number."""
    match = re.fullmatch(r"(\d+)\s*([A-Z]*)", str(size).upper())
    if not match or match[2] not in _UNITS or int(match[1]) == 0:
        raise ValueError(f"max_shard_size must be a number of bytes or a text such as '5GB' or '500MB', got {size!r}")
    return int(match[1]) * _UNITS[match[2]]


def _read_shard(place: str, restore: Callable[[Storage, str], Storage], mmap: bool, verify: bool) -> dict[str, Tensor]:
    if place.endswith(".safetensors"):
        return safetensors.read(place, restore, mmap)
    from .reader import load  # which reads indexes through this module

    content = load(place, restore, mmap=mmap, verify=verify)
    if not isinstance(content, dict) or not all(
        type(name) is str and isinstance(tensor, Tensor) for name, tensor in content.items()
    ):
        damaged(f"the shard '{os.path.basename(place)}' is no dict of names to tensors")
    return content


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:10])
    return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name occurs twice")
    return result
