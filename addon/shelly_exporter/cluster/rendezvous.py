"""Which of several instances has which device, so that all of them come to the same answer without asking."""

from collections.abc import Iterable
from hashlib import blake2b


def owner(device_id: str, members: Iterable[str]) -> str:
    """Return the member whose hash with the device is the greatest; there must be one.

    When a member comes or goes, only devices that it gets or had move: all others keep their member.
    """
    return max(members, key=lambda member: (_weight(member, device_id), member))


def _weight(member: str, device_id: str) -> bytes:
    return blake2b(f"{member}\0{device_id}".encode(), digest_size=8).digest()
