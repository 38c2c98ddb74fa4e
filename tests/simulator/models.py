"""Device models, and the firmware releases whose differences a client can see."""

import re
from dataclasses import dataclass
from typing import Literal

type Profile = Literal["triphase", "monophase"]
type Network = Literal["wifi", "eth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is printed on the box: identifiers, and which components the device has."""

    name: str
    model: str
    app: str
    prefix: str
    relays: int = 0
    profile: Profile | None = None
    ct_type: str | None = None


MODELS = {
    model.name: model
    for model in (
        Model(name="pro3", model="SPSW-003XE16EU", app="Pro3", prefix="shellypro3", relays=3),
        Model(
            name="pro3em",
            model="SPEM-003CEBEU",
            app="Pro3EM",
            prefix="shellypro3em",
            profile="triphase",
            ct_type="120A",
        ),
        Model(
            name="pro3em-mono",
            model="SPEM-003CEBEU",
            app="Pro3EM",
            prefix="shellypro3em",
            profile="monophase",
            ct_type="120A",
        ),
        Model(
            name="pro3em400",
            model="SPEM-003CEBEU400",
            app="Pro3EM",
            prefix="shellypro3em400",
            profile="triphase",
            ct_type="400A",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Firmware:
    """One release. Every question a component asks about it is a property here, with the release that changed it."""

    version: str
    date: str
    commit: str

    @property
    def number(self) -> tuple[int, ...]:
        """(1, 7, 5) of 1.7.5 and of 1.7.5-beta1."""
        return tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])

    @property
    def factory(self) -> bool:
        """Device info as at the factory: version with the production line in it, neither slot nor profile."""
        return self.number < (1,)

    @property
    def has_frequency(self) -> bool:
        """`*_freq` of the meters, 1.0.0."""
        return self.number >= (1,)

    @property
    def signs_power_factor(self) -> bool:
        """Power factor of a leading load is negative although power is positive, fixed in 1.3.0."""
        return self.number < (1, 3)

    @property
    def throttles_with_cloud(self) -> bool:
        """Meters report less often while the cloud is connected, 1.3.0."""
        return self.number >= (1, 3)

    @property
    def has_ct_type(self) -> bool:
        """`ct_type` of the meters, with bthome, knx and the front button, 1.4.0."""
        return self.number >= (1, 4)

    @property
    def has_observer(self) -> bool:
        """`ble.observer` in the configuration, gone in 1.5.0."""
        return self.number < (1, 5)

    @property
    def has_sync_ts(self) -> bool:
        """`sys.last_sync_ts`, `utc_offset`, `ram_min_free`, 1.5.0."""
        return self.number >= (1, 5)

    @property
    def has_ip6(self) -> bool:
        """IPv6 in wifi and eth, `in_locked`, `btrelay_rev`, 1.6.0."""
        return self.number >= (1, 6)

    @property
    def has_provision(self) -> bool:
        """`provision` in device info, `bssid` in wifi, 1.7.0."""
        return self.number >= (1, 7)

    @property
    def delta_without_id(self) -> bool:
        """A switch delta does not repeat its id, seen from 1.7 on."""
        return self.number >= (1, 7)

    @property
    def has_counts(self) -> bool:
        """`tag` and `counts` of a switch, alarms of a meter, opaque digest nonces, 2.0.0."""
        return self.number >= (2,)


FACTORY_400 = Firmware("0.14.2", "20230406-080517", "g4fc29d5")
RELEASES = (
    Firmware("1.1.0", "20231219-134001", "g34b5d4f"),
    Firmware("1.4.4", "20241011-114455", "g6d2a586"),
    Firmware("1.7.5", "20260311-095913", "g9979d16"),
    Firmware("2.0.1", "20260923-101540", "g5c1e7a2"),
)
NEWEST = RELEASES[-1]


def firmware(version: str) -> Firmware:
    """The release named; `1.7` is the known one of that series. ValueError for what never was."""
    if version == FACTORY_400.version:
        return FACTORY_400
    number = tuple(map(int, version.split("."))) if re.fullmatch(r"\d+\.\d+(\.\d+)?", version) else ()
    series = [release for release in RELEASES if release.number[:2] == number[:2]]
    nearest = series or [release for release in RELEASES if release.number < number]
    if not nearest or number > NEWEST.number:
        known = ", ".join(release.version for release in RELEASES)
        raise ValueError(
            f"no firmware {version!r}: use one from {RELEASES[0].version} to {NEWEST.version}, best {known}"
        )
    found = nearest[-1]
    if number in {found.number, found.number[:2]}:
        return found
    return Firmware(".".join(map(str, (*number, 0)[:3])), found.date, found.commit)


def firmware_id(release: Firmware, model: Model) -> str:
    """`20260311-095913/1.7.5-g9979d16`: build time, version, commit."""
    return f"{release.date}/{firmware_version(release, model)}-{release.commit}"


def firmware_version(release: Firmware, model: Model) -> str:
    """The `ver` of device info."""
    return f"{release.version}-{model.name}prod0" if release.factory else release.version
