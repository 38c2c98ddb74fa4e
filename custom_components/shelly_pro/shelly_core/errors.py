"""What can go wrong, by who must act.

ShellyError
├── FrameError              the peer broke the protocol; wait for the next frame
├── LinkError               nothing reaches the device this way; try again or take another link
│   ├── LinkTimeoutError    no answer in time
│   └── LinkClosedError     the link is not open, or went down while waiting
├── AuthError               the device wants a password, or another one; ask the person
├── RpcError                the device answered and refused; the request is at fault
├── DeviceMismatchError     another device answers at this address
└── UnsupportedDeviceError  a Shelly that this code does not know
"""

from collections.abc import Sequence


class ShellyError(Exception):
    """Anything that talking to a device can raise."""


class FrameError(ShellyError):
    """The bytes are no frame of the protocol; `reason` is one of a few fixed phrases, fit to count by."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LinkError(ShellyError):
    """The link does not deliver; `retry_after_s` is how long the device wants to be left alone, if it said so."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LinkTimeoutError(LinkError):
    """No answer within the time allowed."""


class LinkClosedError(LinkError):
    """The link is not open, or closed before the answer came."""


class AuthError(ShellyError):
    """The device refused the password, or wants one and none is known."""


class RpcError(ShellyError):
    """The device refused a request: `code` and `message` as it sent them, `method` as it was asked."""

    def __init__(self, code: int, message: str, method: str) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.code = code
        self.message = message
        self.method = method


class DeviceMismatchError(ShellyError):
    """The device at this address has the MAC `found`, not `expected`."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected device {expected}, found {found}")
        self.expected = expected
        self.found = found


class UnsupportedDeviceError(ShellyError):
    """A Shelly of the first generation, which does not speak RPC; `model` as it calls itself."""

    def __init__(self, model: str) -> None:
        super().__init__(f"unsupported device {model}")
        self.model = model


def worst_of(errors: Sequence[tuple[str, ShellyError]]) -> ShellyError:
    """Return what a person can do most about: the password, the wrong device, else everything that was tried.

    `errors` come with the link on which they happened.
    """
    for kind in (AuthError, DeviceMismatchError):
        for _, error in errors:
            if isinstance(error, kind):
                return error
    if len(errors) == 1:
        return errors[0][1]
    pauses = [error.retry_after_s for _, error in errors if isinstance(error, LinkError) and error.retry_after_s]
    told = "; ".join(f"over {link.upper()}: {error}" for link, error in errors)
    return LinkError(told or "there is no link", retry_after_s=max(pauses, default=None))
