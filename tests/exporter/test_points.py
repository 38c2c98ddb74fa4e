"""What devices tell becomes lines: all of it, in the right types, the same whether by a template or not."""

from collections.abc import Iterator
from typing import Any

import pytest

from shelly_core.validation import check
from shelly_exporter.points import component_lines
from shelly_exporter.schema import MEASUREMENTS, PHASES, of_kind
from tests.core.payloads import FIXTURE_NAMES
from tests.exporter.component_points import DEVICE, TS, Told, component_cases, frames_of, made, read, slow_lines

LEFT_OUT = {
    "id", "tF", "user_calibrated_phase",
    "mac", "time", "unixtime", "last_sync_ts", "ram_min_free", "cfg_rev", "kvs_rev", "schedule_rev", "webhook_rev",
    "btrelay_rev", "available_updates", "utc_offset", "alt",
    "on_time_rst_ts", "switch_on_rst_ts", "on_above_thr_rst_ts",
    "status", "ssid", "bssid", "sta_ip6", "ip6", "tag", "calibration", "flags",
}  # fmt: skip
"""What devices tell of components that are stored, and is not."""
UNKNOWN = {"ble", "bthome", "knx", "modbus", "mqtt", "ws", "script"}
"""Components of which nothing is stored."""


def leaves(told: Told) -> Iterator[tuple[str, Any]]:
    """Each field with a value that is stored, and the value as it should be in a line."""
    for name, value in told.items():
        if name in LEFT_OUT:
            continue
        if isinstance(value, dict):
            yield from leaves(value)
        else:
            yield name, ",".join(value) if isinstance(value, list) else value


@pytest.mark.parametrize(("key", "told"), component_cases())
def test_nothing_that_a_device_tells_is_lost(key: str, told: Told) -> None:
    """Looked at from the device's side: each number, text and flag is in a field, under its name or nearly so."""
    assert check(key, told) is None
    found = read(component_lines(DEVICE, key), told)
    if key.partition(":")[0] in UNKNOWN:
        assert found == []
        return
    for name, value in leaves(told):
        phase = name[0] if name[1:2] == "_" and name[0] in PHASES else None
        plain = name[2:] if phase else name
        there = [
            point.fields[field]
            for point in found
            if phase is None or point.tags.get("phase") in {None, phase}
            for field in point.fields
            if field in {name, plain, ALIASES.get(name)} and (point.tags.get("phase") == phase or field == name)
        ]
        if value is None:
            assert set(there) <= {""}, name
        else:
            assert value in there, f"{name} = {value} is in no line: {found}"
    tags = {point.tags.get("channel") for point in found if "channel" in point.tags}
    assert tags <= {key.partition(":")[2]}
    assert {point.tags["device"] for point in found} <= {DEVICE}
    assert {point.ts for point in found} <= {TS}


ALIASES = {"tC": "temperature", "sta_ip": "wifi_ip", "ip": "eth_ip", "connected": "cloud"}


@pytest.mark.parametrize(("key", "told"), component_cases())
def test_templates_change_nothing(key: str, told: Told) -> None:
    quick, slow = component_lines(DEVICE, key), slow_lines(key)
    assert made(quick, told) == made(slow, told)
    assert made(quick, told, "http") == made(slow, told, "http")


def test_each_measurement_of_a_component_is_made_by_some_fixture_or_record() -> None:
    """So that no measurement of the table is without a test above."""
    seen = {"em1data_1m", "emdata_1m", "emdata_1m_wide"}
    for name in FIXTURE_NAMES:
        for frame in frames_of(name):
            for key, told in frame.items():
                seen |= {point.measurement for point in read(component_lines(DEVICE, key), told)}
    kinds = {measurement.kind for measurement in MEASUREMENTS if measurement.kind is not None}
    assert seen - {"device"} == {measurement.name for kind in kinds for measurement in of_kind(kind)}
