"""Neural networks: parameters, modules, their functions and their first values."""

from . import functional, init, modules, parameter
from .modules import *  # noqa: F403
from .modules import __all__ as _modules_all
from .parameter import Buffer, Parameter

__all__ = ["Buffer", "Parameter", "functional", "init", "modules", "parameter", *_modules_all]
