"""Child processes that never outlive their parent, and waiting for a condition instead of sleeping for luck."""

import asyncio
import atexit
import contextlib
import ctypes
import inspect
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

type Condition = Callable[[], bool | Awaitable[bool]]

TAIL_LINES = 15
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_alive: set[int] = set()


class StackError(Exception):
    """Something the stack needs is missing or did not come up; the text names the remedy."""


@atexit.register
def _kill_the_rest() -> None:
    for pid in _alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _die_with(parent: int) -> Callable[[], None]:
    """Return what a child runs before exec, so that not even `kill -9` of the parent leaves it behind."""

    def arrange() -> None:
        if _LIBC is not None:
            _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the parent was gone before the kernel knew what to do about it
                os._exit(1)

    return arrange


def free_port(preferred: int | None = None) -> int:
    """Return `preferred` when it is free on 127.0.0.1, else a port the kernel picks."""
    for port in (0,) if preferred is None else (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise StackError("No free port on 127.0.0.1: stop what holds them all, or check that loopback is up")


async def accepts(port: int) -> bool:
    """Tell whether somebody listens on 127.0.0.1:`port`."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def wait_until(condition: Condition, deadline_s: float, what: str, *, interval_s: float = 0.05) -> float:
    """Poll until `condition` holds and return the seconds it took; StackError when `deadline_s` passes first."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while True:
        answer = condition()
        if await answer if inspect.isawaitable(answer) else answer:
            return loop.time() - begun
        if loop.time() - begun > deadline_s:
            raise StackError(f"{what}: not within {deadline_s:g} s")
        await asyncio.sleep(interval_s)


class Process:
    """One child in a session of its own, so that Ctrl-C reaches only the parent; what it writes goes to `log`."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        log: Path,
        stdout: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.argv = tuple(map(str, argv))
        self.log = log
        self._stdout = stdout
        self._env = dict(env or {})
        self._cwd = cwd
        self._child: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def pid(self) -> int | None:
        """The child's process id while it was started, None before."""
        return None if self._child is None else self._child.pid

    @property
    def running(self) -> bool:
        """Whether the child lives."""
        return self._child is not None and self._child.returncode is None

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs or was not started."""
        return None if self._child is None else self._child.returncode

    async def start(self) -> None:
        """Start the child; StackError when its program does not exist."""
        if self.running:
            raise StackError(f"{self.name} runs already: stop it first")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as files:
            errors = files.enter_context(self.log.open("ab"))
            output = errors if self._stdout is None else files.enter_context(self._stdout.open("wb"))
            try:
                self._child = await asyncio.create_subprocess_exec(
                    *self.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,
                    env=os.environ | self._env,
                    cwd=self._cwd,
                    start_new_session=True,
                    preexec_fn=_die_with(os.getpid()),
                )
            except FileNotFoundError as error:
                raise StackError(f"{self.argv[0]} does not exist: run scripts/setup") from error
        _alive.add(self._child.pid)

    async def wait_until(self, condition: Condition, deadline_s: float, what: str) -> float:
        """As `wait_until`, giving up at once when the child ends; the error shows the end of its log."""

        async def holds() -> bool:
            if not self.running:
                raise StackError(f"{self.name} ended with code {self.returncode}")
            answer = condition()
            return await answer if inspect.isawaitable(answer) else answer

        try:
            return await wait_until(holds, deadline_s, what)
        except StackError as error:
            raise StackError(f"{error}. The end of {self.log}:\n{self.tail()}") from error

    async def ended(self) -> int | None:
        """Wait until the child ends by itself and return its exit code."""
        return None if self._child is None else await self._child.wait()

    async def stop(self, grace_s: float = 20.0) -> None:
        """Ask the child to end (SIGTERM), kill it when it has not within `grace_s`."""
        await self._end(signal.SIGTERM, grace_s)

    async def kill(self) -> None:
        """End the child at once (SIGKILL), as a crash or a power cut would."""
        await self._end(signal.SIGKILL, 10.0)

    def send(self, number: signal.Signals) -> None:
        """Send `number` to the living child; StackError when there is none."""
        if self._child is None or self._child.returncode is not None:
            raise StackError(f"{self.name} does not run")
        self._child.send_signal(number)

    def suspend(self) -> None:
        """Let the child hang until `resume`: its connections stay open, nobody answers. It can still be ended."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a suspended child go on."""
        self.send(signal.SIGCONT)

    def tail(self, lines: int = TAIL_LINES) -> str:
        """Return the last lines of the log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    async def _end(self, number: signal.Signals, grace_s: float) -> None:
        if (child := self._child) is None:
            return
        try:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.send_signal(number)
                    child.send_signal(signal.SIGCONT)  # a suspended one would hear of it only then
                async with asyncio.timeout(grace_s):
                    await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()
        finally:
            if child.returncode is not None:
                _alive.discard(child.pid)
