"""Fast CPU overrides. Importing this package registers them."""

from . import conv, pooling  # noqa: F401
