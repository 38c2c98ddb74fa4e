"""Whether the app is well, for Docker: the broker and the gateway only, because history must never hold up the rest."""

from shelly_app.places import Layout

from .ports import listening
from .service import load

_NEEDED = ("mosquitto", "gateway")


def problems(layout: Layout) -> list[str]:
    """Return what is wrong, one text each; none when the app is well."""
    try:
        services = load(layout.places.services)
    except FileNotFoundError:
        return ["The app is still being prepared"]
    return [
        f"{name} does not listen on port {service.ready}"
        for name in _NEEDED
        if (service := services[name]).enabled and service.ready is not None and not listening(service.ready)
    ]
