"""torch.utils.tensorboard: what SummaryWriter writes of our tensors, read back."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minitorch2

mt: Any = minitorch2
tensorboardX = pytest.importorskip("tensorboardX")
from minitorch2.utils.tensorboard import SummaryWriter  # noqa: E402


def written(folder: Path) -> list:
    """The summaries of every event file under the folder, in order: (tag, step, value)."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for file in sorted(folder.rglob("events.out.tfevents.*")):
        data, at = file.read_bytes(), 0
        while at < len(data):  # length (8 bytes), its checksum (4), the event, its checksum (4)
            n = int.from_bytes(data[at : at + 8], "little")
            event = Event.FromString(data[at + 12 : at + 12 + n])
            found += [(value.tag, event.step, value) for value in event.summary.value]
            at += n + 16
    return found


def test_scalars(tmp_path):
    x = mt.ones(3, requires_grad=True)
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("loss", (x * 2).sum(), 0)
        writer.add_scalar("loss", mt.tensor(1.5, dtype=mt.bfloat16), global_step=1)
        writer.add_scalar("loss", 2.5, 2)
        writer.add_scalar("loss", x[0], 3)
    assert [(tag, step, v.simple_value) for tag, step, v in written(tmp_path)] == [
        ("loss", 0, 6.0),
        ("loss", 1, 1.5),
        ("loss", 2, 2.5),
        ("loss", 3, 1.0),
    ]


def test_many_scalars(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalars("both", {"a": mt.tensor(1.0), "b": mt.tensor(2)}, 7)
    assert sorted((step, v.simple_value) for _, step, v in written(tmp_path)) == [(7, 1.0), (7, 2.0)]


def test_a_histogram(tmp_path):
    values = mt.arange(100.0)
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_histogram("weights", values.requires_grad_(), 0)
    ((_, _, value),) = written(tmp_path)
    assert value.histo.num == 100 and value.histo.sum == 4950 and value.histo.max == 99


def test_an_image(tmp_path):
    from io import BytesIO

    from PIL import Image

    image = mt.zeros(3, 2, 4)
    image[0] = 1.0
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_image("red", image, 0)
    ((_, _, value),) = written(tmp_path)
    pixels = np.asarray(Image.open(BytesIO(value.image.encoded_image_string)))
    assert pixels.shape == (2, 4, 3) and (pixels == [255, 0, 0]).all()


def test_settings_of_a_run(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_hparams({"lr": 0.1}, {"accuracy": mt.tensor(0.5)})
    assert any(v.simple_value == 0.5 for _, _, v in written(tmp_path))


def test_graphs_are_refused(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer, pytest.raises(NotImplementedError, match="add_graph"):
        writer.add_graph(mt.nn.Linear(1, 1), mt.ones(1, 1))


def test_torch_is_not_taken_along():
    program = (
        "import sys, minitorch2.utils.tensorboard; print('torch' in sys.modules);"
        "sys.modules['tensorboardX'] = None; del sys.modules['minitorch2.utils.tensorboard'];"
        "import minitorch2.utils.tensorboard"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout == "False\n"
    assert "ImportError: TensorBoard's files are written by tensorboardX: pip install" in run.stderr
