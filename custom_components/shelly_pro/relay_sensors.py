"""What a relay tells besides its state: who switched last, how long it was on, how often."""

from collections.abc import Iterable

from homeassistant.helpers.entity import Entity

from .coordinator import ShellyProCoordinator


def sensors(_coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return none yet."""
    return ()
