"""Networks whose published weights load: parameters are named as the checkpoints name them."""

from .efficientnet_lite import EfficientNetLite, efficientnet_lite0

__all__ = ["EfficientNetLite", "efficientnet_lite0"]
