"""All numbers of the link policy in one table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Seconds, unless the name says otherwise; the defaults are for real devices."""

    meter_silence_s: float = 20.0
    """A meter that reports less often than this is given `cadences` of its own intervals."""
    cadences: float = 3.0
    relay_silence_s: float = 60.0
    mqtt_answer_s: float = 3.0
    http_answer_s: float = 5.0
    """How long the answer to a question of ours may take."""
    command_s: float = 2.0
    """How long a command may take before the other link is tried."""
    confirm_s: float = 1.0
    """How long after the answer to a command a relay's notification may arrive."""
    meter_poll_s: float = 5.0
    relay_poll_s: float = 10.0
    check_s: float = 60.0
    """How often a link that delivers by itself, or stands by, is asked a question."""
    resync_s: float = 5.0
    """The least time between two questions because something was missed."""
    hold_down_s: float = 5.0
    spread_s: float = 1.0
    """The time over which many devices spread when all lose MQTT at once."""
    mute_probes: int = 3
    """A meter that answers so many questions without a report in between reports nothing."""
    password_s: float = 60.0
    """How long a refused password is not tried again: firmware 2.0 throttles who guesses."""
