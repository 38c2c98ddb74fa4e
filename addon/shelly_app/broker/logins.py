"""Whether a user of Home Assistant may log in at our broker: Mosquitto's plug-in asks here, Home Assistant decides.

The question is name and password, each after its length in two bytes, high byte first; the answer is one byte. See
`addon/mosquitto/ask_control.c`.
"""

import asyncio
import hashlib
import logging
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Self

type Ask = Callable[[str, str], Awaitable[bool]]
"""Takes name and password."""

ALLOWED = b"A"
DENIED = b"D"
UNKNOWN = b"?"
"""Mosquitto's own password file decides."""
_TIMEOUT_S = 5.0
"""The broker serves nobody else while it waits."""
_REMEMBERED_S = {True: 300.0, False: 10.0}

_log = logging.getLogger(__name__)


class LoginServer:
    """Listens at the unix socket `path` while entered; only for `names` is anybody asked, one question each at a time.

    Answers are remembered: who was let in for five minutes, who was not for ten seconds. What cannot be answered within
    five seconds, for whatever reason, is unknown. Everybody in the container may ask: the answer is no secret to those
    who know the password, and guessing is no faster here than at the broker.
    """

    def __init__(self, path: Path, names: Collection[str], ask: Ask) -> None:
        self._path = path
        self._names = frozenset(names)
        self._ask = ask
        self._server: asyncio.Server | None = None
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._salt = os.urandom(32)
        self._known: dict[bytes, tuple[bool, float]] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        self._path.chmod(0o666)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            self._server.close_clients()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._answer(reader)
        except Exception as error:  # noqa: BLE001  # whatever it is, Mosquitto waits; its text might hold the password
            _log.warning("A login at the broker could not be checked with Home Assistant: %s", type(error).__name__)
            answer = UNKNOWN
        writer.write(answer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        async with asyncio.timeout(_TIMEOUT_S):
            name, password = await _text(reader), await _text(reader)
            if name not in self._names:
                return UNKNOWN
            async with self._turns[name]:
                return ALLOWED if await self._may_log_in(name, password) else DENIED

    async def _may_log_in(self, name: str, password: str) -> bool:
        secret = hashlib.blake2b(f"{name}\0{password}".encode(), key=self._salt).digest()
        now = asyncio.get_running_loop().time()
        self._known = {known: (answer, until) for known, (answer, until) in self._known.items() if until > now}
        if secret not in self._known:
            answer = await self._ask(name, password)
            self._known[secret] = answer, asyncio.get_running_loop().time() + _REMEMBERED_S[answer]
        return self._known[secret][0]


async def _text(reader: asyncio.StreamReader) -> str:
    size = int.from_bytes(await reader.readexactly(2))
    return (await reader.readexactly(size)).decode()
