"""Checkpoints in PyTorch's file format, read and written without torch.

reader.py         load: the zip format; legacy.py: the format before torch 1.6
  zip_reader.py   records of an archive, checked before they are believed
  keys.py         what may be a dict key
  unpickler.py    the pickle machine; builders.py: the only names it knows; plain.py: the last look
  storages.py     buffers, the views tensors are of them, map_location
writer.py         save
  pickler.py      the pickle inside; arrays.py: which memory a tensor belongs to
  zip_writer.py   the archive; atomic.py: replacing a file in one step
safetensors.py, npz.py (with npy_header.py), sharded.py: other formats; formats.py tells them apart
mapping.py        a file as memory, for all of them
examine.py        what a pickle asks for, without doing it (foreign.py: what stands in its place)
matching.py       the part of a state_dict that fits a model; load_report.py: what became of the rest
safe_globals.py   the classes a user trusts files to name; modules.py: our layers under torch's names
"""

import os
import pickle as pickle
from typing import IO, Any, TypeAlias

from . import npz, safetensors, sharded
from .examine import get_unsafe_globals_in_checkpoint
from .load_report import LoadReport
from .matching import find_state_dict, load_matching
from .modules import layers
from .reader import load
from .safe_globals import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals
from .writer import save

DEFAULT_PROTOCOL = 2
FILE_LIKE: TypeAlias = str | os.PathLike[str] | IO[bytes]
MAP_LOCATION: TypeAlias = Any  # a device, its name, a dict or function of such: see load

__all__ = [
    "LoadReport",
    "add_safe_globals",
    "clear_safe_globals",
    "find_state_dict",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "layers",
    "load",
    "load_matching",
    "npz",
    "safe_globals",
    "safetensors",
    "save",
    "sharded",
]
