"""One place that imports matplotlib, makes figures and saves them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

INK, MUTED, GRID, WRONG = "#1f2933", "#6b7785", "#dfe4ea", "#b3261e"
# One family of mid-dark tones that also differ when printed in grey.
SERIES = ("#2f6fb3", "#d9662b", "#3a9266", "#8a5bb0", "#b8860b", "#c0467c", "#4b9cb8", "#7a6a58")
STYLE = {
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "white",
    "grid.color": GRID,
    "legend.frameon": False,
}


def matplotlib_modules() -> Any:
    """The matplotlib package with `figure` and the Agg canvas loaded; ImportError says how to get it."""
    try:
        import matplotlib
        import matplotlib.backends.backend_agg
        import matplotlib.figure
    except ImportError as error:
        raise ImportError(
            "minitorch2.viz needs matplotlib, which is not installed: pip install 'minitorch2[examples]'"
        ) from error
    return matplotlib


def new_figure(width: float, height: float) -> Any:
    """An empty figure of `width` x `height` inches that lays out its parts by itself, with air around."""
    figure = matplotlib_modules().figure.Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.14, h_pad=0.12)
    return figure


def save(figure: Any, path: str | os.PathLike[str]) -> Path:
    """Renders `figure` to `path`, in the format of its ending (.png without one); makes the folder."""
    path = Path(path)
    if not path.suffix:
        path = path.with_suffix(".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    matplotlib_modules().backends.backend_agg.FigureCanvasAgg(figure)
    figure.savefig(path, dpi=150)
    return path


def as_array(values: Any) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)
