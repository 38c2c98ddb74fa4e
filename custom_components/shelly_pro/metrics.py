"""How all devices are, in figures for Prometheus: `/api/shelly_pro/metrics`.

The page wants a long-lived access token, as `health` does. It always answers 200, since to Prometheus anything else is
no answer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from aiohttp import web
from homeassistant.core import callback
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView

from .health import DeviceHealth, async_device_health
from .shelly_core import BreakerState, Health, Level, LinkHealth

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class MetricsView(HomeAssistantView):
    """How all devices are, for Prometheus."""

    url = "/api/shelly_pro/metrics"
    name = "api:shelly_pro:metrics"

    @callback
    def get(self, request: web.Request) -> web.Response:
        """Answer in the text format of Prometheus."""
        text = exposition(async_device_health(request.app[KEY_HASS]))
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})


type Samples = Iterable[tuple[Mapping[str, str], float | None]]
"""Values by labels of their own; `None` is left out."""


class Metric(NamedTuple):
    """One row of the table, a family of samples: those of a device that is set up, and of one that is not."""

    name: str
    kind: str
    help: str
    samples: Callable[[Health], Samples]
    without: Samples = ()


def gauge(name: str, text: str, value: Callable[[Health], float | None]) -> Metric:
    """Describe one value of a device."""
    return Metric(name, "gauge", text, lambda health: [({}, value(health))])


def counter(name: str, text: str, value: Callable[[Health], int]) -> Metric:
    """Describe one count of a device."""
    return Metric(name, "counter", text, lambda health: [({}, value(health))])


def by_reason(name: str, text: str, counts: Callable[[Health], Mapping[str, int]]) -> Metric:
    """Describe what is counted by reason."""
    return Metric(
        name, "counter", text, lambda health: [({"reason": reason}, n) for reason, n in counts(health).items()]
    )


def by_link(name: str, text: str, value: Callable[[LinkHealth], float | None], kind: str = "gauge") -> Metric:
    """Describe one value of each link."""
    return Metric(
        name, kind, text, lambda health: [({"link": name}, value(link)) for name, link in health.links.items()]
    )


METRICS: Final = (
    gauge("up", "Whether the device is there.", lambda health: health.level is not Level.DOWN)._replace(
        without=[({}, False)]
    ),
    gauge("degraded", "Whether a hop to the device is broken.", lambda health: health.level is Level.DEGRADED),
    gauge("broker_up", "Whether Home Assistant is connected to its MQTT broker.", lambda health: health.broker),
    Metric(
        "active_link",
        "gauge",
        "Whether the link is the one in use.",
        lambda health: [({"link": name}, name is health.active) for name in health.links],
    ),
    by_link("link_up", "Whether the link would carry the device now.", lambda link: link.delivers),
    by_link(
        "link_breaker_open",
        "Whether the link is given up for now, or on trial again.",
        lambda link: link.breaker is not BreakerState.CLOSED,
    ),
    by_link("link_heard_age_seconds", "Time since the device was last heard.", lambda link: link.heard_ago_s),
    by_link("round_trip_seconds", "Time that the last answer took.", lambda link: link.round_trip_s),
    by_link("round_trip_worst_seconds", "Time that the slowest answer took.", lambda link: link.round_trip_worst_s),
    by_link("answers_total", "Requests that were answered.", lambda link: link.answers, "counter"),
    by_link("failures_total", "Requests that were not answered.", lambda link: link.failures, "counter"),
    gauge("data_age_seconds", "Time since the newest reading.", lambda health: health.data_age_s),
    gauge("clock_wrong", "Whether the clock of the device is wrong.", lambda health: health.clock.wrong),
    gauge("clock_offset_seconds", "Clock of the device minus our own.", lambda health: health.clock.offset_s),
    counter("clock_steps_total", "Jumps of the clock of the device.", lambda health: health.clock.steps),
    counter("readings_total", "Components that told something new.", lambda health: health.readings),
    by_reason("drops_total", "Frames left out without fault of the device.", lambda health: health.drops),
    by_reason("rejects_total", "Readings and frames that made no sense.", lambda health: health.rejects),
    gauge("wrong_fields", "Fields whose last value made no sense.", lambda health: len(health.wrong)),
    counter("link_changes_total", "Times that another link came into use.", lambda health: health.switchovers),
    gauge("password_refused", "Whether the device refuses its password.", lambda health: health.password_refused),
)


def exposition(devices: Sequence[DeviceHealth]) -> str:
    """Return the metrics of all devices in the text exposition format 0.0.4.

    https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    return "".join(
        f"# HELP shelly_pro_{metric.name} {metric.help}\n# TYPE shelly_pro_{metric.name} {metric.kind}\n{samples}"
        for metric in METRICS
        if (samples := "".join(_lines(metric, device) for device in devices))
    )


def _lines(metric: Metric, device: DeviceHealth) -> str:
    """Return the lines of a device in a family."""
    about = {"device": device.entry.title, "mac": f"{device.entry.unique_id}"}
    samples = metric.without if device.health is None else metric.samples(device.health)
    return "".join(
        f"shelly_pro_{metric.name}{{{_labels({**about, **labels})}}} {float(value)!r}\n"
        for labels, value in samples
        if value is not None
    )


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels.items())


_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
