"""How a meter is set up: its clamps, whether it watches the order of phases; its counters."""

from collections.abc import Iterable

from homeassistant.helpers.entity import Entity

from .coordinator import ShellyProCoordinator


def buttons(_coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return none yet."""
    return ()


def selects(_coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return none yet."""
    return ()


def switches(_coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return none yet."""
    return ()
