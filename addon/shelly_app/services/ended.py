"""What is said when a service has ended."""

import signal
import sys

from shelly_app.places import Layout

from . import restarts
from .service import load

_SIGNALLED = 256


def ended(name: str, code: int, number: int, layout: Layout) -> None:
    """Tell who ended and how, and when it starts again; `code` is 256 when it was signal `number` that ended it."""
    try:
        if not load(layout.places.services)[name].enabled:
            return
    except FileNotFoundError, KeyError:
        pass  # it could not start; that is told below
    folder = layout.places.run / "restarts"
    memory = restarts.load(folder, name)
    now = restarts.clock()
    if code == 0 or (code == _SIGNALLED and number == signal.SIGTERM):
        _say(f"{name}: has ended")
        return
    after = memory.after_end(now)
    restarts.keep(folder, name, after)
    ran = memory.ran_s(now)
    lasted = "" if ran is None else f" after {ran:.0f} s"
    _say(f"{name}: {_how(code, number)}{lasted}; it starts again in {max(after.pause_s, 1.0):.0f} s")


def _how(code: int, number: int) -> str:
    if code != _SIGNALLED:
        return f"ended with code {code}"
    known = {item.value: item.name for item in signal.Signals}
    return f"was ended by {known.get(number, f'signal {number}')}"


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
