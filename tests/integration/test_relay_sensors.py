"""What a relay tells besides its state, and what is counted of it here."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, State
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    mock_restore_cache_with_extra_data,
)

from custom_components.shelly_pro.const import CONF_RATED_POWER
from tests.integration.entries import set_up, state_of
from tests.integration.fixture_device import FixtureDevice

type Notify = Callable[..., Awaitable[None]]

RELAY = "switchboard_relay_2"
SOURCE, ON_TIME, TIMES = (f"sensor.{RELAY}_{name}" for name in ("switched_last_by", "time_on", "times_switched_on"))
POWER, ENERGY = f"sensor.{RELAY}_estimated_power", f"sensor.{RELAY}_estimated_energy"
LOADS = {CONF_RATED_POWER: {"switch:1": 1200.0}}


@pytest.fixture
def fixture_name() -> str:
    return "shellypro3-1.4.4"


@pytest.fixture(autouse=True)
def _relay_is_open(device: FixtureDevice) -> None:
    device.status["switch:1"] = {"id": 1, "source": "init", "output": False, "temperature": {"tC": 41.3, "tF": 106.3}}


@pytest.fixture
def minutes_pass(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Awaitable[None]]:
    """Let minutes pass on the clock on the wall, by which times are counted."""
    ahead = timedelta()
    real = dt_util.utcnow
    monkeypatch.setattr(dt_util, "utcnow", lambda: real() + ahead)

    async def minutes_pass(minutes: float) -> None:
        nonlocal ahead
        ahead += timedelta(minutes=minutes)
        async_fire_time_changed(hass, dt_util.utcnow())
        await hass.async_block_till_done()

    return minutes_pass


@pytest.mark.parametrize(
    ("told", "shown"),
    [("MQTT", "mqtt"), ("HTTP_in", "http"), ("SHC", "cloud"), ("init", "power_on"), ("new-fangled", "other")],
)
async def test_who_switched_last(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, told: str, shown: str
) -> None:
    device.status["switch:1"]["source"] = told
    await set_up(hass, entry)
    assert state_of(hass, SOURCE) == shown


@pytest.mark.usefixtures("all_enabled")
async def test_when_a_timer_ends(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    timer = f"sensor.{RELAY}_timer_ends"
    assert state_of(hass, timer) == STATE_UNKNOWN
    await notify({"switch:1": {"output": True, "timer_started_at": 1764000000.0, "timer_duration": 90.0}})
    assert state_of(hass, timer) == "2025-11-24T16:01:30+00:00"
    await notify({"switch:1": {"output": False, "timer_started_at": None, "timer_duration": None}}, ts=1764000090.0)
    assert state_of(hass, timer) == STATE_UNKNOWN


async def test_a_fault(hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    fault = f"binary_sensor.{RELAY}_overheating"
    assert state_of(hass, fault) == STATE_OFF
    await notify({"switch:1": {"errors": ["overtemp"]}})
    assert state_of(hass, fault) == STATE_ON


async def test_counted_here_before_firmware_2(
    hass: HomeAssistant,
    mqtt_device: FixtureDevice,
    entry: MockConfigEntry,
    notify: Notify,
    minutes_pass: Callable[[float], Awaitable[None]],
) -> None:
    kept = {"native_value": 1800.0, "native_unit_of_measurement": "s"}
    times = {"native_value": 7.0, "native_unit_of_measurement": None}
    mock_restore_cache_with_extra_data(hass, ((State(ON_TIME, "0.5"), kept), (State(TIMES, "7"), times)))
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    assert float(state_of(hass, ON_TIME)) == 0.5
    await notify({"switch:1": {"output": True}})
    assert float(state_of(hass, TIMES)) == 8
    await minutes_pass(30)
    assert float(state_of(hass, ON_TIME)) == pytest.approx(1.0, abs=0.01)
    await notify({"switch:1": {"output": False}}, ts=1764000002.0)
    await minutes_pass(30)
    assert float(state_of(hass, ON_TIME)) == pytest.approx(1.0, abs=0.01), "it was off"
    assert float(state_of(hass, TIMES)) == 8


@pytest.mark.parametrize("fixture_name", ["shellypro3-2.0.1"])
async def test_counted_by_the_device_since_firmware_2(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    counts = device.status["switch:0"]["counts"]
    await set_up(hass, entry)
    wallbox = "sensor.switchboard_wallbox"
    assert float(state_of(hass, f"{wallbox}_time_on")) == pytest.approx(counts["on_time"] / 3600)
    assert float(state_of(hass, f"{wallbox}_times_switched_on")) == counts["switch_on"]


async def test_estimated_from_the_load(
    hass: HomeAssistant,
    mqtt_device: FixtureDevice,
    entry: MockConfigEntry,
    notify: Notify,
    minutes_pass: Callable[[float], Awaitable[None]],
) -> None:
    hass.config_entries.async_update_entry(entry, options=LOADS)
    kept = {"native_value": 5000.0, "native_unit_of_measurement": "Wh"}
    mock_restore_cache_with_extra_data(hass, ((State(ENERGY, "5"), kept),))
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    assert (state_of(hass, POWER), float(state_of(hass, ENERGY))) == ("0.0", 5.0)
    await notify({"switch:1": {"output": True}})
    assert state_of(hass, POWER) == "1200.0"
    await minutes_pass(15)
    assert float(state_of(hass, ENERGY)) == pytest.approx(5.3, abs=0.001)
    await notify({"switch:1": {"output": False}}, ts=1764000002.0)
    assert state_of(hass, POWER) == "0.0"
    assert hass.states.get("sensor.switchboard_relay_3_estimated_power") is None, "nobody said what it draws"


async def test_a_relay_that_measures_needs_no_estimate(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    device.status["switch:1"] |= {"apower": 60.5, "voltage": 230.1, "current": 0.27, "aenergy": {"total": 1234.5}}
    hass.config_entries.async_update_entry(entry, options=LOADS)
    await set_up(hass, entry)
    assert state_of(hass, f"sensor.{RELAY}_power") == "60.5"
    assert float(state_of(hass, f"sensor.{RELAY}_energy")) == 1.2345
    assert hass.states.get(POWER) is None
    assert state_of(hass, f"binary_sensor.{RELAY}_overpower") == STATE_OFF
