"""torch.device: where a tensor's numbers live."""

from __future__ import annotations


class device:
    """`device("cpu")`, `device("cuda:0")`, `device("cuda", 0)`; equal by type and index, hashable."""

    __slots__ = ("index", "type")

    def __init__(self, type: str | device | int, index: int | None = None):
        if isinstance(type, device):
            type, index = type.type, type.index
        elif isinstance(type, int):
            type, index = "cuda", type  # torch: a bare number means the current accelerator
        if not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' must be str, int or device, not {type.__class__.__name__}")
        name, colon, number = type.partition(":")
        if name not in ("cpu", "cuda"):
            raise RuntimeError(f"Expected one of cpu, cuda device type at start of device string: {name}")
        if colon:
            if index is not None:
                raise RuntimeError(f"type (string) must not include an index because index was passed: {type}")
            if not number.isdigit():
                raise RuntimeError(f"Invalid device string: '{type}'")
            index = int(number)
        self.type = name
        self.index = index

    def __repr__(self) -> str:
        return f"device(type='{self.type}'" + ("" if self.index is None else f", index={self.index}") + ")"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self):
        return (device, (str(self),))


CPU = device("cpu")


def check_available(where: device | str | int | None) -> device:
    """The device asked for, or an error that says why it cannot be had. None means the CPU."""
    if where is None:
        return CPU
    if not isinstance(where, device | str | int):
        raise TypeError(f"argument 'device' must be torch.device, str or int, not {type(where).__name__}")
    found = where if isinstance(where, device) else device(where)
    if found.type != "cpu":
        raise RuntimeError(
            f"minitorch2: device '{found}' is not supported in this version, which computes on the CPU only; "
            "use device='cpu'"
        )
    return CPU
