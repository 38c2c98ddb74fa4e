"""What a device would tell at a true time, whether it told it or not."""

from typing import Any

from tests.simulator.device import VirtualDevice


def truth_at(device: VirtualDevice, ts: float) -> dict[str, dict[str, Any]]:
    """Return every component's status at `ts`, now or in the past."""
    return device.truth(ts)
