"""Optimizers and learning-rate schedules, as torch.optim."""

import importlib
from typing import Any

from ..core.absent import absent_class, as_absent
from . import lr_scheduler, optimizer
from .adadelta import Adadelta
from .adafactor import Adafactor
from .adagrad import Adagrad
from .adam import Adam
from .adamax import Adamax
from .adamw import AdamW
from .asgd import ASGD
from .lbfgs import LBFGS
from .muon import Muon
from .nadam import NAdam
from .optimizer import Optimizer
from .radam import RAdam
from .rmsprop import RMSprop
from .rprop import Rprop
from .sgd import SGD

SparseAdam = absent_class("optim.SparseAdam", "there are no sparse gradients here; Adam takes dense ones")
as_absent("optim._functional")

__all__ = [
    "ASGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "LBFGS",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SGD",
    "lr_scheduler",
    "optimizer",
]


def __getattr__(name: str) -> Any:
    """swa_utils is imported when first asked for: it needs modules."""
    if name == "swa_utils":
        return importlib.import_module(".swa_utils", __name__)
    raise AttributeError(
        f"module 'minitorch2.optim' has no attribute '{name}'. If that is an optimizer of PyTorch's, it is "
        "not supported here; minitorch2.optim.__all__ lists those that are."
    )
