"""A root, a network and a place for mounts of their own, kept until this program is ended.

usage: python -m tests.stack.rehearsal.enclosure ROOT FOLDER BIND...

ROOT is not changed: what is written goes to memory. BIND are shown inside at their own paths, read-only. FOLDER gets
`ready` when all is there. Nothing in it reaches a network: it has its own loopback, with Supervisor's address on it.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

SUPERVISOR = "172.30.32.2"
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def main() -> None:
    """Make it, go in, and stay until SIGTERM."""
    base, folder, *binds = map(Path, sys.argv[1:])
    os.unshare(os.CLONE_NEWNS | os.CLONE_NEWNET)
    _run("mount", "--make-rprivate", "/")
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "address", "add", f"{SUPERVISOR}/32", "dev", "lo")
    root = _root(base, folder)
    for path in binds:
        _bind(path, root)
    os.chroot(root)
    os.chdir("/")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        signal.pause()


def _root(base: Path, folder: Path) -> Path:
    """Return a root like `base` in which anything may be changed."""
    memory = folder / "memory"
    memory.mkdir()
    _run("mount", "-t", "tmpfs", "tmpfs", memory)
    upper, work, root = memory / "upper", memory / "work", folder / "root"
    for path in (upper, work, root):
        path.mkdir()
    root.chmod(0o755)
    upper.chmod(0o755)
    _run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={base},upperdir={upper},workdir={work}", root)
    _run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", root / "dev")
    for name in _DEVICES:
        (root / "dev" / name).touch()
        _run("mount", "--bind", f"/dev/{name}", root / "dev" / name)
    _run("mount", "-t", "proc", "proc", root / "proc")
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (root / "dev" / name).symlink_to(f"/proc/self/{target}")
    return root


def _bind(path: Path, root: Path) -> None:
    target = root / path.relative_to("/")
    target.mkdir(parents=True, exist_ok=True)
    for parent in target.parents:  # such as /root, which the services' users could not pass
        if parent.is_relative_to(root):
            parent.chmod(parent.stat().st_mode | 0o011)
    _run("mount", "--bind", path, target)
    _run("mount", "-o", "remount,bind,ro", target)


def _run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True)  # nothing from outside reaches it


if __name__ == "__main__":
    main()
