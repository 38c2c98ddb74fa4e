"""Voltages and currents that are out of bounds."""

from shelly_boards import live
from shelly_boards.live.power import CURRENT_PANEL, VOLTAGE_PANEL
from shelly_boards.query import SHOWN, Fill, select

from .rule import Rule
from .thresholds import Thresholds

BREAKER_SHARE = 0.9
"""The part of the breaker's rating from which on a current is too high."""
_PLACE = (
    "{{ $labels.device }}"
    "{{ if $labels.phase }} phase {{ $labels.phase }}{{ else }} channel {{ $labels.channel }}{{ end }}"
)
_VOLTS = '{{ printf "%.1f" $values.B.Value }} V'


def _minutes(expression: str) -> str:
    return select(expression, "em", "em1", where=SHOWN, by=("time(1m)", "device", "channel", "phase"), fill=Fill.NONE)


def over_voltage(thresholds: Thresholds) -> Rule:
    """Warn of a phase with too much voltage."""
    return Rule(
        uid="shelly-over-voltage",
        title="Voltage too high",
        query=_minutes('mean("voltage")'),
        seconds=600,
        reducer="last",
        comparison="gt",
        limit=thresholds.voltage_max,
        lasting="5m",
        summary=f"{_PLACE}: {_VOLTS}, more than {thresholds.voltage_max:g} V",
        remedy=(
            "The voltage has been too high for five minutes. If it stays, or if one phase rises while another falls, "
            "switch sensitive devices off and call an electrician or the grid operator: the neutral may be loose."
        ),
        board=live.UID,
        panel=VOLTAGE_PANEL,
        severity="critical",
    )


def under_voltage(thresholds: Thresholds) -> Rule:
    """Warn of a phase with too little voltage, or none."""
    return Rule(
        uid="shelly-under-voltage",
        title="Voltage too low",
        query=_minutes('mean("voltage")'),
        seconds=600,
        reducer="last",
        comparison="lt",
        limit=thresholds.voltage_min,
        lasting="5m",
        summary=f"{_PLACE}: {_VOLTS}, less than {thresholds.voltage_min:g} V",
        remedy=(
            "The voltage has been too low for five minutes. Near 0 V, a phase is missing: see the fuses. "
            "Otherwise call the grid operator if it stays."
        ),
        board=live.UID,
        panel=VOLTAGE_PANEL,
    )


def over_current(thresholds: Thresholds) -> Rule:
    """Warn before the main breaker switches off."""
    limit = round(BREAKER_SHARE * thresholds.breaker_a, 3)
    return Rule(
        uid="shelly-over-current",
        title="Current too high",
        query=_minutes('mean("current")'),
        seconds=600,
        reducer="mean",
        comparison="gt",
        limit=limit,
        lasting="5m",
        summary=f'{_PLACE}: {{{{ printf "%.1f" $values.B.Value }}}} A, more than {limit:g} A',
        remedy=(
            f"The current is near the {thresholds.breaker_a:g} A of the main breaker, which may soon switch off. "
            "Switch something large off, or move it to another phase."
        ),
        board=live.UID,
        panel=CURRENT_PANEL,
        severity="critical",
    )
