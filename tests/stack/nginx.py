"""A real nginx on loopback, with files that somebody else has rendered."""

from typing import TYPE_CHECKING, override

from shelly_app.files import write
from tests.stack.processes import Process, StackError
from tests.stack.server import Server, program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shelly_app.files import Files


class Nginx(Server):
    """One nginx that listens on `port`; `command` is how the app starts it."""

    def __init__(self, directory: Path, port: int, files: Files, command: Sequence[str]) -> None:
        self._files = files
        self._argv = (program(command[0], "nginx-light"), *command[1:])
        super().__init__("nginx", directory, port, self._argv)

    @override
    async def prepare(self) -> None:
        write(self._files)

    async def check(self) -> None:
        """Let nginx check its files without running; StackError with what it says when it does not like them."""
        self.directory.mkdir(parents=True, exist_ok=True)
        await self.prepare()
        log = self.directory / "nginx-check.log"
        async with Process("nginx -t", (*self._argv, "-t"), log=log) as checking:
            code = await checking.ended()
            said = checking.tail()
        if code != 0 or "[warn]" in said:
            raise StackError(f"nginx does not like its files: {said}")
