"""Firmware that does harm: versions with a fault that a person should know of, and that an update cures.

Source: the vendor's changelog, https://shelly-api-docs.shelly.cloud/gen2/changelog/

- 1.0.7 "MQTT `status_update` command toggles switch state": before, any other program on the broker that asks for the
  state of a relay switches it. (We ask by RPC.) When the fault began is not told.
- 1.3.1 (2024-04-30) "Pro3EM Fix loading scales after reboot", five days after 1.3.0 had reworked the computation.
- 1.6.2 (2025-05-20) "Pro3EM Fix crashes due to wrong usage of a stack variable"; listed for the 1.6 line only.
"""

import re
from typing import NamedTuple

from .device_info import DeviceInfo

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(-.+)?")

type _Version = tuple[int, int, int, bool]
"""Ordered as versions are: the last is false for whatever comes before the release, such as `1.6.2-beta1`."""


class _Fault(NamedTuple):
    """A fault of one family of devices: from the version `first` on, and before the version that cures it."""

    key: str
    meter: bool
    first: _Version
    cured: _Version


_FAULTS = (
    _Fault("toggles", meter=False, first=(0, 0, 0, False), cured=(1, 0, 7, True)),
    _Fault("scales", meter=True, first=(1, 3, 0, True), cured=(1, 3, 1, True)),
    _Fault("crashes", meter=True, first=(1, 6, 0, True), cured=(1, 6, 2, True)),
)

FAULTS = tuple(fault.key for fault in _FAULTS)
"""Every key that `known_fault` may return."""


def known_fault(info: DeviceInfo) -> str | None:
    """Return the key of the fault that the device's firmware is known for; `None` if there is none.

    Nothing is known against a version that does not read like one. A factory build such as `0.14.2-pro3em400prod0`
    counts as just before the release it is named after, and so does a beta.
    """
    version = _parse(info.firmware)
    if version is None:
        return None
    meter = info.app.startswith("Pro3EM") or info.model.startswith("SPEM-")
    known = (fault.key for fault in _FAULTS if fault.meter is meter and fault.first <= version < fault.cured)
    return next(known, None)


def _parse(text: str) -> _Version | None:
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    major, minor, patch, build = found.groups()
    return int(major), int(minor), int(patch), build is None
