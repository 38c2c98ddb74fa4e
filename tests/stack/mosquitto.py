"""A real Mosquitto on loopback: nobody without a password, nothing outside an account's own topics."""

import secrets
import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, override

from tests.stack.processes import Process, StackError, wait_until
from tests.stack.server import Server, program, write_secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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


class Broker(Server):
    """One Mosquitto. A client may use `<its client id>/#`, a device's client id being its own id."""

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
        super().__init__("Mosquitto", directory, port, (program("mosquitto"), "-c", directory / "mosquitto.conf"))
        chosen = (home_assistant_account(), devices_account()) if accounts is None else accounts
        self.accounts = {account.user: account for account in chosen}
        self._persistence = persistence
        self._extra = tuple(extra)

    def password(self, user: str) -> str:
        """Return the password of `user`."""
        return self.accounts[user].password

    async def admit(self, account: Account) -> None:
        """Add or replace an account while the broker runs; connected clients stay."""
        self.accounts[account.user] = account
        await self.prepare()
        self.process.send(signal.SIGHUP)

    async def change_password(self, user: str, password: str | None = None) -> str:
        """Give `user` another password (None: a random one) and return it; whoever has the old one is refused.

        Clients that are connected with the old one are thrown out within a second, everybody else stays. A fleet was
        told the password when it was made: its devices keep that one.
        """
        chosen = secrets.token_urlsafe() if password is None else password
        await self.admit(replace(self.accounts[user], password=chosen))
        return chosen

    @override
    async def prepare(self) -> None:
        write_secret(
            self.directory / "passwords.new", "".join(f"{a.user}:{a.password}\n" for a in self.accounts.values())
        )
        # Hashes the file in place: a password in the arguments would be readable by every process of the machine.
        argv = (program("mosquitto_passwd", "mosquitto"), "-U", self.directory / "passwords.new")
        async with Process("mosquitto_passwd", argv, log=self.directory / "mosquitto_passwd.log") as hashing:
            await wait_until(lambda: not hashing.running, 10, "mosquitto_passwd hashes the password file")
        if hashing.returncode != 0:
            raise StackError(f"mosquitto_passwd failed: {hashing.tail()}")
        (self.directory / "passwords.new").replace(self.directory / "passwords")
        write_secret(self.directory / "acl", self._acl())
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
