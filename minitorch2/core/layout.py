"""torch's layout and memory_format objects."""

from __future__ import annotations


class layout:
    """How elements are stored. Only torch.strided is supported."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name  # this module's object of the name, also in copies and in other processes


class memory_format(layout):
    """How dims are ordered in memory: contiguous_format (row-major), preserve_format (as they are), or channels_last,
    in which images (N, C, H, W) lie as (N, H, W, C)."""


strided, sparse_coo = layout("strided"), layout("sparse_coo")
sparse_csr, sparse_csc = layout("sparse_csr"), layout("sparse_csc")
sparse_bsr, sparse_bsc = layout("sparse_bsr"), layout("sparse_bsc")
jagged, _mkldnn = layout("jagged"), layout("_mkldnn")
contiguous_format, preserve_format = memory_format("contiguous_format"), memory_format("preserve_format")
channels_last = memory_format("channels_last")


def check_layout(wanted) -> None:
    """NotImplementedError for any layout but torch.strided."""
    if wanted not in (None, strided):
        raise NotImplementedError(f"minitorch2: layout {wanted} is not supported; only torch.strided is")


def check_pin_memory(wanted) -> None:
    """RuntimeError where a tensor is to be made in pinned memory: none here is."""
    if wanted:
        raise RuntimeError("Cannot access accelerator device when none is available: pin_memory=True needs a GPU")


def check_memory_format(wanted, ndim: int) -> None:
    """RuntimeError for channels_last of anything but 4 dims, TypeError for what is no format."""
    if wanted is channels_last and ndim != 4:
        raise RuntimeError("required rank 4 tensor to use channels_last format")
    if wanted not in (None, contiguous_format, preserve_format, channels_last):
        raise TypeError(
            f"argument 'memory_format' must be contiguous_format, preserve_format or channels_last, not {wanted}"
        )
