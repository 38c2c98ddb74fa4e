"""Every alert rule as Grafana evaluates it: it fires when the simulated house gives it a reason to, and resolves after.

Rules look at the time that they are asked about, so the night is lived through first and evaluated then.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import pytest
import pytest_asyncio

from shelly_boards.alerts import Thresholds, rules
from shelly_exporter.telemetry import ExporterLines, Totals
from tests.stack.grafana_queries import alert_rule
from tests.stack.grafana_queries.alert_states import Alerting, State
from tests.stack.grafana_queries.story import HOUR_S, MINUTE_S, Story, night, raise_story

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.stack.grafana_queries.alert_rule import Labels, Rule

OFFLINE_MINUTES = 5
VOLTAGE_MIN, VOLTAGE_MAX, BREAKER_A = 207.0, 253.0, 32.0
THRESHOLDS = Thresholds(
    offline_minutes=OFFLINE_MINUTES, voltage_min=VOLTAGE_MIN, voltage_max=VOLTAGE_MAX, breaker_a=BREAKER_A
)
RULES = {rule.uid: rule for rule in alert_rule.rules(rules(THRESHOLDS))}
CALM_S = 30 * MINUTE_S
"""How long all is well at first."""
TELEMETRY_S = 30.0
"""How often the exporter tells of itself in earnest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """What a rule did: who fired first when and with which numbers, and who is still firing in the end."""

    first_at: float
    labels: set[Labels]
    numbers: Mapping[Labels, Mapping[str, float | None]]
    still: set[Labels]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lived(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    """The whole story; the store is there until the last test is over."""
    async with raise_story(tmp_path_factory.mktemp("night")) as story:
        await story.until(story.begun + CALM_S)
        await story.go_on(await story.rest())
        await night(story)
        await story.exporter.stop()
        yield story


async def fired(story: Story, rule: Rule, begin: float, end: float) -> Fired:
    """Evaluate a rule from one time to another; it has to fire."""
    numbers: dict[Labels, Mapping[str, float | None]] = {}
    alerting, first_at, now = Alerting(rule, story.sources), None, begin
    while now <= end:
        await alerting.evaluate(now)
        assert alerting.found is not None
        assert alerting.found.error is None
        for labels, values in alerting.firing().items():
            numbers.setdefault(labels, values)
            first_at = now if first_at is None else first_at
        now += rule.interval_s
    assert first_at is not None, f"{rule.title}: does not fire"
    return Fired(first_at=first_at, labels=set(numbers), numbers=numbers, still=set(alerting.firing()))


def labels_of(device: str, **more: str) -> Labels:
    return tuple(sorted({"device": device, **more}.items()))


def test_there_is_a_rule_for_each_trouble() -> None:
    assert set(RULES) == {
        "shelly-offline",
        "shelly-gap",
        "shelly-over-voltage",
        "shelly-under-voltage",
        "shelly-over-current",
        "shelly-exporter-errors",
    }


@pytest.mark.parametrize("uid", RULES)
async def test_while_all_is_well_nothing_fires(lived: Story, uid: str) -> None:
    alerting = Alerting(RULES[uid], lived.sources)
    states = await alerting.run(lived.begun + CALM_S - 15 * MINUTE_S, lived.begun + CALM_S)
    assert set(states.values()) == {State.NORMAL}
    labels, expressions = alerting.rule.mentioned
    assert alerting.found is not None
    for known in states:
        assert labels <= {name for name, _ in known}
    assert expressions <= set(alerting.found.values)


@pytest.mark.parametrize(
    ("uid", "name", "phase"),
    [
        ("shelly-over-voltage", "over-voltage", "a"),
        ("shelly-under-voltage", "under-voltage", "b"),
        ("shelly-over-current", "over-current", "c"),
    ],
)
async def test_a_phase_out_of_bounds(lived: Story, uid: str, name: str, phase: str) -> None:
    begin, end = lived.spans[name]
    found = await fired(lived, RULES[uid], begin - 5 * MINUTE_S, end + 14 * MINUTE_S)
    labels = labels_of(lived.meter.id, channel="0", phase=phase)
    assert found.labels == {labels}
    assert begin + 5 * MINUTE_S <= found.first_at <= end
    assert not found.still
    value = found.numbers[labels]["B"]
    assert value is not None
    limit = {"over-voltage": VOLTAGE_MAX, "under-voltage": VOLTAGE_MIN, "over-current": 0.9 * BREAKER_A}[name]
    assert value < limit if name == "under-voltage" else value > limit


async def test_a_device_without_power(lived: Story) -> None:
    begin, end = lived.spans["offline"]
    found = await fired(lived, RULES["shelly-offline"], begin - 5 * MINUTE_S, end + 14 * MINUTE_S)
    assert found.labels == {labels_of(lived.meter.id)}
    assert begin + OFFLINE_MINUTES * MINUTE_S < found.first_at < end
    assert not found.still


async def test_a_gap_in_the_readings(lived: Story) -> None:
    begin, end = lived.spans["silence"]
    found = await fired(lived, RULES["shelly-gap"], begin - MINUTE_S, end + HOUR_S + 5 * MINUTE_S)
    single = {labels_of(lived.single.id, channel=str(channel)) for channel in range(3)}
    assert found.labels == {labels_of(lived.meter.id, channel="0"), *single}
    assert begin + MINUTE_S < found.first_at < end + 3 * MINUTE_S
    assert not found.still
    for numbers in found.numbers.values():
        assert numbers["B"] == pytest.approx(end - begin, abs=3 * MINUTE_S)


async def test_errors_of_the_exporter(lived: Story) -> None:
    """The simulator cannot make the store refuse: another exporter tells of a bad hour, the day before."""
    begin = lived.begun - 24 * HOUR_S
    await _tell_errors(lived, begin, [0] * 40 + [1] * 30 + [0] * 60)
    found = await fired(lived, RULES["shelly-exporter-errors"], begin + 5 * MINUTE_S, begin + 60 * MINUTE_S)
    assert found.labels == {()}
    # Six in a quarter of an hour are too many, five minutes long.
    assert begin + 20 * MINUTE_S < found.first_at <= begin + 30 * MINUTE_S
    assert not found.still


async def test_an_exporter_that_is_silent(lived: Story) -> None:
    """It was ended after the night; here it is back later."""
    ended = lived.spans["offline"][1]
    back = ended + 3 * HOUR_S
    await _tell_errors(lived, back, [0] * 30)
    found = await fired(lived, RULES["shelly-exporter-errors"], ended, back + 10 * MINUTE_S)
    assert found.labels == {()}
    assert ended + 15 * MINUTE_S < found.first_at < back
    assert found.numbers[()] == {}
    assert not found.still


async def _tell_errors(story: Story, begin: float, errors: list[int]) -> None:
    """Write what an exporter would tell of itself, with so many errors in each half minute."""
    lines, exporter, total = [], ExporterLines("elsewhere"), 0
    state = {"spool_bytes": 0.0, "spool_age": 0.0, "write_time": 0.01, "broker": True, "devices": 1, "devices_down": 0}
    for turn, count in enumerate(errors):
        total += count
        line = exporter.line(Totals(errors=total), dict(state), begin + turn * TELEMETRY_S)
        assert line is not None
        lines.append(line)
    params = {"db": "shelly", "precision": "ms"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{story.store.url}/write", params=params, data=b"\n".join(lines)) as response,
    ):
        assert response.status == 204, await response.text()
