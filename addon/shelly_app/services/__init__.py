"""The services of the app: what runs, how each is started, and whether the important ones answer."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shelly_app.files import Files
    from shelly_app.setup import Setup


def files(setup: Setup) -> Files:
    """Return the file with the plan of all services."""
    from .plan import files as planned  # noqa: PLC0415  # late: starting a service needs none of what planning needs

    return planned(setup)
