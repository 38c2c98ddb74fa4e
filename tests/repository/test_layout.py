"""What Home Assistant, HACS and Supervisor read from the tree."""

import json
import re
import tomllib

from tests.repository.sources import INTEGRATION, ROOT, files


def test_only_an_app_may_have_a_file_called_config() -> None:
    """Supervisor takes every `config.{yaml,yml,json}` outside of dot-folders and `rootfs` for an app."""
    stray = [
        str(name)
        for path in files()
        if re.fullmatch(r"config\.(ya?ml|json)", path.name)
        and (name := path.relative_to(ROOT)).as_posix() != "addon/config.yaml"
        and not any(part.startswith(".") or part == "rootfs" for part in name.parts)
    ]
    assert stray == []


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    manifest = json.loads((INTEGRATION / "manifest.json").read_text())["version"]
    locked = next(
        package["version"]
        for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
        if package["name"] == "shelly-pro"
    )
    assert project == manifest == locked


def test_minimum_home_assistant_is_not_newer_than_the_tested_one() -> None:
    minimum = json.loads((ROOT / "hacs.json").read_text())["homeassistant"]
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    tested = next(package["version"] for package in lock["package"] if package["name"] == "homeassistant")
    assert [int(part) for part in minimum.split(".")] <= [int(part) for part in tested.split(".")]


def test_manifest_keys_are_in_hassfest_order() -> None:
    keys = list(json.loads((INTEGRATION / "manifest.json").read_text()))
    assert keys == ["domain", "name", *sorted(set(keys) - {"domain", "name"})]


def test_texts_and_icons_name_the_same_entities() -> None:
    texts = json.loads((INTEGRATION / "translations" / "en.json").read_text())["entity"]
    for platform, icons in json.loads((INTEGRATION / "icons.json").read_text())["entity"].items():
        assert set(icons) <= set(texts[platform])


def test_scripts_can_be_run() -> None:
    scripts = [path for path in files() if path.parent in {ROOT / "scripts", ROOT / ".ci"}]
    assert scripts
    assert [path for path in scripts if not path.stat().st_mode & 0o100] == []


def test_links_between_documents_lead_somewhere() -> None:
    documents = [path for path in files() if path.suffix == ".md"]
    assert len(documents) > 3
    for document in documents:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
