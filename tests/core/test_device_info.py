from typing import Any

import pytest

from shelly_core import DeviceInfo, FrameError, UnsupportedDeviceError, supported

INFO = {
    "name": None,
    "id": "shellypro3-e868e7a1b204",
    "mac": "E868E7A1B204",
    "slot": 0,
    "model": "SPSW-003XE16EU",
    "gen": 2,
    "fw_id": "20241011-114451/1.4.4-g6d2a586",
    "ver": "1.4.4",
    "app": "Pro3",
    "auth_en": False,
    "auth_domain": None,
}


def test_reads_who_a_device_is() -> None:
    assert DeviceInfo.parse(INFO) == DeviceInfo(
        id="shellypro3-e868e7a1b204",
        mac="E868E7A1B204",
        model="SPSW-003XE16EU",
        app="Pro3",
        generation=2,
        firmware="1.4.4",
        firmware_id="20241011-114451/1.4.4-g6d2a586",
        name=None,
        auth_enabled=False,
        profile=None,
    )
    changed = DeviceInfo.parse(INFO | {"name": "Boiler", "profile": "triphase", "auth_en": True, "mac": "e868e7a1b204"})
    assert (changed.name, changed.profile, changed.auth_enabled) == ("Boiler", "triphase", True)
    assert changed.mac == "E868E7A1B204"
    assert DeviceInfo.parse(INFO | {"name": ""}).name is None


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {},
        *(
            {name: value for name, value in INFO.items() if name != missing}
            for missing in ("id", "mac", "model", "gen")
        ),
        INFO | {"gen": "2"},
        INFO | {"gen": True},
        INFO | {"auth_en": None},
        INFO | {"name": 5},
        INFO | {"profile": ["triphase"]},
        INFO | {"id": ""},
        INFO | {"mac": "E868E7A1B2"},
        INFO | {"mac": "E868E7A1B204\n"},
        INFO | {"mac": "redacted"},
    ],
)
def test_other_answers_are_no_device_info(raw: Any) -> None:
    with pytest.raises(FrameError, match="no device info"):
        DeviceInfo.parse(raw)


def test_the_first_generation_is_not_supported() -> None:
    with pytest.raises(UnsupportedDeviceError) as caught:
        DeviceInfo.parse({"type": "SHEM-3", "mac": "E868E7A1B204", "auth": False, "fw": "20230913-114244/v1.14.0"})
    assert caught.value.model == "SHEM-3"


@pytest.mark.parametrize(
    ("app", "model", "generation", "expected"),
    [
        ("Pro3", "SPSW-003XE16EU", 2, True),
        ("Pro3", "SPSW-103XE16EU", 2, True),
        ("Pro3EM", "SPEM-003CEBEU", 2, True),
        ("Pro3EM", "SPEM-003CEBEU400", 2, True),
        ("unknown", "SPEM-003CEBEU63", 2, True),
        ("Pro3EM63", "unknown", 2, True),
        ("Pro3", "SPSW-003XE16EU", 1, False),
        ("Pro4PM", "SPSW-104PE16EU", 2, False),
        ("ProEM", "SPEM-002CEBEU50", 2, False),
        ("S3EMG3", "S3EM-003CXCEU63", 3, False),
        ("Plus1PM", "SNSW-001P16EU", 2, False),
    ],
)
def test_supported_devices(app: str, model: str, generation: int, expected: bool) -> None:
    assert supported(DeviceInfo.parse(INFO | {"app": app, "model": model, "gen": generation})) is expected
