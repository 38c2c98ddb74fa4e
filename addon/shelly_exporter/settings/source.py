"""Settings from a YAML file and from environment variables, which win over it; secrets may be in files of their own."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import voluptuous as vol

from . import Settings, SettingsError
from .file import exposed, read_file
from .rules import contradictions, doubts, settings_of
from .schema import SECRET_FILES, VARIABLES, label, unknown_variable, validate
from .values import Raw, directory, secret

CONFIG_VARIABLE = "SHELLY_CONFIG"
"""Names the file, where no argument does."""

_SIBLINGS = {**SECRET_FILES, **{target: key for key, target in SECRET_FILES.items()}}
"""A secret and its file: one given as a variable replaces the other in the file of settings."""


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Return the settings of the file at `path`, if any, and of `environ`; an empty variable is none.

    Raises `SettingsError` with all problems there are. What only deserves a warning is in `Settings.warnings`.
    """
    problems: list[str] = []
    warnings: list[str] = []
    written = {} if path is None else read_file(path)
    if path is not None:
        warnings += exposed(path, written)
    variables = _variables(environ, problems, warnings)
    problems += [*_said_twice(written), *_said_twice(variables)]
    hidden = {_SIBLINGS[key] for key in variables if key in _SIBLINGS}
    given = {key: raw for key, raw in written.items() if key not in hidden} | variables
    values, wrong = validate(_with_secrets(given, problems))
    problems += wrong
    problems += contradictions({SECRET_FILES.get(key, key) for key in given})
    if problems:
        raise SettingsError(problems)
    return settings_of(values, environ, (*warnings, *doubts(values, environ)))


def _variables(environ: Mapping[str, str], problems: list[str], warnings: list[str]) -> dict[str, Raw]:
    given: dict[str, Raw] = {}
    for name, value in environ.items():
        if not name.startswith("SHELLY_") or name == CONFIG_VARIABLE or not value:
            continue
        if (key := VARIABLES.get(name)) is not None:
            given[key] = value
            continue
        text, ours = unknown_variable(name)
        (problems if ours else warnings).append(text)
    return given


def _said_twice(given: Mapping[str, Raw]) -> Iterator[str]:
    for key, target in SECRET_FILES.items():
        if key in given and target in given:
            yield f"{label(key)}: is given together with {label(target)}: take one of them away"


def _with_secrets(given: Mapping[str, Raw], problems: list[str]) -> dict[str, Raw]:
    """Return `given` with what the files hold in place of their names."""
    result: dict[str, Raw] = {}
    for key, raw in given.items():
        if (target := SECRET_FILES.get(key)) is None:
            result[key] = raw
            continue
        try:
            result[target] = _secret_in(raw, several=target == "devices.passwords")
        except vol.Invalid as error:
            problems.append(f"{label(key)}: {error.msg}")
    return result


def _secret_in(raw: Raw, *, several: bool) -> Raw:
    """Return the only line of the file, or with `several` its lines; `vol.Invalid` with the remedy if there is none."""
    try:
        lines = [line for line in directory(secret(raw)).read_text(encoding="utf-8").split("\n") if line]
    except FileNotFoundError:  # not shown: it may be the secret itself
        raise vol.Invalid("there is no such file: give the path of a file with the secret in it") from None
    except OSError as error:
        raise vol.Invalid(
            f"this file cannot be read ({error.strerror}): give the exporter's user the right to"
        ) from None
    except UnicodeDecodeError:
        raise vol.Invalid("this file holds no text in UTF-8: write the secret into it as text") from None
    if not lines:
        raise vol.Invalid("this file is empty: write the secret into it")
    if several:
        return lines
    if len(lines) > 1:
        raise vol.Invalid(f"this file has {len(lines)} lines: write the secret alone into it")
    return lines[0]
