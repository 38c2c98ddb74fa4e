"""What is wired to the inputs: a switch, or a push-button."""

from collections.abc import Iterable

from homeassistant.helpers.entity import Entity

from .coordinator import ShellyProCoordinator


def binary_sensors(_coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return none yet."""
    return ()


def events(_coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return none yet."""
    return ()
