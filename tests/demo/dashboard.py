"""The demo's first dashboard, as a person would click it together: relays, power and energy, readable on a phone."""

import re
from dataclasses import dataclass
from typing import Any

type Card = dict[str, Any]

PHASES = ("a", "b", "c")
POWER_RANGE_W = 6000
HISTORY_H = 0.25
TITLE = "Switchboard"
URL_PATH = "switchboard"
ICON = "mdi:home-lightning-bolt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A device of the switchboard and its entity ids by `<component key>[-<field>]`."""

    title: str
    entities: dict[str, str]

    def instances(self, kind: str, field: str | None = None) -> list[str]:
        """Return the entities of `field` (of the component itself without) of `<kind>:0`, `<kind>:1` and so on."""
        pattern = re.compile(rf"{kind}:\d+" + ("" if field is None else f"-{field}"))
        return [entity for name, entity in sorted(self.entities.items()) if pattern.fullmatch(name)]


def dashboard(panels: list[Panel]) -> dict[str, Any]:
    """Return a Lovelace configuration: relays and single meters in one section, each three-phase meter in two."""
    small = [card for panel in panels for card in (*_relays(panel), *_meters(panel))]
    sections = [_section(small), *(section for panel in panels for section in _supply(panel))]
    view = {"title": TITLE, "path": "now", "type": "sections", "max_columns": 3, "sections": sections}
    return {"title": TITLE, "views": [view]}


def energy_preferences(panels: list[Panel]) -> dict[str, Any]:
    """Return the settings of Home Assistant's energy page: three-phase meters at the grid, single meters as devices."""
    grids = [
        {
            "type": "grid",
            "name": panel.title,
            "stat_energy_from": panel.entities["emdata:0-total_act"],
            "stat_energy_to": panel.entities["emdata:0-total_act_ret"],
            "power_config": {"stat_rate": panel.entities["em:0-total_act_power"]},
            "cost_adjustment_day": 0,
        }
        for panel in panels
        if panel.instances("em", "total_act_power")
    ]
    meters = [
        {"name": f"Meter {number}", "stat_consumption": energy, "stat_rate": power}
        for panel in panels
        for number, (power, energy) in enumerate(_meter_pairs(panel), 1)
    ]
    return {"energy_sources": grids, "device_consumption": meters}


def _relays(panel: Panel) -> list[Card]:
    relays = panel.instances("switch")
    if not relays:
        return []
    toggle = {"features": [{"type": "toggle"}], "features_position": "inline"}
    tiles = [_tile(entity, f"Relay {number}", 12, **toggle) for number, entity in enumerate(relays, 1)]
    return [_heading(panel, "mdi:electric-switch", "switch:0-temperature"), *tiles]


def _meters(panel: Panel) -> list[Card]:
    pairs = _meter_pairs(panel)
    if not pairs:
        return []
    tiles = [
        card
        for number, (power, energy) in enumerate(pairs, 1)
        for card in (_tile(power, f"Meter {number}", 6), _tile(energy, "Energy", 6))
    ]
    history = _history([power for power, _ in pairs], [f"Meter {number}" for number in range(1, len(pairs) + 1)])
    return [_heading(panel, "mdi:meter-electric", "temperature:0-temperature"), *tiles, history]


def _meter_pairs(panel: Panel) -> list[tuple[str, str]]:
    """Return power and energy of every single-phase meter."""
    return list(zip(panel.instances("em1", "act_power"), panel.instances("em1data", "total_act_energy"), strict=True))


def _supply(panel: Panel) -> list[Card]:
    entities = panel.entities
    if not panel.instances("em", "total_act_power"):
        return []
    powers = [entities[f"em:0-{phase}_act_power"] for phase in PHASES]
    names = [f"Phase {phase.upper()}" for phase in PHASES]
    trend = {"type": "trend-graph", "hours_to_show": HISTORY_H}
    now = [
        _heading(panel, "mdi:transmission-tower", "temperature:0-temperature"),
        _tile(entities["em:0-total_act_power"], "Power now", 12, features=[trend]),
        *(_gauge(power, name) for power, name in zip(powers, names, strict=True)),
        _history(powers, names),
        _tile(entities["emdata:0-total_act"], "Energy drawn", 6),
        _tile(entities["emdata:0-total_act_ret"], "Energy fed in", 6),
    ]
    phases = [card for phase in PHASES for card in _phase(panel, phase)]
    return [_section(now), _section(phases)]


def _phase(panel: Panel, phase: str) -> list[Card]:
    return [
        {"type": "heading", "heading": f"Phase {phase.upper()}", "icon": "mdi:sine-wave"},
        _tile(panel.entities[f"em:0-{phase}_voltage"], "Voltage", 6),
        _tile(panel.entities[f"em:0-{phase}_current"], "Current", 6),
        _tile(panel.entities[f"em:0-{phase}_pf"], "Power factor", 6),
        _tile(panel.entities[f"emdata:0-{phase}_total_act_energy"], "Energy", 6),
    ]


def _section(cards: list[Card]) -> Card:
    return {"type": "grid", "cards": cards}


def _heading(panel: Panel, icon: str, temperature: str) -> Card:
    badge = {"type": "entity", "entity": panel.entities[temperature]}
    return {"type": "heading", "heading": panel.title, "icon": icon, "badges": [badge]}


def _tile(entity: str, name: str, columns: int, **more: Any) -> Card:
    return {"type": "tile", "entity": entity, "name": name, "grid_options": {"columns": columns}} | more


def _gauge(entity: str, name: str) -> Card:
    return {
        "type": "gauge",
        "entity": entity,
        "name": name,
        "needle": True,
        "min": -POWER_RANGE_W,
        "max": POWER_RANGE_W,
        "segments": [
            {"from": -POWER_RANGE_W, "color": "var(--success-color)"},
            {"from": 0, "color": "var(--info-color)"},
            {"from": POWER_RANGE_W // 2, "color": "var(--warning-color)"},
        ],
        "grid_options": {"columns": 4},
    }


def _history(entities: list[str], names: list[str]) -> Card:
    rows = [{"entity": entity, "name": name} for entity, name in zip(entities, names, strict=True)]
    return {"type": "history-graph", "entities": rows, "hours_to_show": HISTORY_H, "grid_options": {"columns": "full"}}
