"""Training curves, confusion matrices, and the pictures a classifier got wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .figure import INK, MUTED, SERIES, STYLE, WRONG, as_array, matplotlib_modules, new_figure, save

_PARTS = ("train", "val", "valid", "test")


def plot_curves(
    history: Mapping[str, Sequence[float]],
    path: str | os.PathLike[str],
    *,
    title: str = "Training",
    xlabel: str = "Epoch",
) -> Path:
    """Draws the curves of a run into one picture and returns its path.

    `history` maps a name to one number per epoch, counted from 1. Names that share their quantity, such as
    "train_loss" and "test_loss", share a panel; a name without "train", "val", "valid" or "test" in front
    gets a panel by that name. NaN leaves a gap. Raises ValueError where there is nothing to draw.
    """
    panels: dict[str, list[tuple[str, np.ndarray]]] = {}
    for name, values in history.items():
        part, _, quantity = name.partition("_")
        label = part if quantity and part in _PARTS else name
        curve = np.array([float(value) for value in values])
        if curve.size:
            panels.setdefault(quantity if label == part and quantity else name, []).append((label, curve))
    if not panels:
        raise ValueError("history holds no numbers: expected at least one name with one number per epoch")
    mpl = matplotlib_modules()
    with mpl.rc_context(STYLE):
        figure = new_figure(4.8 * len(panels), 3.9)
        figure.suptitle(title, fontsize=13, fontweight="bold", color=INK)
        row = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (quantity, curves) in zip(row, panels.items(), strict=True):
            _curves(mpl, axes, quantity.replace("_", " "), curves, xlabel)
        return save(figure, path)


def _curves(mpl: Any, axes: Any, quantity: str, curves: list[tuple[str, np.ndarray]], xlabel: str) -> None:
    longest = max(len(curve) for _, curve in curves)
    for number, (label, curve) in enumerate(curves):
        axes.plot(
            np.arange(1, len(curve) + 1),
            curve,
            color=SERIES[number % len(SERIES)],
            linewidth=1.8,
            marker="o" if longest <= 30 else None,
            markersize=4,
            label=label,
        )
    axes.set_xlabel(xlabel)
    axes.set_ylabel(quantity[:1].upper() + quantity[1:] if len(quantity) > 3 else quantity)
    axes.set_xlim(0.5, longest + 0.5)
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(True, linewidth=0.8)
    axes.set_axisbelow(True)
    if len(curves) > 1 or curves[0][0] != quantity:
        axes.legend()


def plot_confusion_matrix(
    cm: Any, classes: Sequence[str] | None, path: str | os.PathLike[str], *, title: str | None = None
) -> Path:
    """Draws a confusion matrix (rows: true class, columns: predicted) with its counts and returns the path.

    Colours show the share of each true class, so that rare classes stay readable; the numbers are the counts.
    `classes`: C names, or None for the indices. Raises ValueError for a matrix that is not square.
    """
    counts = as_array(cm)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.size == 0:
        raise ValueError(f"cm must be a square matrix of counts, got shape {counts.shape}")
    size = len(counts)
    names = [str(name) for name in (range(size) if classes is None else classes)]
    if len(names) != size:
        raise ValueError(f"cm has {size} classes, but {len(names)} names were given")
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    if title is None and counts.sum() > 0:
        title = f"Confusion matrix (accuracy {np.trace(counts) / counts.sum():.2%})"
    mpl = matplotlib_modules()
    with mpl.rc_context({**STYLE, "axes.spines.left": False, "axes.spines.bottom": False}):
        side = max(4.2, 0.58 * size + 1.9)
        figure = new_figure(side + 0.8, side)
        axes = figure.subplots()
        # The square root lets a confusion of one in a hundred be seen beside a diagonal near one.
        image = axes.imshow(shares, cmap="Blues", norm=mpl.colors.PowerNorm(0.5, vmin=0, vmax=1))
        axes.set_title(title or "Confusion matrix")
        long = max(map(len, names)) > 3
        slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if long else {}
        axes.set_xticks(range(size), names, **slant)
        axes.set_yticks(range(size), names, va="center_baseline")
        axes.tick_params(length=0)
        axes.set_xlabel("Predicted class")
        axes.set_ylabel("True class")
        axes.set_xticks(np.arange(size + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(size + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.2)
        axes.tick_params(which="minor", length=0)
        _cell_numbers(axes, counts, shares)
        bar = figure.colorbar(
            image,
            ax=axes,
            shrink=0.8,
            ticks=[0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1],
            format=mpl.ticker.PercentFormatter(1, decimals=0),
        )
        bar.set_label("Share of the true class")
        bar.outline.set_visible(False)
        return save(figure, path)


def _cell_numbers(axes: Any, counts: np.ndarray, shares: np.ndarray) -> None:
    if len(counts) > 30:
        return  # they would be smaller than anyone can read; the colours remain
    widest = max(len(f"{value:g}") for value in counts.flat)
    fontsize = min(10, 34 / max(widest, 3))
    for (row, column), value in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.35 else INK if value else "#b9c2cc"
        axes.text(column, row, f"{value:g}", ha="center", va="center", color=colour, fontsize=fontsize)


def plot_misclassified(
    images: Any,
    labels: Any,
    preds: Any,
    path: str | os.PathLike[str],
    *,
    classes: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    limit: int = 25,
    title: str | None = None,
) -> Path:
    """Draws the first `limit` images whose prediction is wrong, each with its true and its predicted class.

    Args: images: (N, H, W), (N, 1, H, W) or (N, 3, H, W), uint8 or floats; labels, preds: class indices (N,);
    classes: their names; mean, std: what transforms.Normalize was given, to undo it. Floats are shown from 0
    to 1, and, where they leave that range and no mean is given, stretched from the least to the greatest.

    Raises ValueError for shapes that do not fit. Where nothing is wrong the picture says so.
    """
    pixels, truth, guess = as_array(images), as_array(labels), as_array(preds)
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    if pixels.ndim != 4 or pixels.shape[1] not in (1, 3):
        raise ValueError(f"images must be (N, H, W), (N, 1, H, W) or (N, 3, H, W), got {pixels.shape}")
    if not len(pixels) == len(truth) == len(guess):
        raise ValueError(
            f"as many images as labels and preds are needed, got {len(pixels)}, {len(truth)}, {len(guess)}"
        )
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    wrong = np.flatnonzero(truth != guess)
    shown = wrong[:limit]
    columns = min(max(len(shown), 3), 5 if limit <= 25 else 8)
    rows = max(1, -(-len(shown) // columns))
    side, text, gap, head = 1.4, 0.42, 0.2, 0.5  # inches
    width, height = columns * (side + gap) + gap, head + rows * (side + text + gap)
    mpl = matplotlib_modules()
    with mpl.rc_context(STYLE):
        figure = mpl.figure.Figure(figsize=(width, height))
        figure.text(
            0.5,
            1 - 0.3 / height,
            title or f"{len(wrong):,} of {len(truth):,} misclassified",
            ha="center",
            va="center",
            fontsize=13,
            fontweight="bold",
        )
        for place, index in enumerate(shown):
            left = gap + (place % columns) * (side + gap)
            bottom = height - head - (place // columns) * (side + text + gap) - text - side
            axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
            axes.imshow(
                _displayable(pixels[index], mean, std),
                cmap="gray_r" if pixels.shape[1] == 1 else None,
                vmin=0,
                vmax=1,
                interpolation="nearest",
            )
            axes.set_axis_off()
            above = {"transform": axes.transAxes, "ha": "center", "va": "bottom", "fontsize": 8}
            axes.text(0.5, 1 + 0.20 / side, f"true {_name(classes, truth[index])}", color=MUTED, **above)
            axes.text(
                0.5,
                1 + 0.04 / side,
                f"predicted {_name(classes, guess[index])}",
                color=WRONG,
                fontweight="bold",
                **above,
            )
        if not len(shown):
            figure.text(0.5, 0.45, "Nothing to show: every prediction is right.", ha="center", color=MUTED)
        return save(figure, path)


def _name(classes: Sequence[str] | None, index: Any) -> str:
    name = str(index if classes is None else classes[index])
    return name if len(name) <= 14 else name[:13] + "\N{HORIZONTAL ELLIPSIS}"


def _displayable(pixels: np.ndarray, mean: Sequence[float] | None, std: Sequence[float] | None) -> np.ndarray:
    """(C, H, W) to (H, W, C) or (H, W), floats from 0 to 1."""
    if pixels.dtype == np.uint8:
        values = pixels / 255.0
    else:
        values = pixels.astype(np.float64)
        if mean is not None or std is not None:
            scale = np.reshape(1.0 if std is None else std, (-1, 1, 1))
            values = values * scale + np.reshape(0.0 if mean is None else mean, (-1, 1, 1))
        elif values.min() < 0 or values.max() > 1:
            spread = values.max() - values.min()
            values = (values - values.min()) / (spread if spread > 0 else 1)
    values = np.clip(values, 0, 1).transpose(1, 2, 0)
    return values[:, :, 0] if values.shape[2] == 1 else values
