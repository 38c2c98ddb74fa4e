"""InfluxDB's files outlive the app; an app that was installed anew has to make itself known to them.

InfluxDB keeps hashes of tokens only, so a lost operator token is lost. While it does not run, its own program can make
another: docs.influxdata.com/influxdb/v2/reference/cli/influxd/recovery/auth/create-operator.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from shelly_app.secret_store import SecretStore
from shelly_app.setup import Setup

from . import state
from .configuration import bolt, enabled
from .settings import ORGANISATION, USERNAME

_PATIENCE_S = 30.0
_DESCRIPTION = f"{USERNAME}'s Recovery Token"
"""How InfluxDB calls what it makes."""
_NOT_SHOWN = frozenset({"REDACTED", "N/A", ""})
_NEW = "could not find user"
"""What InfluxDB says of files that were never set up."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a program has said before it ended."""

    code: int
    output: str
    errors: str


type Run = Callable[[Sequence[str], Path], Awaitable[Outcome]]
"""Runs a command with the rights of the owner of a file; TimeoutError if it does not end, OSError if it cannot."""


async def run_as_owner(command: Sequence[str], path: Path, patience_s: float = _PATIENCE_S) -> Outcome:
    """Run `command` with the rights of the owner of `path`, so that it leaves no files which others cannot use."""
    rights = _rights(path)
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": "/"},
        user=rights.user,
        group=rights.group,
        extra_groups=rights.groups,
    )
    try:
        async with asyncio.timeout(patience_s):
            output, errors = await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
        raise
    return Outcome(
        code=await child.wait(), output=output.decode(errors="replace"), errors=errors.decode(errors="replace")
    )


async def adopt(setup: Setup, store: SecretStore, run: Run = run_as_owner) -> None:
    """Get an operator token for InfluxDB's files if they are not known to be ours; to be called before it starts.

    When it fails a line says so, and the app starts without its history.
    """
    path = bolt(setup.layout.places)
    if not enabled(setup) or not path.exists() or state.load(store).accepted:
        return
    command = ("influxd", "recovery", "auth", "create-operator", "--org", ORGANISATION, "--username", USERNAME)
    try:
        outcome = await run((*command, "--bolt-path", str(path)), path)
    except (TimeoutError, OSError) as error:
        _complain(type(error).__name__)
        return
    if outcome.code != 0:
        if _NEW not in outcome.errors:
            _complain(_reason(outcome.errors))
        return
    if (token := _newest(outcome.output)) is None:
        _complain("it does not show the token")
        return
    store.keep("operator_token", token)
    state.keep(store, replace(state.load(store), accepted=True))
    _log.info("The history of an earlier installation is used again")


def forget(store: SecretStore) -> None:
    """Let the next start make itself known to InfluxDB again, which has refused the operator token."""
    state.keep(store, replace(state.load(store), accepted=False))


def _complain(reason: str) -> None:
    _log.error(
        "InfluxDB's files are those of an earlier installation, and cannot be used again (%s). Nothing of them is "
        "deleted: restart the app, and report it if this line comes again",
        reason,
    )


class _Rights(NamedTuple):
    """Whose rights a program gets; `None`: those of this process."""

    user: int | None = None
    group: int | None = None
    groups: Sequence[int] | None = None


def _rights(path: Path) -> _Rights:
    if os.geteuid() != 0:
        return _Rights()
    owner = path.stat()
    return _Rights(owner.st_uid, owner.st_gid, ())


def _reason(errors: str) -> str:
    """Return what InfluxDB says, without its log."""
    return next((line for line in errors.splitlines() if line.startswith("Error:")), "it does not say why")


def _newest(output: str) -> str | None:
    """Return the token that was made last, from a table of all tokens with tabs between its columns."""
    head, *lines = map(_cells, output.splitlines() or [""])
    rows = (dict(zip(head, cells, strict=False)) for cells in lines)
    tokens = {row["ID"]: row["Token"] for row in rows if row.get("Description") == _DESCRIPTION}
    shown = {identity: token for identity, token in tokens.items() if token not in _NOT_SHOWN}
    return shown[max(shown)] if shown else None


def _cells(line: str) -> list[str]:
    """Return the cells of a row; more than one tab stands where the next column is far away."""
    return [cell.strip() for cell in line.split("\t") if cell.strip()]
