"""Fast CPU overrides. Importing this package registers them."""

from . import conv, indexing, optim, pooling  # noqa: F401
