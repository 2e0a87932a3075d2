"""torch's layout and memory_format objects."""

from __future__ import annotations


class layout:
    """How elements are stored. Only torch.strided is supported."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


class memory_format(layout):
    """How dims are ordered in memory. Only contiguous_format and preserve_format are supported."""


strided, sparse_coo = layout("strided"), layout("sparse_coo")
contiguous_format, preserve_format = memory_format("contiguous_format"), memory_format("preserve_format")
channels_last = memory_format("channels_last")


def check_layout(wanted) -> None:
    """NotImplementedError for any layout but torch.strided."""
    if wanted not in (None, strided):
        raise NotImplementedError(f"minitorch2: layout {wanted} is not supported; only torch.strided is")


def check_memory_format(wanted) -> None:
    """NotImplementedError for any memory format but contiguous_format and preserve_format."""
    if wanted not in (None, contiguous_format, preserve_format):
        raise NotImplementedError(
            f"minitorch2: memory_format {wanted} is not supported; only contiguous_format and preserve_format are"
        )
