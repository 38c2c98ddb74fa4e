"""What the exporter subscribes to."""

from .devices import DROPPED, EVENTS, ONLINE
from .settings import Settings


def subscriptions(settings: Settings) -> dict[str, int]:
    """Return filters with their QoS; a group shares what the devices tell, but not who is there."""
    group = settings.cluster.group
    share = "" if group is None else f"$share/{group}/"
    filters = {f"{share}{prefix}{EVENTS}": 1 for prefix in settings.mqtt.prefixes}
    filters |= {f"{prefix}{ONLINE}": 1 for prefix in settings.mqtt.prefixes}
    filters[f"{settings.mqtt.client_id}/rpc"] = 1
    filters[DROPPED] = 0
    return filters
