"""A socket that is connected to the broker, made on the event loop: no thread is left if it is not wanted any more."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial

STAGGER_S = 0.25
"""How long an address of the broker may take before its next one is tried as well."""


async def connected_socket(host: str, port: int, context: ssl.SSLContext | None) -> socket.socket:
    """Connect, encrypted if there is a context; does not block. Raises `OSError`, also for what TLS does not like."""
    loop = asyncio.get_running_loop()
    try:
        # `all_errors` is unknown to typeshed; without it the reasons come as one text.
        transport, _ = await loop.create_connection(  # type: ignore[call-overload]
            asyncio.Protocol, host, port, happy_eyeballs_delay=STAGGER_S, all_errors=True
        )
    except ExceptionGroup as group:
        # One for each address of the host.
        raise group.exceptions[0] from group
    try:
        sock: socket.socket = transport.get_extra_info("socket").dup()
    finally:
        transport.abort()
    return sock if context is None else await _encrypted(sock, context, host)


async def _encrypted(sock: socket.socket, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    with sock:
        tls = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    loop = asyncio.get_running_loop()
    try:
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await _ready(tls, loop.add_reader, loop.remove_reader)
            except ssl.SSLWantWriteError:
                await _ready(tls, loop.add_writer, loop.remove_writer)
            except ConnectionError as err:
                raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "broken off while greeting") from err
            else:
                return tls
    except BaseException:
        tls.close()
        raise


async def _ready(sock: socket.socket, add: Callable[..., None], remove: Callable[[socket.socket], bool]) -> None:
    ready = asyncio.get_running_loop().create_future()
    add(sock, partial(_settle, ready))
    try:
        await ready
    finally:
        remove(sock)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
