"""The wheel and the sdist as a user meets them: installed in an empty environment, far from the source tree.

Slow (two builds, two environments), so it runs in `make package` and not in the default suite.
"""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.package, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parent.parent
TRAIN = """
import sys
from importlib import metadata, resources

import minitorch2 as torch
import minitorch2_kernels

assert torch.__version__ == metadata.version("minitorch2")
assert resources.files(torch).joinpath("py.typed").is_file()
for package in (torch, minitorch2_kernels):
    assert package.__file__.startswith(sys.prefix), package.__file__

torch.manual_seed(0)
x = torch.randn(64, 8)
target = x.sum(dim=1, keepdim=True).tanh()
net = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
losses = []
for _ in range(3):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(net(x), target)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert losses[0] > losses[1] > losses[2], losses
assert len(torch.vision.datasets.MiniMNIST(train=False)) == 1000
assert "torch" not in sys.modules
print("trained", *losses)
"""


def run(*command, cwd) -> str:
    # Without PYTHONPATH and friends: what is found must be what was installed.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [str(part) for part in command]
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, f"{' '.join(command[:3])} failed\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with one wheel and one sdist; the wheel is built from the sdist, so that must be complete."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    return folder


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def shipped_files() -> set[str]:
    """Every file of the two packages, by the name it has inside the wheel."""
    packages = [(ROOT, "minitorch2"), (ROOT / "kernels", "minitorch2_kernels")]
    return {
        path.relative_to(base).as_posix()
        for base, package in packages
        for path in (base / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_wheel_holds_both_packages_and_nothing_else(built):
    with zipfile.ZipFile(only(built, "*.whl")) as wheel:
        names = set(wheel.namelist())
    missing = shipped_files() - names
    assert not missing, f"not in the wheel: {sorted(missing)}"
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"minitorch2", "minitorch2_kernels"}
    assert any(name.endswith("LICENSE") for name in names)


def test_sdist_holds_what_a_packager_needs(built):
    with tarfile.open(only(built, "*.tar.gz")) as sdist:
        names = {name.split("/", 1)[1] for name in sdist.getnames() if "/" in name}
    for name in (
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "Makefile",
        "constraints.txt",
        "kernels/README.md",
    ):
        assert name in names, f"{name} is not in the sdist"
    for folder in ("parity_tests", "examples", "benchmarks"):
        missing = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).glob("*.py")} - names
        assert not missing, f"not in the sdist: {sorted(missing)}"
    stray = [name for name in names if name.startswith((".venv", "data/", "runs/")) or "__pycache__" in name]
    assert not stray, f"should not be in the sdist: {stray[:5]}"


@pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"], ids=["wheel", "sdist"])
def test_installs_and_trains_elsewhere(built, tmp_path, pattern):
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*install, "-c", ROOT / "constraints.txt", only(built, pattern), cwd=elsewhere)
    installed = run(python, "-m", "pip", "list", "--format=freeze", cwd=elsewhere)
    extra = {line.split("==")[0] for line in installed.split()} - {"minitorch2", "numpy", "pip", "setuptools"}
    assert not extra, f"the base install brought {sorted(extra)}; it needs NumPy alone"
    assert "trained" in run(python, "-c", TRAIN, cwd=elsewhere)
