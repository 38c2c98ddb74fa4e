"""Dispatch of RPC calls, and the faults a device answers with."""

from collections.abc import Callable, Container

from tests.simulator.wire import Json

type Params = dict[str, Json]
type Handler = Callable[[Params, str], Json]
"""handler(params, source) → result; raises RpcFault."""

INVALID_ARGUMENT = -103
NOT_FOUND = -105
IN_PROGRESS = -106
EXHAUSTED = -108
FAILED_PRECONDITION = -109
NO_HANDLER = 404
MAX_SECONDS = 1e9


class RpcFault(Exception):  # noqa: N818  a device says "error"; Python's errors are something else here
    """An error answer: code and text as the device sends them."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def required(params: Params, name: str) -> Json:
    """An argument that must be there."""
    if name not in params:
        raise RpcFault(INVALID_ARGUMENT, f"Missing required argument '{name}'!")
    return params[name]


def invalid(name: str) -> RpcFault:
    """The fault for an argument of the wrong type or range."""
    return RpcFault(INVALID_ARGUMENT, f"Invalid argument '{name}'!")


def instance(params: Params, ids: list[int]) -> int:
    """The argument `id`, which must be one of the component's instances."""
    value = required(params, "id")
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid("id")
    if value not in ids:
        raise RpcFault(NOT_FOUND, f"Argument 'id', value {value} not found!")
    return value


def flag(params: Params, name: str) -> bool:
    """A required boolean argument."""
    value = required(params, name)
    if not isinstance(value, bool):
        raise invalid(name)
    return value


def choice(params: Params, name: str, choices: Container[str]) -> str:
    """A required text argument that must be one of some words."""
    value = required(params, name)
    if not isinstance(value, str) or value not in choices:
        raise invalid(name)
    return value


def seconds(params: Params, name: str) -> float | None:
    """An optional duration."""
    value = params.get(name)
    if value is None:
        return None
    return number(name, value, most=MAX_SECONDS)


def number(name: str, value: Json, *, most: float) -> float:
    """A number from 0 to a limit; not-a-number is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise invalid(name)
    return float(value)


class Router:
    """Methods by name, case-insensitive as on the device."""

    def __init__(self) -> None:
        self._handlers: dict[str, tuple[str, Handler]] = {}

    def add(self, handlers: dict[str, Handler]) -> None:
        """Add methods under their documented names."""
        for name, handler in handlers.items():
            self._handlers[name.lower()] = (name, handler)

    def names(self) -> list[str]:
        """Every method, as Shelly.ListMethods tells."""
        return [name for name, _ in self._handlers.values()]

    def call(self, method: str, params: Params | None, source: str) -> Json:
        """Run a method; raises RpcFault."""
        found = self._handlers.get(method.lower())
        if found is None:
            raise RpcFault(NO_HANDLER, f"No handler for {method}")
        return found[1]({} if params is None else params, source)
