"""Pictures of a training run as PNG files. Needs matplotlib, which is imported only when a picture is made.

The figures are drawn on canvases of their own, so neither pyplot nor the backend you chose is touched.
"""

from .plots import plot_confusion_matrix, plot_curves, plot_misclassified

__all__ = ["plot_curves", "plot_confusion_matrix", "plot_misclassified"]
