"""Writes fuzz/corpus, the files the fuzzer begins with, and names.dict, the words it should know.

    python fuzz/make_corpus.py

Needs torch and safetensors, which write the files. Each is as small as its kind can be, and every one of them
loads (parity_tests/test_fuzz.py).
"""

from __future__ import annotations

import io
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from minitorch2.serialization.builders import TABLE

HERE = Path(__file__).resolve().parent


def values() -> dict[str, object]:
    base = torch.arange(16, dtype=torch.float32)
    state = OrderedDict(weight=base.view(4, 4), tied=base.view(4, 4).t()[1:])
    state._metadata = OrderedDict({"": {"version": 1}})
    attribute = base[:2]
    attribute.tag = "x"
    return {
        "state_dict": state,
        "parameter": torch.nn.Parameter(base),
        "buffer": torch.nn.Buffer(base, persistent=False),
        "attribute": attribute,
        "numbers": [None, True, 0, -1, 2**40, -(2**80), 0.5, 1 + 2j, "é", b"\xff", bytearray(b"x")],
        "containers": [(), (1,), (1, 2, 3, 4), {1, 2}, Counter("aab"), {"a": {}}],
        "names": [torch.float16, torch.Size([2, 3]), torch.device("cuda", 1)],
        "numpy": [np.float64(0.5), np.arange(3, dtype=np.int16)],
    }


def torch_bytes(value: object, **options) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def write(folder: str, name: str, data: bytes) -> None:
    path = HERE / "corpus" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def main() -> None:
    torch.manual_seed(0)
    for name, value in values().items():
        for protocol in (2, 4):
            with zipfile.ZipFile(io.BytesIO(torch_bytes(value, pickle_protocol=protocol))) as archive:
                write("pickle", f"{name}_{protocol}", archive.read("archive/data.pkl"))
    several = {"w": torch.ones(3), "h": torch.ones(2).half(), "b": torch.tensor([True])}
    write("archive", "zip", torch_bytes(several))
    write("archive", "zip_of_numbers", torch_bytes([1, "a"]))
    write("archive", "legacy", torch_bytes(several, _use_new_zipfile_serialization=False))
    write("archive", "legacy_1", torch_bytes(several, _use_new_zipfile_serialization=False, pickle_protocol=1))
    write("safetensors", "three", safetensors.torch.save(several, {"format": "pt"}))
    write("safetensors", "scalar", safetensors.torch.save({"s": torch.tensor(1, dtype=torch.int64)}))
    for name, save in (("stored", np.savez), ("deflated", np.savez_compressed)):
        file = io.BytesIO()
        save(file, w=np.ones(3, np.float32), f=np.asfortranarray(np.ones((2, 3))), s=np.int64(1))
        write("npz", name, file.getvalue())
    words = sorted({f"c{path.rpartition('.')[0]}\\x0a{path.rpartition('.')[2]}\\x0a" for path in TABLE})
    (HERE / "names.dict").write_text("".join(f'"{word}"\n' for word in words))


if __name__ == "__main__":
    main()
