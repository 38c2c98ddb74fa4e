"""What a road to a device must offer."""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol


class Transport(StrEnum):
    """The kind of a link."""

    MQTT = "mqtt"
    HTTP = "http"


class Signal(StrEnum):
    """What a link knows besides frames. Only a link over a broker has any."""

    CONNECTED = "connected"
    """The broker is there, and will deliver what the device sends."""
    DISCONNECTED = "disconnected"
    OFFLINE = "offline"
    """The broker says that the device has just left it."""
    RETAINED = "retained"
    """A frame was not passed on, because the broker had kept it from before."""


class Link(Protocol):
    """Carries frames to one device and back. Every failure is a `LinkError` or, for a password, an `AuthError`."""

    @property
    def transport(self) -> Transport:
        """The kind of this link."""

    @property
    def timeout_s(self) -> float:
        """How long an answer may take on this link, in seconds."""

    async def open(self, on_frame: Callable[[bytes], None], on_signal: Callable[[Signal, str], None]) -> None:
        """Get ready to send; from now on `on_frame` is called with every frame the device sends this way.

        A link over a broker opens without it, too, and calls `on_signal` when it comes or goes, with the reason.
        """

    async def send(self, frame: bytes) -> None:
        """Send a request; its reply arrives through `on_frame`, before or after this returns."""

    async def close(self) -> None:
        """Let go of everything. Neither callback is called any more. Safe to call twice, and without `open`."""
