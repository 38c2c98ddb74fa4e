"""The Debian root that the app's image has beneath it, made from the same list of packages and kept."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.stack import REPOSITORY
from tests.stack.processes import StackError

PACKAGES = REPOSITORY / "addon" / "packages.txt"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# s6-overlay brings these two to the image; the rest is in the base image already, or is what debootstrap needs.
_S6 = ("s6", "execline")
_NOT_NEEDED = ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")
_DEADLINE_S = 600
_DEBIAN = "http://deb.debian.org/debian"


def root() -> Path:
    """Return the folder of the root, made if there is none for these packages; StackError tells what is missing."""
    packages = (*PACKAGES.read_text().split(), *_S6)
    fingerprint = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:16]
    folder = _cache() / f"trixie-{fingerprint}"
    if not folder.is_dir():
        _make(folder, packages)
    return folder


def _make(folder: Path, packages: tuple[str, ...]) -> None:
    if shutil.which("debootstrap") is None or not KEYRING.exists():
        raise StackError("The rehearsal needs a Debian root: `apt-get install debootstrap debian-archive-keyring`")
    unfinished = folder.with_suffix(f".{os.getpid()}")
    log = folder.with_suffix(".log")
    folder.parent.mkdir(parents=True, exist_ok=True)
    argv = (
        *_quick(),
        "debootstrap",
        "--variant=minbase",
        f"--keyring={KEYRING}",
        f"--include={','.join(packages)}",
        "trixie",
        str(unfinished),
        _mirror(),
    )
    try:
        with log.open("w") as output:
            done = subprocess.run(argv, stdout=output, stderr=output, timeout=_DEADLINE_S, check=False)
        if done.returncode != 0:
            raise StackError(f"debootstrap failed; {log} has its words. The end:\n{_tail(log, unfinished)}")
        for name in _NOT_NEEDED:
            shutil.rmtree(unfinished / name)
            (unfinished / name).mkdir()
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _quick() -> tuple[str, ...]:
    """Return what keeps dpkg from waiting for the disk after each file, if it is installed."""
    return () if (path := shutil.which("eatmydata")) is None else (path,)


def _mirror() -> str:
    """Return the mirror that this machine's apt uses, such as one of a closed network; else Debian's own."""
    argv = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages")
    addresses = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()
    return next((address for address in addresses if address.rstrip("/").endswith("/debian")), _DEBIAN)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "shelly-pro"


def _tail(log: Path, unfinished: Path) -> str:
    inner = unfinished / "debootstrap" / "debootstrap.log"
    path = inner if inner.exists() else log
    return "\n".join(path.read_text(errors="replace").splitlines()[-8:])
