"""Secrets are made once, kept, and shown to nobody."""

import os
import stat
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from shelly_app.secret_store import Secrets, SecretStore

if TYPE_CHECKING:
    from pathlib import Path

DEVICES = ("shellypro3em-3ce90e6ff1a0", "shellypro3-3ce90e6f0001")


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    return SecretStore(tmp_path / "data" / "secrets")


def texts(secrets: Secrets) -> list[str]:
    """All secrets that are there."""
    named = [getattr(secrets, field.name) for field in fields(secrets) if field.name != "devices"]
    return [*(secret for secret in named if secret is not None), *secrets.devices.values()]


def test_all_are_made_at_the_first_start(store: SecretStore) -> None:
    made = texts(store.load(DEVICES))
    assert len(made) == 7 + len(DEVICES)
    assert len(set(made)) == len(made)
    assert min(map(len, made)) >= 16


def test_those_that_influxdb_makes_are_missing_at_first(store: SecretStore) -> None:
    first = store.load()
    assert (first.writer_token, first.reader_token) == (None, None)
    store.keep("writer_token", "w")
    store.keep("reader_token", "r")
    later = store.load()
    assert (later.writer_token, later.reader_token) == ("w", "r")


def test_they_stay(store: SecretStore) -> None:
    assert store.load(DEVICES) == SecretStore(store.folder).load(DEVICES)


def test_a_device_keeps_its_password_while_it_is_not_in_the_table(store: SecretStore) -> None:
    first = store.load(DEVICES)
    fewer = store.load(DEVICES[:1])
    assert fewer.devices == {DEVICES[0]: first.devices[DEVICES[0]]}
    assert store.load(DEVICES).devices == first.devices


def test_a_password_to_be_typed_is_short_enough_to_type(store: SecretStore) -> None:
    for password in store.load(DEVICES).devices.values():
        assert len(password) == 16
        assert password.isascii()
        assert set(password) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


@pytest.mark.parametrize("left", ["", "\n"])
def test_an_empty_file_is_made_anew(store: SecretStore, left: str) -> None:
    before = store.load()
    (store.folder / "apps_password").write_text(left)
    after = store.load()
    assert after.apps_password not in {"", before.apps_password}
    assert after.operator_token == before.operator_token


def test_a_line_end_is_not_part_of_a_secret(store: SecretStore) -> None:
    store.keep("reader_token", "typed by hand\n")
    assert store.load().reader_token == "typed by hand"


def test_nobody_else_may_look(store: SecretStore) -> None:
    before = os.umask(0)
    try:
        store.load(DEVICES)
    finally:
        os.umask(before)
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    kept = [path for path in store.folder.rglob("*") if path.is_file()]
    assert len(kept) == 7 + len(DEVICES)
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_another_owner_gets_all_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    SecretStore(folder, owner="daemon").load(DEVICES)
    owners = {path.stat().st_uid for path in (folder, *folder.rglob("*"))}
    assert len(owners) == 1
    assert owners != {0}


def test_they_are_not_in_the_representation(store: SecretStore) -> None:
    store.keep("writer_token", "of the writer")
    store.keep("reader_token", "of the reader")
    secrets = store.load(DEVICES)
    shown = repr(secrets)
    assert [text for text in texts(secrets) if text in shown] == []
