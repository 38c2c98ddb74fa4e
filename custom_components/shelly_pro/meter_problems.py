"""What a meter says is wrong with its supply or with itself."""

from collections.abc import Iterable

from homeassistant.helpers.entity import Entity

from .coordinator import ShellyProCoordinator


def binary_sensors(_coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return none yet."""
    return ()
