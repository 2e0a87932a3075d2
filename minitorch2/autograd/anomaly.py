"""torch.autograd.detect_anomaly: where did a NaN, or an error in backward, come from."""

from __future__ import annotations

import warnings

from ..core import anomaly


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on."""
    return anomaly.on


def is_anomaly_check_nan_enabled() -> bool:
    """Whether it looks for NaN."""
    return anomaly.check_nan


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Turns anomaly detection on or off."""
    anomaly.switch(mode, check_nan)


class set_detect_anomaly:
    """Turns anomaly detection on or off, as a call or for the block of a `with`.

    While it is on, the nodes of the graph remember the lines that made them, and an error in a backward pass comes with
    a warning that shows those of the node where it happened. With check_nan a gradient with a NaN in it is such an
    error: RuntimeError, with the name of the node. Slow: for debugging.
    """

    def __init__(self, mode: bool, check_nan: bool = True):
        self._before = anomaly.on, anomaly.check_nan
        anomaly.switch(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc) -> None:
        anomaly.switch(*self._before)


class detect_anomaly:
    """Anomaly detection for the block of a `with`, and a warning that it is slow: see set_detect_anomaly."""

    def __init__(self, check_nan: bool = True):
        self._before, self._check_nan = (anomaly.on, anomaly.check_nan), check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging.",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        anomaly.switch(True, self._check_nan)

    def __exit__(self, *exc) -> None:
        anomaly.switch(*self._before)
