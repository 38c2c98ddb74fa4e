"""Become a service: what the run file of each one does, up to the program that stays."""

import contextlib
import os
import pwd
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn

from shelly_app.places import Layout

from . import restarts
from .ports import listening
from .service import Folder, Service, load

_IDLE = ("sleep", "infinity")
_LOOK_S = 0.2
_REMIND_S = 60.0
_NOTIFICATION = Path("notification-fd")
"""Beside the run file, if s6 wants to be told when the service is ready: the number of the descriptor to write to."""


class LaunchError(Exception):
    """A service cannot be started; the text names the remedy."""


def launch(name: str, layout: Layout, environ: Mapping[str, str]) -> NoReturn:
    """Replace this process by the service; one that is switched off is replaced by something that idles."""
    service = _planned(name, layout)
    descriptor = _notification()
    if not service.enabled:
        _notify(descriptor)
        idle()
    _pause(name, layout, descriptor)
    _wait(service)
    _make_folders(service.folders, service.user)
    restarts.keep(_memory(layout), name, restarts.load(_memory(layout), name).after_start(restarts.clock()))
    if descriptor is not None:
        _notify_when_ready(service, descriptor)
    become(service.user)
    os.umask(0o077)
    _replace(service, environ)


def become(user: str | None) -> None:
    """Give up the rights of root for those of `user`, and their groups."""
    if user is None:
        return
    try:
        account = pwd.getpwnam(user)
    except KeyError as error:
        raise LaunchError(f"there is no system user {user}: install the app again") from error
    if os.geteuid() == account.pw_uid:
        return
    os.initgroups(user, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def idle() -> NoReturn:
    """Stay, without using anything, until somebody ends this process."""
    os.execvp(_IDLE[0], _IDLE)  # noqa: S606  # no shell is wanted


def _planned(name: str, layout: Layout) -> Service:
    try:
        services = load(layout.places.services)
    except FileNotFoundError as error:
        raise LaunchError(f"{layout.places.services} is missing: run `shelly-app prepare` first") from error
    if name not in services:
        raise LaunchError(f"there is no such service; there are: {', '.join(services)}")
    return services[name]


def _memory(layout: Layout) -> Path:
    return layout.places.run / "restarts"


def _pause(name: str, layout: Layout, descriptor: int | None) -> None:
    """Wait if it ended too quickly before; those that depend on it wait three times, then start without it."""
    memory = restarts.load(_memory(layout), name)
    if memory.hopeless:
        _notify(descriptor)
    time.sleep(memory.pause_s)


def _wait(service: Service) -> None:
    """Return when all files are there that the service needs; say each minute which one is missing."""
    reminded: float | None = None
    while missing := [path for path in service.waits_for if not path.exists()]:
        now = restarts.clock()
        if reminded is None or now - reminded >= _REMIND_S:
            sys.stderr.write(f"{service.name}: waits for {missing[0]}, which the service `database` makes\n")
            sys.stderr.flush()
            reminded = now
        time.sleep(_LOOK_S)


def _make_folders(folders: Iterable[Folder], user: str | None) -> None:
    for folder in folders:
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.path.chmod(folder.mode)
        if user is not None:
            _hand_over(folder.path, user)


def _hand_over(folder: Path, user: str) -> None:
    """Give a folder and all in it to `user`: a restored backup may have them belong to who had that number before."""
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        return  # `become` tells
    if folder.stat().st_uid == account.pw_uid:
        return
    for parent, _, names in folder.walk(top_down=False):
        for path in (*(parent / name for name in names), parent):
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def _notification() -> int | None:
    try:
        return int(_NOTIFICATION.read_text())
    except FileNotFoundError:
        return None


def _notify(descriptor: int | None) -> None:
    """Tell s6 that the service is ready; it listens once only, later words go nowhere."""
    if descriptor is not None:
        with contextlib.suppress(BrokenPipeError):
            os.write(descriptor, b"\n")


def _notify_when_ready(service: Service, descriptor: int) -> None:
    """Leave somebody behind who tells s6 once the port is open; not as a child, which the service would not reap."""
    watched = Path("/proc", str(os.getpid()))
    if (child := os.fork()) == 0:
        if os.fork() == 0:
            _watch(watched, service.ready, descriptor)
        os._exit(0)
    os.waitpid(child, 0)
    os.close(descriptor)


def _watch(watched: Path, port: int | None, descriptor: int) -> NoReturn:
    """Tell s6 when `port` is open and end; end in silence when the service has gone before.

    `watched` is its folder in /proc: AppArmor, in the image, would not let us send it a signal to see whether it lives.
    """
    try:
        while (waits := port is not None and not listening(port)) and watched.exists():
            time.sleep(_LOOK_S)
        if not waits:
            _notify(descriptor)
    finally:
        os._exit(0)


def _replace(service: Service, environ: Mapping[str, str]) -> NoReturn:
    kept = {name: environ[name] for name in ("PATH", *service.keeps) if name in environ}
    try:
        os.execvpe(service.argv[0], service.argv, {**kept, **service.environment})  # noqa: S606  # no shell is wanted
    except OSError as error:
        raise LaunchError(f"{service.argv[0]} cannot be run ({error.strerror}): install the app again") from error
