"""Why Supervisor did not do what was asked."""

from http import HTTPStatus

_NO_PERMISSION = "its token is old or it lacks a permission: restart the app, and if that does not help, update it"
_NOT_YET = "Home Assistant is not up yet: it will be asked again"
_ELSE = "the reason is under Settings, System, Logs, Supervisor"
_AWAY = "is it starting, or being updated? It will be asked again"


class SupervisorError(Exception):
    """The text says what was asked and names the remedy; `status` is what it answered, `None` if nothing."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


def refused(asked: str, status: int, reason: str | None = None) -> SupervisorError:
    """Return the error for an answer that is not a success; `asked` is method and path."""
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            remedy = _NO_PERMISSION
        case HTTPStatus.BAD_GATEWAY | HTTPStatus.SERVICE_UNAVAILABLE | HTTPStatus.GATEWAY_TIMEOUT:
            remedy = _NOT_YET
        case _:
            remedy = _ELSE
    because = "" if reason is None else f" ({reason})"
    return SupervisorError(f"Supervisor answered {status} to {asked}{because}: {remedy}", status)


def away(asked: str, why: str) -> SupervisorError:
    """Return the error for no answer at all."""
    return SupervisorError(f"Supervisor did not answer {asked} ({why}): {_AWAY}")


def odd(asked: str, what: str) -> SupervisorError:
    """Return the error for an answer that nobody expected."""
    return SupervisorError(f"Supervisor's answer to {asked} is not understood ({what}): update this app")
