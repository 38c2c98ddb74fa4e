"""A real Mosquitto on loopback: nobody without a password, nothing outside an account's own topics."""

import os
import secrets
import shutil
import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from tests.stack.processes import Process, StackError, accepts, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Debian keeps system programs where an ordinary user's PATH does not look.
SYSTEM_PATH = os.pathsep.join(
    (os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
)

HOME_ASSISTANT = "homeassistant"
DEVICES = "shelly"


@dataclass(frozen=True, kw_only=True)
class Account:
    """A login of the broker; `rules` are Mosquitto ACL lines without the word `topic`, such as `readwrite lab/#`."""

    user: str
    rules: tuple[str, ...]
    password: str = field(default_factory=secrets.token_urlsafe, repr=False)


def home_assistant_account() -> Account:
    """Return Home Assistant's login: everything the broker carries, except its own $SYS statistics."""
    return Account(user=HOME_ASSISTANT, rules=("readwrite #",))


def devices_account() -> Account:
    """Return the devices' shared login: what all Shelly share, and their replies; see `Broker` for the rest."""
    return Account(user=DEVICES, rules=("readwrite shellies/#", "write +/rpc"))


class Broker:
    """One Mosquitto; files in `directory`. A client may use `<its client id>/#`, a device's client id being its own id.

    The port stays the same over `kill`, `stop` and `start`, so that clients find the broker again.
    """

    def __init__(
        self,
        directory: Path,
        *,
        accounts: tuple[Account, ...] | None = None,
        port: int | None = None,
        persistence: bool = False,
        extra: Sequence[str] = (),
    ) -> None:
        """`extra` are lines for the end of its configuration, such as `max_queued_messages 0`."""
        self.directory = directory
        self.port = free_port() if port is None else port
        chosen = (home_assistant_account(), devices_account()) if accounts is None else accounts
        self.accounts = {account.user: account for account in chosen}
        self._persistence = persistence
        self._extra = tuple(extra)
        self.process = Process(
            "Mosquitto", (_program("mosquitto"), "-c", directory / "mosquitto.conf"), log=directory / "mosquitto.log"
        )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def host(self) -> str:
        """The address clients connect to."""
        return "127.0.0.1"

    def password(self, user: str) -> str:
        """Return the password of `user`."""
        return self.accounts[user].password

    async def start(self) -> None:
        """Write the configuration and start; returns when the broker listens."""
        await self._write_files()
        await self.process.start()
        await self.process.wait_until(lambda: accepts(self.port), 10, f"Mosquitto listens on port {self.port}")

    async def stop(self) -> None:
        """End orderly: clients see the connection close, retained messages are kept with `persistence`."""
        await self.process.stop(grace_s=5)

    async def kill(self) -> None:
        """End at once, as a crash would."""
        await self.process.kill()

    async def restart(self) -> None:
        """Stop and start again on the same port."""
        await self.stop()
        await self.start()

    async def admit(self, account: Account) -> None:
        """Add or replace an account while the broker runs; connected clients stay."""
        self.accounts[account.user] = account
        await self._write_files()
        self.process.send(signal.SIGHUP)

    async def change_password(self, user: str, password: str | None = None) -> str:
        """Give `user` another password (None: a random one) and return it; whoever has the old one is refused.

        Clients that are connected with the old one are thrown out within a second, everybody else stays. A fleet was
        told the password when it was made: its devices keep that one.
        """
        chosen = secrets.token_urlsafe() if password is None else password
        await self.admit(replace(self.accounts[user], password=chosen))
        return chosen

    def suspend(self) -> None:
        """Let the broker hang until `resume`: connections stay open, new ones are accepted by the kernel only."""
        self.process.suspend()

    def resume(self) -> None:
        """Let a suspended broker go on."""
        self.process.resume()

    async def _write_files(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        _write_secret(
            self.directory / "passwords.new", "".join(f"{a.user}:{a.password}\n" for a in self.accounts.values())
        )
        # Hashes the file in place: a password in the arguments would be readable by every process of the machine.
        argv = (_program("mosquitto_passwd"), "-U", self.directory / "passwords.new")
        async with Process("mosquitto_passwd", argv, log=self.directory / "mosquitto_passwd.log") as hashing:
            await wait_until(lambda: not hashing.running, 10, "mosquitto_passwd hashes the password file")
        if hashing.returncode != 0:
            raise StackError(f"mosquitto_passwd failed: {hashing.tail()}")
        (self.directory / "passwords.new").replace(self.directory / "passwords")
        _write_secret(self.directory / "acl", self._acl())
        (self.directory / "mosquitto.conf").write_text(self._configuration())

    def _acl(self) -> str:
        by_account = (
            f"user {account.user}\n" + "".join(f"topic {rule}\n" for rule in account.rules)
            for account in self.accounts.values()
        )
        return "\n".join((*by_account, "pattern readwrite %c/#\n"))

    def _configuration(self) -> str:
        lines = [
            "per_listener_settings false",
            f"listener {self.port} {self.host}",
            "allow_anonymous false",
            f"password_file {self.directory / 'passwords'}",
            f"acl_file {self.directory / 'acl'}",
            # Matters only when root starts it: the broker would become `mosquitto`, who may not read our files.
            "user root",
            # Two small packets in a row would else wait 40 ms for the other side's delayed acknowledgement.
            "set_tcp_nodelay true",
            "log_dest stderr",
            "log_timestamp_format %Y-%m-%dT%H:%M:%S",
            f"persistence {str(self._persistence).lower()}",
            f"persistence_location {self.directory}/",
            *self._extra,
        ]
        return "\n".join(lines) + "\n"


def _program(name: str) -> str:
    if (path := shutil.which(name, path=SYSTEM_PATH)) is None:
        raise StackError(f"{name} is not installed: `apt-get install mosquitto` (or run scripts/setup) and start again")
    return path


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
