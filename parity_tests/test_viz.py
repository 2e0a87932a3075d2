"""Pictures: that they are written, show what was given, and leave the user's matplotlib alone."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minitorch2 as torch
from minitorch2.viz import figure, plot_confusion_matrix, plot_curves, plot_misclassified

ROOT = Path(__file__).resolve().parent.parent


def drawn(path):
    """The picture as an array, which has to be a PNG with more than one colour."""
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        array = np.asarray(picture.convert("RGB"))
    assert array.min() < 100 and array.max() == 255
    return array


@pytest.fixture
def saved(monkeypatch):
    """Collects the figures that are saved, to look into them."""
    figures = []
    real = figure.save

    def keep(fig, path):
        figures.append(fig)
        return real(fig, path)

    monkeypatch.setattr("minitorch2.viz.plots.save", keep)
    return figures


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_curves(tmp_path, saved):
    history = {
        "train_loss": [3, 2, float("nan")],
        "test_loss": [3.5, 2.5],
        "test_accuracy": [0.5, 0.6, 0.7],
        "lr": [],
    }
    path = plot_curves(history, tmp_path / "new" / "folder" / "curves", title="A run")
    assert path == tmp_path / "new" / "folder" / "curves.png"
    assert drawn(path).shape[1] > drawn(path).shape[0]
    loss, accuracy = saved[0].axes
    assert loss.get_ylabel() == "Loss" and accuracy.get_ylabel() == "Accuracy"
    assert [line.get_label() for line in loss.lines] == ["train", "test"]
    assert loss.lines[1].get_xydata().tolist() == [[1, 3.5], [2, 2.5]]
    assert saved[0].get_suptitle() == "A run"


def test_curves_of_tensors_and_of_nothing(tmp_path):
    drawn(plot_curves({"loss": [torch.tensor(1.0), torch.tensor(0.5)]}, tmp_path / "a.png", xlabel="Step"))
    with pytest.raises(ValueError, match="history holds no numbers"):
        plot_curves({"loss": []}, tmp_path / "b.png")


def test_confusion_matrix(tmp_path, saved):
    counts = np.array([[8, 2], [0, 30]])
    drawn(plot_confusion_matrix(counts, ["cat", "dog"], tmp_path / "cm.png"))
    axes = saved[0].axes[0]
    assert texts(axes) == ["8", "2", "0", "30"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    assert axes.get_title() == "Confusion matrix (accuracy 95.00%)"
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.8, 0.2], [0, 1]])
    drawn(plot_confusion_matrix(torch.tensor([[1, 0], [0, 0]]), None, tmp_path / "cm2.png", title="T"))
    assert saved[1].axes[0].get_title() == "T"


def test_confusion_matrix_errors(tmp_path):
    with pytest.raises(ValueError, match=r"square matrix of counts, got shape \(2, 3\)"):
        plot_confusion_matrix(np.zeros((2, 3)), None, tmp_path / "x.png")
    with pytest.raises(ValueError, match="cm has 2 classes, but 3 names"):
        plot_confusion_matrix(np.eye(2), ["a", "b", "c"], tmp_path / "x.png")


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_misclassified(tmp_path, saved, channels):
    rng = np.random.default_rng(0)
    images = rng.random((6, 8, 8) if channels is None else (6, channels, 8, 8)).astype(np.float32)
    labels, preds = torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([0, 2, 2, 1, 1, 0])
    classes = ["zero", "one", "a very long name of a class"]
    path = plot_misclassified(torch.from_numpy(images), labels, preds, tmp_path / "m.png", classes=classes, limit=2)
    drawn(path)
    first, second = saved[0].axes
    assert texts(first) == ["true one", "predicted a very long n…"] and texts(second) == [
        "true zero",
        "predicted one",
    ]
    shown = images[1] if channels is None else images[1, 0] if channels == 1 else images[1].transpose(1, 2, 0)
    np.testing.assert_allclose(first.images[0].get_array(), shown)
    assert saved[0].texts[0].get_text() == "3 of 6 misclassified"


def test_misclassified_undoes_normalize(tmp_path, saved):
    images = np.random.default_rng(0).random((1, 1, 4, 4))
    normal = (images - 0.1307) / 0.3081
    plot_misclassified(normal, [0], [1], tmp_path / "a.png", mean=(0.1307,), std=(0.3081,))
    np.testing.assert_allclose(saved[0].axes[0].images[0].get_array(), images[0, 0], atol=1e-12)
    plot_misclassified(normal, [0], [1], tmp_path / "b.png")
    stretched = saved[1].axes[0].images[0].get_array()
    assert stretched.min() == 0 and stretched.max() == 1


def test_misclassified_where_nothing_is_wrong_and_errors(tmp_path, saved):
    drawn(plot_misclassified(np.zeros((2, 4, 4)), [0, 1], [0, 1], tmp_path / "n.png"))
    assert not saved[0].axes and "every prediction is right" in saved[0].texts[1].get_text()
    with pytest.raises(ValueError, match=r"images must be .* got \(2, 2, 4, 4\)"):
        plot_misclassified(np.zeros((2, 2, 4, 4)), [0, 1], [0, 1], tmp_path / "x.png")
    with pytest.raises(ValueError, match="as many images as labels and preds are needed, got 2, 1, 2"):
        plot_misclassified(np.zeros((2, 4, 4)), [0], [0, 1], tmp_path / "x.png")
    with pytest.raises(ValueError, match="limit must be at least 1"):
        plot_misclassified(np.zeros((1, 4, 4)), [0], [1], tmp_path / "x.png", limit=0)


def test_the_users_matplotlib_is_left_alone(tmp_path):
    probe = (
        "import sys, minitorch2.viz as viz\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib\n"
        "matplotlib.use('svg')\n"
        "before = dict(matplotlib.rcParams)\n"
        f"viz.plot_curves({{'loss': [2, 1]}}, {str(tmp_path / 'x.png')!r})\n"
        "assert dict(matplotlib.rcParams) == before\n"
        "assert matplotlib.get_backend().lower() == 'svg'\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    subprocess.run([sys.executable, "-c", probe], env=os.environ | {"PYTHONPATH": path}, check=True)


def test_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="needs matplotlib, which is not installed"):
        plot_curves({"loss": [1]}, tmp_path / "x.png")
