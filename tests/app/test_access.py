"""The table of logins: for Mosquitto, and for people."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from shelly_app.broker import document_table
from shelly_app.broker.access import Access, Account, Rule, accounts, acl, table
from shelly_app.options import Login, Mqtt, Options
from shelly_app.setup import Setup
from tests.stack.app_broker import broker_setup

METER = "shellypro3em-3ce90e6ff1a0"
RELAY = "shellypro3-c8f09e883b10"
ANNA = Login(username="anna", publish=("house/+/set",), subscribe=("house/#",))
LAMPS = Login(username="lamps", password="lamps do not read", publish=("a lamp/b",))


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return broker_setup(tmp_path, Options(mqtt=Mqtt(devices=(METER, RELAY), logins=(ANNA, LAMPS))))


def named(setup: Setup) -> dict[str, Account]:
    return {account.name: account for account in accounts(setup)}


def test_each_has_its_own_password(setup: Setup) -> None:
    secrets = setup.secrets
    assert {name: account.password for name, account in named(setup).items()} == {
        "homeassistant": secrets.homeassistant_password,
        "addons": secrets.apps_password,
        "shelly-exporter": secrets.exporter_password,
        METER: secrets.devices[METER],
        RELAY: secrets.devices[RELAY],
        "anna": None,
        "lamps": "lamps do not read",
    }
    assert "lamps do not read" not in repr(accounts(setup))


def test_without_options_there_are_the_three_of_the_app(tmp_path: Path) -> None:
    assert set(named(broker_setup(tmp_path, Options()))) == {"homeassistant", "addons", "shelly-exporter"}


def test_acl(setup: Setup) -> None:
    blocks = acl(accounts(setup)).rstrip().split("\n\n")
    assert blocks[0] == "user homeassistant\ntopic readwrite #\ntopic read $SYS/#"
    assert blocks[3] == f"user {METER}\ntopic readwrite {METER}/#\ntopic write +/rpc\ntopic deny {RELAY}/#"
    assert blocks[4] == f"user {RELAY}\ntopic readwrite {RELAY}/#\ntopic write +/rpc\ntopic deny {METER}/#"
    assert blocks[5:] == [
        "user anna\ntopic write house/+/set\ntopic read house/#",
        "user lamps\ntopic write a lamp/b",
    ]


@pytest.mark.parametrize("text", ["a\ntopic readwrite #", "a\rb", " a", "a ", "a\0b", "a\x85b", "a\u2028b"])
def test_what_would_be_read_as_another_line_is_not_written(setup: Setup, text: str) -> None:
    account = named(setup)["lamps"]
    for wrong in (replace(account, name=text), replace(account, rules=(Rule(Access.READ, text),))):
        with pytest.raises(ValueError, match="cannot be written to Mosquitto's list of rights: take another name"):
            acl((wrong,))


def test_table(setup: Setup) -> None:
    rows = [re.split(r" *\| *", line.strip("| ")) for line in table(accounts(setup)).splitlines()]
    assert rows[0] == ["login", "for", "may publish", "may subscribe", "never"]
    assert rows[5] == [f"`{METER}`", "this device alone", f"`{METER}/#`, `+/rpc`", f"`{METER}/#`", f"`{RELAY}/#`"]
    assert rows[7][:4] == ["`anna`", "a user of Home Assistant", "`house/+/set`", "`house/#`"]


def test_the_table_for_people() -> None:
    assert document_table() == (
        "| login | for | may publish | may subscribe | never |\n"
        "|---|---|---|---|---|\n"
        "| `homeassistant` | Home Assistant | `#` | `#`, `$SYS/#` |  |\n"
        "| `addons` | other apps of Home Assistant | `#` | `#`, `$SYS/#` |  |\n"
        "| `shelly-exporter` | the exporter, which stores readings | `+/rpc` | `+/events/rpc`, `+/online`, "
        "`shelly-exporter/rpc`, `shelly-exporter-check/rpc`, `$SYS/broker/publish/messages/dropped` |  |\n"
        "| `<device>` | this device alone | `<device>/#`, `+/rpc` | `<device>/#` | `<other device>/#` |\n"
        "| `<yours>` | whoever has its password, or a user of Home Assistant | `<what you list>` | "
        "`<what you list>` |  |\n"
    )
