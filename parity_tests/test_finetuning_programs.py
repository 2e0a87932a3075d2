"""PyTorch programs that save, load and fine-tune, run with torch and, only their import lines changed, with minitorch2.

Each file in programs/ is a program for torch that leaves what it found in `results`; `folder` is a directory of its
own. Numbers must agree to rounding, everything else (names, printed modules, errors) exactly; a message may go on
where torch's ends.
"""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import minitorch2

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))


def translated(source: str) -> str:
    """The program with `import torch` for minitorch2: nothing but its import lines is another."""
    source = re.sub(r"^import torch$", "import minitorch2 as torch", source, flags=re.M)
    source = re.sub(r"^import torch\.(\S+) as", r"import minitorch2.\1 as", source, flags=re.M)
    return re.sub(r"^from torch(\S*) import", r"from minitorch2\1 import", source, flags=re.M)


def run(source: str, name: str, folder: Path) -> dict:
    folder.mkdir()
    names = {"__name__": "__main__", "folder": folder}
    exec(compile(source, name, "exec"), names)
    return names["results"]


def assert_agree(ours, theirs, place):
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, minitorch2.Tensor) and str(ours.dtype) == str(theirs.dtype), place
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-4, atol=1e-6, err_msg=place)
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs), place
        for key in theirs:
            assert_agree(ours[key], theirs[key], f"{place}[{key!r}]")
    elif isinstance(theirs, tuple) and str(theirs[0]).endswith("Error"):
        text = ours[1].replace("minitorch2", "torch")
        assert ours[0] == theirs[0] and text.startswith(theirs[1]), f"{place}\nminitorch2: {ours}\ntorch:      {theirs}"
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs), (place, ours, theirs)
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_agree(a, b, f"{place}[{i}]")
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-7), place
    else:
        assert type(ours) is type(theirs) and ours == theirs, f"{place}\nminitorch2: {ours!r}\ntorch:      {theirs!r}"


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_does_the_same_with_its_imports_changed(path, tmp_path):
    source = path.read_text(encoding="utf-8")
    changed = translated(source)
    for before, after in zip(source.splitlines(), changed.splitlines(), strict=True):
        assert before == after or before.startswith(("import torch", "from torch")), before
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = run(source, path.name, tmp_path / "torch")
        ours = run(changed, path.name, tmp_path / "minitorch2")
    assert_agree(ours, theirs, path.stem)
    # Files go both ways, too.
    for file in sorted((tmp_path / "torch").iterdir()):
        if file.stem != "whole":
            assert_agree(minitorch2.load(file), torch.load(file), file.name)
            mine = tmp_path / "minitorch2" / file.name
            assert list(torch.load(mine)) == list(minitorch2.load(mine))
