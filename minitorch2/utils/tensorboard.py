"""torch.utils.tensorboard: SummaryWriter, by tensorboardX (`pip install 'minitorch2[tensorboard]'`).

    writer = SummaryWriter("runs/first")
    writer.add_scalar("loss", loss, step)
    writer.add_histogram("weight", net[0].weight, step)

`tensorboard --logdir runs`, which is a package of its own, shows what was written.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from ..core.placing import place
from ..core.variable import Variable


def _import() -> Any:
    """tensorboardX, which would take an installed PyTorch along for the name of its tensors."""
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # type: ignore[assignment]  # whoever imports it now gets an ImportError
    try:
        import tensorboardX
    except ImportError as error:
        raise ImportError(
            "TensorBoard's files are written by tensorboardX: pip install 'minitorch2[tensorboard]'"
        ) from error
    finally:
        if hidden:
            del sys.modules["torch"]
    return tensorboardX


def _in_numpy(x: Any) -> Any:
    """x with arrays for the tensors in it, wherever these lie and whether or not they require a gradient."""
    if isinstance(x, Variable):
        tensor: Any = x
        return (tensor.float() if tensor._data.dtype.kind == "V" else tensor).numpy(force=True)  # NumPy has no bfloat16
    if isinstance(x, dict):
        return {key: _in_numpy(value) for key, value in x.items()}
    if type(x) in (list, tuple):
        return type(x)(map(_in_numpy, x))
    return x


def _takes_tensors(method):
    @functools.wraps(method)
    def call(self, *args, **kwargs):
        return method(self, *_in_numpy(args), **_in_numpy(kwargs))

    return call


_library = _import()


class SummaryWriter(_library.SummaryWriter):
    """Writes what a program logs into event files for TensorBoard: tensorboardX's writer, for tensors of ours.

    SummaryWriter(log_dir, comment=""): into log_dir, or into runs/<time>_<host><comment>. `add_scalar(tag, value,
    step)`, `add_scalars`, `add_histogram`, `add_image` (C, H, W), `add_images`, `add_figure`, `add_text`,
    `add_embedding`, `add_pr_curve`, `add_hparams`, `add_audio`, `add_video`, `add_mesh`; `flush()`, `close()`.
    """

    def __init__(self, log_dir: str | None = None, comment: str = "", *args: Any, **kwargs: Any) -> None:
        super().__init__(log_dir, comment, *args, **kwargs)

    def add_graph(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "minitorch2: add_graph is not supported: it draws TorchScript's graphs; print(model) shows the modules"
        )

    add_onnx_graph = add_graph


for _name in dir(SummaryWriter):
    if _name.startswith("add_") and "graph" not in _name:
        setattr(SummaryWriter, _name, _takes_tensors(getattr(SummaryWriter, _name)))

FileWriter = _library.writer.FileWriter
place("utils.tensorboard.writer", {"FileWriter": FileWriter, "SummaryWriter": SummaryWriter})
place("utils.tensorboard.summary", {name: value for name, value in vars(_library.summary).items() if name[0] != "_"})
