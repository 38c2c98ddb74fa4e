"""Devices that were met are known after a restart; what is damaged of that is as good as forgotten."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from shelly_core import DeviceInfo
from shelly_exporter.devices.registry import FORGET_S, Known, introduce, restore, state
from tests.core.payloads import FIXTURE_NAMES, fixture

NOW = 1763989248.0
INFO = DeviceInfo.parse(fixture("shellypro3em-1.7.5", "Shelly.GetDeviceInfo"))
ID = INFO.id


def saved(**changes: Any) -> dict[str, Any]:
    """What is in the file of one device."""
    known = Known(info=INFO, prefix="house/meter", address=("192.0.2.7", 80), heard_ts=NOW)
    return {ID: {**known.as_json(), **changes}}


def changed_info(**changes: Any) -> dict[str, Any]:
    return saved(info={**INFO._asdict(), **changes})


@pytest.mark.parametrize("address", [None, ("192.0.2.7", 80), ("::1", 8080)])
def test_what_is_saved_is_restored(address: tuple[str, int] | None) -> None:
    known = {ID: Known(info=INFO, prefix="house/meter", address=address, heard_ts=NOW - 7.25)}
    assert restore(json.loads(json.dumps(state(known))), NOW) == known


def test_nothing_is_known_at_first() -> None:
    assert restore(None, NOW) == {}
    assert restore({}, NOW) == {}


@pytest.mark.parametrize(("age_s", "is_known"), [(FORGET_S - 1, True), (FORGET_S, False)])
def test_a_device_that_is_gone_is_forgotten(age_s: float, *, is_known: bool) -> None:
    assert (ID in restore(saved(heard_ts=NOW - age_s), NOW)) is is_known


@pytest.mark.parametrize(
    "damaged",
    [
        {ID: None},
        {ID: []},
        {ID: "x"},
        {ID: {}},
        saved(info=None),
        saved(info={}),
        saved(info={**INFO._asdict(), "new": 1}),
        saved(address="x"),
        saved(address=["192.0.2.7"]),
        saved(address=["192.0.2.7", "http"]),
        saved(address=[1, 2, 3]),
        saved(heard_ts="x"),
        saved(heard_ts=None),
        saved(heard_ts=math.nan),
        changed_info(id="shellypro3em-000000000000"),
        changed_info(id='evil,x=1 y="'),
        changed_info(mac="000000000000"),
        changed_info(mac=None),
        {"refrigerator": saved()[ID]},
    ],
)
def test_a_damaged_entry_is_left_out_alone(damaged: dict[str, Any]) -> None:
    relay = Known(info=introduce("shellypro3-e868e7a1b204") or INFO, prefix="p", heard_ts=NOW)
    assert restore({**damaged, **state({relay.info.id: relay})}, NOW) == {relay.info.id: relay}


@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_an_id_tells_who_a_device_is(name: str) -> None:
    told = DeviceInfo.parse(fixture(name, "Shelly.GetDeviceInfo"))
    info = introduce(told.id)
    assert info is not None
    assert (info.id, info.mac) == (told.id, told.mac)
    assert (info.model, info.firmware, info.name, info.profile) == ("", "", None, None)


@pytest.mark.parametrize(
    "name",
    [
        "", "shelly", "refrigerator", "shellypro3-", "shellypro3-e868e7a1b20", "shellypro3-E868E7A1B204",
        "shellypro3-e868e7a1b204x", "xshellypro3-e868e7a1b204", "shellypro3-e868e7a1b204\n", "shelly pro-e868e7a1b204",
        "shellypro3/x-e868e7a1b204",
    ],
)  # fmt: skip
def test_no_shelly_is_called_so(name: str) -> None:
    assert introduce(name) is None


def test_what_is_known_is_plain_data() -> None:
    known = Known(info=replace_name("Küche"), prefix="p")
    assert json.loads(json.dumps(known.as_json()))["info"]["name"] == "Küche"
    assert (known.address, known.heard_ts) == (None, 0.0)
    assert replace(known, prefix="q") != known


def replace_name(name: str) -> DeviceInfo:
    return INFO._replace(name=name)
