"""What the command `status` says."""

import io

from shelly_exporter.settings import Settings
from shelly_exporter.status import status


async def status_of(settings: Settings) -> tuple[int, str]:
    """The exit code, and what is printed."""
    out = io.StringIO()
    return await status(settings, out), out.getvalue()
