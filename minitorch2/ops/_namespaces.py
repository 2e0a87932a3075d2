"""torch.ops.aten: the names of PyTorch's operators, which packages compare and keep tables by."""

from __future__ import annotations

from typing import Any, NoReturn


class OperatorName:
    """torch.ops.aten.mm or torch.ops.aten.mm.default: a name only; NotImplementedError for who calls it."""

    def __init__(self, path: str):
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"minitorch2: torch.ops.{self._path} has no '{name}'")
        found = self.__dict__[name] = OperatorName(f"{self._path}.{name}")  # the same one each time
        return found

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            f"minitorch2: torch.ops.{self._path} is not supported: there is no dispatcher of operators here; call the "
            "function of torch that does the same"
        )

    def __str__(self) -> str:
        return self._path

    def __repr__(self) -> str:
        return f"<operator {self._path}>"

    def __deepcopy__(self, memo: Any) -> OperatorName:
        return self
