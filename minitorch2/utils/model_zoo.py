"""torch.utils.model_zoo: older names of torch.hub's."""

from .. import hub
from ..hub import load_state_dict_from_url as load_url

__all__ = ["load_url"]


def __getattr__(name: str):
    if name == "tqdm":
        return hub.tqdm
    raise AttributeError(f"minitorch2.utils.model_zoo has no '{name}'")
