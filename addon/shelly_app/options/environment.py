"""Options as variables of the environment, for those who have no Supervisor: `APP_MQTT_TLS_MODE` is `mqtt.tls.mode`."""

from collections.abc import Mapping
from pathlib import Path

from .schema import KEYS, SECRETS, SECTIONS
from .values import nearest

PREFIX = "APP_"
ONLY_IN_FILE = frozenset({"mqtt.logins"})
"""What does not fit into a variable."""
ELSEWHERE = frozenset({"APP_ADDRESSES", "APP_HTTPS_CERTFILE", "APP_HTTPS_KEYFILE"})
"""Variables that are no options: they say where the app runs."""


def variable(key: str) -> str:
    """Return the name of the variable for `key`."""
    return PREFIX + key.replace(".", "_").upper()


def label(key: str) -> str:
    """Return `key` as people find it in the file and in the environment."""
    return key if key in ONLY_IN_FILE else f"{key} ({variable(key)})"


VARIABLES: Mapping[str, str] = {variable(key): key for key in KEYS if key not in ONLY_IN_FILE}
FILES: Mapping[str, str] = {f"{variable(key)}_FILE": key for key in SECRETS}
"""Variables that name a file with a secret in it."""


def variables(environ: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    """Return what `environ` gives, by key; an empty variable is none. What is wrong is added to `problems`."""
    given: dict[str, str] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX) or name in ELSEWHERE or not value:
            continue
        if (key := FILES.get(name)) is not None:
            _take_file(name, key, environ, given, problems)
        elif (key := VARIABLES.get(name)) is not None:
            given[key] = value
        elif (problem := _unknown(name)) is not None:
            problems.append(problem)
    return given


def _take_file(name: str, key: str, environ: Mapping[str, str], given: dict[str, str], problems: list[str]) -> None:
    if environ.get(variable(key)):
        problems.append(f"{name}: is given together with {variable(key)}: take one of them away")
        return
    try:
        given[key] = _only_line(Path(environ[name]))
    except _UnusableError as error:
        problems.append(f"{name}: {error}")


class _UnusableError(Exception):
    """There is no secret in a file; the text says why and what to do, not what is in the file or how it is called."""


def _only_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:  # not shown: it may be the secret itself
        raise _UnusableError("there is no such file: give the path of a file with the secret in it") from None
    except UnicodeDecodeError:
        raise _UnusableError("this file holds no text in UTF-8: write the secret into it as text") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no path"
        raise _UnusableError(
            f"this file cannot be read ({why}): give the path of a file with the secret in it"
        ) from None
    if len(lines) != 1 or not lines[0]:
        raise _UnusableError(f"this file has {len(lines)} lines: write the secret alone into it, in one line")
    return lines[0]


def _unknown(name: str) -> str | None:
    """Return what to say of a variable `APP_…` that is none of ours; `None` if it is likely meant for others."""
    known = (*VARIABLES, *FILES, *ELSEWHERE)
    if name in map(variable, ONLY_IN_FILE):
        return f"{name}: does not fit into a variable: write it into options.yaml"
    if (near := nearest(name, known, cutoff=0.85)) is not None:
        return f"{name}: is no option: did you mean {near}?"
    section = name.removeprefix(PREFIX).partition("_")[0].lower()
    if section in SECTIONS:
        there = [each for each in VARIABLES if each.startswith(f"{PREFIX}{section.upper()}_")]
        return f"{name}: is no option: there are {', '.join(there)}"
    return None
