"""All that is known of a device, for a bug report that can be shown to anybody."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from ipaddress import ip_address
from typing import Any, Final

from homeassistant.components.diagnostics import REDACTED, async_redact_data
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from .coordinator import ShellyProConfigEntry
from .health import integration_version

TO_REDACT: Final = frozenset(
    {
        *("password", "pass", "token", "key", "auth_domain"),
        *("user", "username", "identity", "anon_identity", "client_id"),
        *("host", "server", "addr", "dst_addr", "mac", "ssid", "bssid"),
        *("ip", "ip6", "sta_ip", "sta_ip6", "netmask", "gw", "nameserver"),
        *("lat", "lon"),
    }
)
"""Fields of the entry, of the device's settings and of its status that say who, where, or how to get in."""

_MAC = re.compile(r"[0-9a-f]{12,}|(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}", re.IGNORECASE)
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_IPV6 = re.compile(r"[0-9a-f]*:[0-9a-f:]*:[0-9a-f]*", re.IGNORECASE)
_NUMBER = re.compile(r"-?(\d[\d.e+-]*|inf|nan)|None|True|False")


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: ShellyProConfigEntry) -> dict[str, Any]:
    """Return the entry, and of a device that is set up also its settings, its status and how every hop to it is.

    Its title is left out: by default it ends with a part of the MAC.
    """
    told: dict[str, Any] = {
        "version": integration_version(hass),
        "entry": {
            "data": entry.data,
            "options": entry.options,
            "source": entry.source,
            "state": entry.state.value,
            "reason": entry.reason,
        },
    }
    if entry.state is ConfigEntryState.LOADED:
        client = entry.runtime_data.client
        health = asdict(client.health())
        told |= {
            "device": client.device.info._asdict(),
            "config": client.device.config,
            "status": client.device.status,
            "health": {**health, "wrong": [_without_text(reading) for reading in health["wrong"]]},
        }
    diagnostics: dict[str, Any] = _scrub(async_redact_data(told, TO_REDACT), _known_words(told))
    return diagnostics


def _without_text(reading: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the value of a reading that made no sense only if it is a number: any text may be a name or an address."""
    told = _NUMBER.fullmatch(reading["value"]) is not None
    return {**reading, "value": reading["value"] if told else REDACTED}


def _known_words(told: Mapping[str, Any]) -> re.Pattern[str]:
    """Match what stands in fields that are redacted, each as a word of its own."""
    words = sorted(map(re.escape, set(_secrets(told))), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(words) or '(?!)'})(?!\w)", re.IGNORECASE)


def _secrets(told: Mapping[str, Any]) -> Iterator[str]:
    for key, value in told.items():
        if isinstance(value, Mapping):
            yield from _secrets(value)
        elif key in TO_REDACT and isinstance(value, str) and value:
            yield value


def _scrub(told: Any, words: re.Pattern[str], *, prose: bool = False) -> Any:
    """Return plain JSON without addresses inside of texts; in prose, which may quote anything, without known words.

    Elsewhere a word stays: a broker's user may well be called `mqtt`.
    """
    match told:
        case Mapping():
            return {
                _scrub(key, words): _scrub(value, words, prose=prose or key == "reason") for key, value in told.items()
            }
        case list() | tuple():
            return [_scrub(value, words, prose=prose) for value in told]
        case str():
            text = words.sub(REDACTED, told) if prose else f"{told}"
            text = _IPV4.sub(REDACTED, _MAC.sub(REDACTED, text))
            return _IPV6.sub(lambda found: REDACTED if _is_address(found[0]) else found[0], text)
    return told


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
