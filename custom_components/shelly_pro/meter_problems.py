"""What a meter says is wrong with its supply or with itself: one table, one entity class."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, override

from homeassistant.components.binary_sensor import BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.helpers.entity import Entity

from .coordinator import ShellyProCoordinator
from .flag import ShellyProFlag
from .shelly_core import Component, Em1DataStatus, Em1Status, EmDataStatus, EmStatus, Phase

OUT_OF_RANGE: Final = "out_of_range:"
QUANTITIES: Final = {
    "voltage": ("voltage",),
    "current": ("current",),
    "power": ("active_power", "act_power"),
    "apparent_power": ("apparent_power", "aprt_power"),
}
"""How the errors of a three-phase meter and of a single-phase meter call a quantity, by our name."""


@dataclass(frozen=True, kw_only=True)
class ShellyProProblemDescription(BinarySensorEntityDescription):
    """One row of the table; a problem is there while one of its errors is told."""

    kind: type[Component]
    errors: frozenset[str]
    told_fn: Callable[[Any], tuple[str, ...]]
    """Takes a component of `kind` and returns all errors that it tells."""
    phase: Phase | None = None
    on_child: bool = False
    watched_by: str | None = None
    """The setting without which the device does not look for the problem."""


def problem[ComponentT: Component](
    kind: type[ComponentT],
    key: str,
    told_fn: Callable[[ComponentT], tuple[str, ...]],
    *errors: str,
    field: str | None = None,
    phase: Phase | None = None,
    on_child: bool = False,
    enabled: bool = True,
    watched_by: str | None = None,
) -> ShellyProProblemDescription:
    """Describe one problem; `field` names it in the unique id, where several have the same name."""
    return ShellyProProblemDescription(
        key=field or key,
        translation_key=key,
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=enabled,
        kind=kind,
        errors=frozenset(errors or {key}),
        told_fn=told_fn,
        phase=phase,
        on_child=on_child,
        watched_by=watched_by,
    )


def range_errors(quantity: str) -> tuple[str, ...]:
    """Return what the device tells when a quantity is beyond what it can measure."""
    return tuple(f"{OUT_OF_RANGE}{name}" for name in QUANTITIES[quantity])


def phase_problem(phase: Phase, quantity: str) -> ShellyProProblemDescription:
    """Describe a quantity of one phase that is out of range."""
    return problem(
        EmStatus,
        f"{quantity}_out_of_range",
        lambda em: em.phases[phase].errors,
        *range_errors(quantity),
        field=f"{phase}_{quantity}_out_of_range",
        phase=phase,
        on_child=True,
        enabled=quantity == "voltage",
    )


PROBLEMS: Final = (
    problem(EmStatus, "phase_sequence", lambda em: em.errors, watched_by="monitor_phase_sequence"),
    problem(EmStatus, "power_meter_failure", lambda em: em.errors),
    problem(EmStatus, "ct_type_not_set", lambda em: em.errors),
    problem(
        EmStatus,
        "neutral_current_out_of_range",
        lambda em: em.n_errors,
        *range_errors("current"),
        enabled=False,
    ),
    problem(EmDataStatus, "database_error", lambda emdata: emdata.errors),
    *(phase_problem(phase, quantity) for phase in Phase for quantity in QUANTITIES),
    problem(Em1Status, "power_meter_failure", lambda em1: em1.errors, on_child=True),
    problem(Em1Status, "ct_type_not_set", lambda em1: em1.errors, on_child=True),
    problem(Em1Status, "count_disabled", lambda em1: em1.flags, on_child=True),
    problem(Em1DataStatus, "database_error", lambda em1data: em1data.errors, on_child=True),
    *(
        problem(
            Em1Status,
            f"{quantity}_out_of_range",
            lambda em1: em1.errors,
            *range_errors(quantity),
            on_child=True,
            enabled=quantity == "voltage",
        )
        for quantity in QUANTITIES
    ),
)


def binary_sensors(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return a sensor for each problem that the components of the device can tell."""
    for description in PROBLEMS:
        for key in coordinator.device.components(description.kind):
            yield ShellyProProblem(coordinator, key, description)


class ShellyProProblem(ShellyProFlag):
    """One thing that may be wrong."""

    entity_description: ShellyProProblemDescription

    def __init__(self, coordinator: ShellyProCoordinator, key: str, description: ShellyProProblemDescription) -> None:
        """Watch for the problem that the description names at component `key`."""
        super().__init__(coordinator, key, field=description.key, phase=description.phase, child=description.on_child)
        self.entity_description = description

    @override
    def _tell(self, component: Component | None) -> bool | None:
        description = self.entity_description
        if component is None:
            return None
        if not description.errors.isdisjoint(description.told_fn(component)):
            return True
        unwatched = description.watched_by and not self.coordinator.settings.of(self._key).get(description.watched_by)
        return None if unwatched else False
