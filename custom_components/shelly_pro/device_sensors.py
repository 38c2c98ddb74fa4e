"""How the device itself is: its network, memory, and since when it runs."""

from collections.abc import Iterable

from homeassistant.helpers.entity import Entity

from .coordinator import ShellyProCoordinator


def sensors(_coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return none yet."""
    return ()


def binary_sensors(_coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return none yet."""
    return ()
