"""What settings mean together: contradictions, things worth a warning, and the defaults that depend on each other."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from . import Cluster, Devices, Kind, Log, Mqtt, Settings, SpoolSettings, Target, Tls, Web
from .schema import label
from .zone import system_zone, zone_of_variable

type Values = Mapping[str, Any]
"""What was given, by key, as `schema.validate` returns it."""

_TLS_FILES = ("ca", "certificate", "key")
_TLS_PORT = 8883
# Two keys of which the first is of no use without the second.
_PAIRS = (
    ("mqtt.tls_certificate", "mqtt.tls_key", "both are needed to show the broker a certificate"),
    ("mqtt.tls_key", "mqtt.tls_certificate", "both are needed to show the broker a certificate"),
    ("mqtt.password", "mqtt.username", "a broker asks for both"),
    ("influxdb.username", "influxdb.password", "both are needed to log in"),
    ("influxdb.password", "influxdb.username", "both are needed to log in"),
    ("cluster.redis_url", "cluster.group", "give all instances that share the devices the same group"),
)


def contradictions(keys: Collection[str]) -> Iterator[str]:
    """Yield the problems that none of the `keys` given has alone."""
    for given, missing, why in _PAIRS:
        if given in keys and missing not in keys:
            yield f"{label(given)}: is given without {label(missing)}: {why}"
    if "influxdb.token" in keys and "influxdb.username" in keys:
        yield (
            f"{label('influxdb.token')}: is given together with {label('influxdb.username')}: "
            "take one of them away, only one can be used"
        )


def doubts(values: Values, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what works, but perhaps not as meant."""
    kind = values.get("influxdb.kind", Target().kind)
    if kind is Kind.INFLUXDB2 and "influxdb.username" not in values:
        for key in ("influxdb.organisation", "influxdb.token"):
            if key not in values:
                yield f"{label(key)}: is not given: InfluxDB 2 takes no points without it"
    if values.get("mqtt.tls") is False and (files := [key for key in values if key.startswith("mqtt.tls_")]):
        yield f"{label('mqtt.tls')}: is false, so {label(files[0])} has no effect: take away one of them"
    target = Target(**_section(values, "influxdb"))
    if target.bucket == target.rollup_bucket and target.retention_days != target.rollup_retention_days:
        yield (
            f"{label('influxdb.rollup_bucket')}: is the same as {label('influxdb.bucket')}, so readings and rollups "
            "cannot be kept for different times: give another name, or the same number of days"
        )
    if "time_zone" not in values and environ.get("TZ") and zone_of_variable(environ) is None:
        yield f"{label('time_zone')}: TZ holds no name of a time zone: give one such as Europe/Berlin"


def settings_of(values: Values, environ: Mapping[str, str], warnings: tuple[str, ...] = ()) -> Settings:
    """Return the settings with the defaults for all that was not given."""
    mqtt = _section(values, "mqtt")
    files = {name: mqtt.pop(f"tls_{name}", None) for name in _TLS_FILES}
    if mqtt.pop("tls", any(files.values())):
        mqtt = {"port": _TLS_PORT, "tls": Tls(**files)} | mqtt
    given = {key: values[key] for key in ("time_zone", "instance") if key in values}
    settings = Settings(
        devices=Devices(**_section(values, "devices")),
        target=Target(**_section(values, "influxdb")),
        spool=SpoolSettings(**_section(values, "spool")),
        web=Web(**_section(values, "web")),
        log=Log(**_section(values, "log")),
        cluster=Cluster(**_section(values, "cluster")),
        warnings=warnings,
        **({"time_zone": system_zone(environ)} | given),
    )
    # A name of its own for each of several; one alone keeps its name when its container, and with it the host, is new.
    if "instance" in given or settings.cluster.group is not None:
        mqtt = {"client_id": f"{Mqtt().client_id}-{settings.instance}"} | mqtt
    return replace(settings, mqtt=Mqtt(**mqtt))


def _section(values: Values, name: str) -> dict[str, Any]:
    return {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{name}.")}
