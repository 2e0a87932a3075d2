"""minitorch2 in PyTorch's place: the same program file under `python` and under `python -m minitorch2 run`."""

import subprocess
import sys

import pytest

PROGRAM = '''
"""A program that knows nothing of minitorch2; what it prints is compared."""
import argparse
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim.lr_scheduler as schedules
from torch import Tensor, optim
from torch.nn.modules.conv import _ConvNd
from torch.utils.data import DataLoader, TensorDataset

import helper

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
options = parser.parse_args()
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).double()
optimizer = optim.Adam(net.parameters(), lr=options.lr)
schedule = schedules.StepLR(optimizer, 2)
data = TensorDataset(torch.randn(32, 4, dtype=torch.float64), torch.randint(2, (32,)))
for x, y in DataLoader(data, batch_size=8, shuffle=True):
    loss = F.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
print(f"{loss.item():.12f}", optimizer.param_groups[0]["lr"], issubclass(nn.Conv2d, _ConvNd))
print(sys.modules["torch.nn"] is torch.nn is nn, helper.torch is torch, __name__, sys.argv[1:], torch.__version__[:4])
print(isinstance(loss, Tensor), tuple(map(int, torch.__version__.split("+")[0].split("."))) >= (2, 0))
'''


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train.py").write_text(PROGRAM)
    (tmp_path / "helper.py").write_text("import torch\n")
    return tmp_path


def python(folder, *arguments):
    return subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_a_program_as_it_stands(folder):
    theirs = python(folder, "train.py", "--lr", "0.01")
    ours = python(folder, "-m", "minitorch2", "run", "train.py", "--lr", "0.01")
    assert theirs.returncode == ours.returncode == 0, theirs.stderr + ours.stderr
    assert ours.stdout == theirs.stdout
    as_module = python(folder, "-m", "minitorch2", "run", "-m", "train", "--lr", "0.01")
    assert as_module.stdout == theirs.stdout, as_module.stderr


def test_pytorch_is_not_there(folder):
    (folder / "x.py").write_text(
        "import sys, torch\n"
        "print(torch.__name__, torch.__version__)\n"
        "there = [name for name in sys.modules if name.startswith('torch.')]\n"
        "print([name for name in there if not sys.modules[name].__name__.startswith('minitorch2')])\n"
        "print(torch.nn.__spec__.name, torch.nn.__name__, repr(torch.nn.Linear(1, 1)))\n"
        "try:\n    import torch.package\nexcept ImportError as error:\n    print(error)\n"
        "try:\n    torch.sspaddmm\nexcept AttributeError as error:\n    print(error)\n"
    )
    result = python(folder, "-m", "minitorch2", "run", "x.py")
    first, second, third, fourth, fifth = result.stdout.splitlines()
    assert first.startswith("torch 2.") and "+minitorch2." in first and second == "[]"
    assert third.startswith("minitorch2.nn minitorch2.nn Linear(in_features=1")
    assert fourth == "No module named 'torch.package'" and "minitorch2 has no 'sspaddmm'" in fifth


PICKLED = """
import copy, inspect, pickle, sys
import torch
from torch import nn

assert sys.modules[torch.__name__] is torch
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
for again in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
    print(again, torch.equal(again(torch.ones(2)), net(torch.ones(2))))
things = (torch.float64, torch.strided, torch.Size([2]), torch.device("cpu"), torch.add, nn.functional.relu, nn.Tanh)
for thing in things:
    assert pickle.loads(pickle.dumps(thing)) == thing, thing
print(inspect.getsource(nn.Tanh).splitlines()[0], inspect.getmodule(nn.Tanh).Tanh is nn.Tanh)
"""


def test_pickles_and_sources(folder):
    """Under torch's name the module is what it was to pickle, copy and inspect."""
    (folder / "x.py").write_text(PICKLED)
    theirs, ours = python(folder, "x.py"), python(folder, "-m", "minitorch2", "run", "x.py")
    assert theirs.returncode == ours.returncode == 0, theirs.stderr + ours.stderr
    assert ours.stdout == theirs.stdout


SUBMODULES = """
import torch
from torch.autograd.gradcheck import GradcheckError
import torch.nn.utils.weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.parallel.data_parallel import DataParallel
x = torch.ones(1, dtype=torch.float64, requires_grad=True)
print(torch.autograd.gradcheck(torch.sin, (x,)), callable(torch.nn.utils.weight_norm), GradcheckError.__name__)
print(callable(torch.nn.utils.spectral_norm), callable(torch.nn.parallel.data_parallel), DataParallel.__name__)
print(torch.Tensor, torch.nn.Parameter.__name__, type(x).__module__)
"""


def test_submodules_named_like_functions(folder):
    (folder / "x.py").write_text(SUBMODULES)
    theirs, ours = python(folder, "x.py"), python(folder, "-m", "minitorch2", "run", "x.py")
    assert theirs.returncode == ours.returncode == 0, theirs.stderr + ours.stderr
    assert ours.stdout == theirs.stdout


def test_the_programs_own_end(folder):
    (folder / "x.py").write_text("import sys\nsys.exit(7)\n")
    assert python(folder, "-m", "minitorch2", "run", "x.py").returncode == 7
    (folder / "x.py").write_text("raise ValueError('mine')\n")
    result = python(folder, "-m", "minitorch2", "run", "x.py")
    assert result.returncode == 1 and "Traceback" in result.stderr and result.stderr.endswith("ValueError: mine\n")
    missing = python(folder, "-m", "minitorch2", "run", "nowhere.py")
    assert missing.returncode == 2 and missing.stderr == "minitorch2 run: there is no file nowhere.py\n"


def test_pytorch_first_is_refused(folder):
    (folder / "x.py").write_text("import torch, minitorch2.alias\nminitorch2.alias.install()\n")
    assert "PyTorch has been imported already" in python(folder, "x.py").stderr
    (folder / "x.py").write_text(
        "import minitorch2.alias\nminitorch2.alias.install()\nminitorch2.alias.install()\nimport torch\n"
        "print(torch is minitorch2)\n"
    )
    assert python(folder, "x.py").stdout == "True\n"
