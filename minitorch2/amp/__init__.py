"""torch.amp: automatic mixed precision. autocast chooses each op's dtype; GradScaler keeps float16 gradients from
vanishing. Source: torch's page "Automatic Mixed Precision package".
"""

from .autocast_mode import autocast, custom_bwd, custom_fwd, is_autocast_available
from .grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
