"""Whether results must repeat bit for bit, as torch's use_deterministic_algorithms asks. The CPU's always do."""

from __future__ import annotations

required = False
