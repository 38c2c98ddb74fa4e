"""Mosquitto's password file."""

import pytest

from shelly_app.broker.access import Account
from shelly_app.broker.passwords import hashed, text


def account(name: str, password: str | None) -> Account:
    return Account(name=name, purpose="a test", rules=(), password=password)


def test_a_line_for_each_that_has_a_password() -> None:
    lines = text((account("anna", "hunter2"), account("asked-elsewhere", None), account("bob", "hunter2"))).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["anna", "bob"]
    assert "hunter2" not in "".join(lines)
    assert lines[0].partition(":")[2] != lines[1].partition(":")[2]


def test_form() -> None:
    empty, kind, iterations, salt, digest = hashed("hunter2").split("$")
    assert (empty, kind) == ("", "7")
    assert int(iterations) >= 101  # what mosquitto_passwd takes
    assert (len(salt), len(digest)) == (16, 88)


@pytest.mark.parametrize("name", ["anna:$7$1$", "anna\nroot", "an\0na"])
def test_what_would_be_read_as_another_login_is_not_written(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be written to Mosquitto's password file: take another name"):
        text((account(name, "hunter2"),))
