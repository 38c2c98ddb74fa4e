"""Home Assistant's Supervisor: what it tells about the place the app runs in, and what the app tells it."""

from .answers import Registered
from .client import Supervisor
from .errors import SupervisorError
from .facts import choose_broker, gather

__all__ = ["Registered", "Supervisor", "SupervisorError", "choose_broker", "gather"]
