"""Which firmware is known to do harm."""

import pytest

from shelly_core import DeviceInfo
from shelly_core.firmware import FAULTS, known_fault

PRO3 = DeviceInfo(
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
PRO3EM = PRO3._replace(id="shellypro3em-fce8c0d41a90", mac="FCE8C0D41A90", model="SPEM-003CEBEU", app="Pro3EM")
PRO3EM63 = PRO3EM._replace(model="SPEM-003CEBEU63", app="Pro3CT63")


@pytest.mark.parametrize(
    ("info", "firmware", "fault"),
    [
        (PRO3, "0.10.2", "toggles"),
        (PRO3, "0.14.2-prod0", "toggles"),
        (PRO3, "1.0.6", "toggles"),
        (PRO3, "1.0.7-beta2", "toggles"),
        (PRO3, "1.0.7", None),
        (PRO3, "1.0.10", None),
        (PRO3, "1.3.0", None),
        (PRO3, "1.6.1", None),
        (PRO3, "10.0.0", None),
        (PRO3EM, "0.14.2-pro3em400prod0", None),
        (PRO3EM, "1.0.6", None),
        (PRO3EM, "1.3.0-beta1", None),
        (PRO3EM, "1.3.0", "scales"),
        (PRO3EM, "1.3.1-beta1", "scales"),
        (PRO3EM, "1.3.1", None),
        (PRO3EM, "1.5.1", None),
        (PRO3EM, "1.6.0", "crashes"),
        (PRO3EM, "1.6.1", "crashes"),
        (PRO3EM, "1.6.2", None),
        (PRO3EM, "1.6.10", None),
        (PRO3EM, "2.0.1", None),
        (PRO3EM63, "1.6.1", "crashes"),
        (PRO3EM, "", None),
        (PRO3EM, "1.6", None),
        (PRO3EM, "v1.6.1", None),
        (PRO3EM, "1.6.1.2", None),
        (PRO3EM, "nightly", None),
    ],
)
def test_known_fault(info: DeviceInfo, firmware: str, fault: str | None) -> None:
    assert known_fault(info._replace(firmware=firmware)) == fault


def test_every_fault_has_a_key_of_its_own() -> None:
    assert len(set(FAULTS)) == len(FAULTS)
