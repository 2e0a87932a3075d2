"""torch.autograd.detect_anomaly, which is not supported: saying so is better than finding nothing."""

from __future__ import annotations


class set_detect_anomaly:
    """Accepts False, as a call or as a context manager; NotImplementedError for True."""

    def __init__(self, mode: bool, check_nan: bool = True):
        if mode:
            raise NotImplementedError(
                "minitorch2: anomaly detection is not supported; to find where a NaN comes from, register_hook on the "
                "tensors between and look at the gradients with isnan().any()"
            )

    def __enter__(self):
        return None

    def __exit__(self, *exc):
        return None


class detect_anomaly(set_detect_anomaly):
    """NotImplementedError: anomaly detection is not supported."""

    def __init__(self, check_nan: bool = True):
        super().__init__(True, check_nan)
