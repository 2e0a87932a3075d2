"""What programs that go wrong are told: torch's type of error, and its words, behind which ours may name a way out.

Each file in error_texts/ holds programs, parted by ---, that run under `import torch` and `import minitorch2 as torch`.
Both must raise the same, or give the same where neither raises; warnings must be the same, too. This is the place for
silent acceptance, wrong types, and texts that say something else. To add one, add a program.
"""

import warnings
from pathlib import Path

import pytest
import torch

import minitorch2 as mt
from minitorch2.core import warned

from .test_one_liners import SPECIFIED, plain, programs_between_lines, run, skip_of_the_cpu

FILES = sorted((Path(__file__).parent / "error_texts").glob("*.txt"))


def told(lib, program):
    """(what came out, the warnings on the way)."""
    torch.set_warn_always(True)
    warned.forget()
    try:
        with warnings.catch_warnings(record=True) as caught:
            kind, result = run(lib, program, filter="always")
    finally:
        torch.set_warn_always(False)
    texts = [(w.category.__name__, str(w.message).partition(" (Triggered internally")[0]) for w in caught]
    said = [(category, _neutral(text)) for category, text in texts if "torch.jit.script" not in text]  # func
    if kind == "error":
        return [[c.__name__ for c in type(result).__mro__], _neutral(str(result))], said
    return [["a value"], _neutral(str(plain(result)))], said


def _neutral(text):
    return text.replace("minitorch2", "torch")


@pytest.mark.cpu("the devices in the texts are the CPU's")
@pytest.mark.skipif(not SPECIFIED, reason="the texts are those of another PyTorch")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_errors_say_what_they_say_in_torch(file):
    skip_of_the_cpu(file)
    different = []
    for program in programs_between_lines(file):
        (ours, said), (theirs, expected) = told(mt, program), told(torch, program)
        begins = ours[1].startswith(theirs[1]) and ours[0] != ["a value"]
        if theirs[0][0] not in ours[0] or not (begins or ours[1] == theirs[1]) or said != expected:
            different.append(f"{program}\n  torch: {theirs} {expected}\n  minitorch2: {ours} {said}")
    assert not different, f"{len(different)} programs differ:\n" + "\n".join(different)
