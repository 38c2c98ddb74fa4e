"""The profile that confines the app, as Supervisor installs it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.stack import REPOSITORY
from tests.stack.server import SYSTEM_PATH

APP = REPOSITORY / "addon"
PROFILE = (APP / "apparmor.txt").read_text()
SLUG = yaml.safe_load((APP / "config.yaml").read_text())["slug"]
HEAD = re.compile(r"^profile (\S+)", re.MULTILINE)


def parsed(path: Path) -> subprocess.CompletedProcess[str]:
    parser = shutil.which("apparmor_parser", path=SYSTEM_PATH)
    assert parser is not None, "apt-get install apparmor (or run scripts/setup) and start again"
    argv = (parser, "--skip-kernel-load", "--skip-cache", "--skip-read-cache", path)
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_supervisor_finds_one_profile_to_rename() -> None:
    assert HEAD.findall(PROFILE) == [SLUG]


def test_it_parses_under_the_name_that_supervisor_gives_it(tmp_path: Path) -> None:
    path = tmp_path / "profile"
    path.write_text(HEAD.sub(f"profile abcd1234_{SLUG}", PROFILE))
    result = parsed(path)
    assert result.returncode == 0, result.stderr


def test_the_parser_would_complain(tmp_path: Path) -> None:
    path = tmp_path / "profile"
    path.write_text(PROFILE.replace("capability setuid,", "capability fly,"))
    assert parsed(path).returncode != 0


@pytest.mark.parametrize("program", ["mosquitto", "influxd", "grafana"])
def test_what_talks_to_others_has_a_profile_of_its_own(program: str) -> None:
    child = re.search(rf"^  profile {program} .*?^  }}", PROFILE, re.MULTILINE | re.DOTALL)
    assert child is not None
    assert "file," not in child[0].split()
    assert f"/{program} cx -> {program}," in PROFILE
    assert "/data/secrets" not in child[0]
