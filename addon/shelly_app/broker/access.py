"""Who may log in at our broker and what each may read and write: one table for Mosquitto and for people."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from shelly_app.options import Login
from shelly_app.setup import Setup

HOME_ASSISTANT = "homeassistant"
APPS = "addons"
EXPORTER = "shelly-exporter"


class Access(StrEnum):
    """What a rule allows, in Mosquitto's words."""

    READ = "read"
    WRITE = "write"
    BOTH = "readwrite"
    NEVER = "deny"
    """Counts before all that is allowed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Some topics, as an MQTT filter; what no rule allows is forbidden."""

    access: Access
    topics: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A login of our broker."""

    name: str
    purpose: str
    """Who uses it."""
    rules: tuple[Rule, ...]
    password: str | None = field(repr=False)
    """`None`: a user of Home Assistant, who is asked for there."""


_OF_HOME_ASSISTANT = "a user of Home Assistant"
_WITH_PASSWORD = "whoever has its password"  # noqa: S105  # what people read
_EVERYTHING = (Rule(Access.BOTH, "#"), Rule(Access.READ, "$SYS/#"))


def accounts(setup: Setup) -> tuple[Account, ...]:
    """Return all logins, those of the app itself first."""
    secrets, mqtt = setup.secrets, setup.options.mqtt
    return (
        *_own(secrets.homeassistant_password, secrets.apps_password, secrets.exporter_password),
        *(_device(device, secrets.devices[device], mqtt.devices) for device in mqtt.devices),
        *map(_local, mqtt.logins),
    )


def acl(logins: Iterable[Account]) -> str:
    """Return Mosquitto's `acl_file`; ValueError if a name or topic would be read as something else."""
    blocks = ("\n".join(_lines(account)) for account in logins)
    return "\n\n".join(blocks) + "\n"


def table(logins: Iterable[Account]) -> str:
    """Return the same as a table in Markdown."""
    head = "| login | for | may publish | may subscribe | never |\n|---|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join(_cells(account))} |\n" for account in logins)


def document_table() -> str:
    """Return the table as the documentation shows it: one device and one login stand for all."""
    listed = ("<what you list>",)
    login = _local(Login(username="<yours>", publish=listed, subscribe=listed))
    both = replace(login, purpose=f"{_WITH_PASSWORD}, or {_OF_HOME_ASSISTANT}")
    return table((*_own("", "", ""), _device("<device>", "", ("<device>", "<other device>")), both))


def _own(home_assistant: str, apps: str, exporter: str) -> tuple[Account, ...]:
    return (
        Account(name=HOME_ASSISTANT, purpose="Home Assistant", rules=_EVERYTHING, password=home_assistant),
        Account(name=APPS, purpose="other apps of Home Assistant", rules=_EVERYTHING, password=apps),
        Account(
            name=EXPORTER,
            purpose="the exporter, which stores readings",
            rules=(
                Rule(Access.READ, "+/events/rpc"),
                Rule(Access.READ, "+/online"),
                Rule(Access.READ, f"{EXPORTER}/rpc"),
                # Where `shelly-exporter check` is answered.
                Rule(Access.READ, f"{EXPORTER}-check/rpc"),
                Rule(Access.READ, "$SYS/broker/publish/messages/dropped"),
                Rule(Access.WRITE, "+/rpc"),
            ),
            password=exporter,
        ),
    )


def _device(device: str, password: str, devices: Iterable[str]) -> Account:
    """Return a device's login: its own topics, and answers to whoever asked it, which are no devices."""
    others = (Rule(Access.NEVER, f"{other}/#") for other in devices if other != device)
    return Account(
        name=device,
        purpose="this device alone",
        rules=(Rule(Access.BOTH, f"{device}/#"), Rule(Access.WRITE, "+/rpc"), *others),
        password=password,
    )


def _local(login: Login) -> Account:
    return Account(
        name=login.username,
        purpose=_OF_HOME_ASSISTANT if login.password is None else _WITH_PASSWORD,
        rules=(
            *(Rule(Access.WRITE, topics) for topics in login.publish),
            *(Rule(Access.READ, topics) for topics in login.subscribe),
        ),
        password=login.password,
    )


def _lines(account: Account) -> Iterator[str]:
    yield f"user {_one_line(account.name)}"
    for rule in account.rules:
        yield f"topic {rule.access} {_one_line(rule.topics)}"


def _one_line(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError(f"{text!r} cannot be written to Mosquitto's list of rights: take another name")
    return text


def _cells(account: Account) -> tuple[str, ...]:
    ways = ((Access.WRITE, Access.BOTH), (Access.READ, Access.BOTH), (Access.NEVER,))
    return (f"`{account.name}`", account.purpose, *(_topics(account, way) for way in ways))


def _topics(account: Account, way: Iterable[Access]) -> str:
    return ", ".join(f"`{rule.topics}`" for rule in account.rules if rule.access in way)
