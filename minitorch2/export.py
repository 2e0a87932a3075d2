"""torch.export, as far as packages name it when they are imported; nothing is exported here."""

from __future__ import annotations

from .core.absent import absent

_WHY = "save a state dict with torch.save and export it with PyTorch"
_FUNCTIONS = ("export", "export_for_training", "load", "save", "register_dataclass", "unflatten", "dims")
globals().update(absent("export", _WHY, _FUNCTIONS, ("ExportedProgram", "Dim", "ShapesCollection", "AdditionalInputs")))
