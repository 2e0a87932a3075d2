"""Fast CPU overrides. Importing this package registers them."""

from . import conv, optim, pooling  # noqa: F401
