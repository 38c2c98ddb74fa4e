"""Every language says all that English says, with the same placeholders, and says it in its own words."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.repository.sources import ROOT

FOLDER = ROOT / "custom_components" / "shelly_pro" / "translations"
LANGUAGES = ("cs", "de", "en", "es", "fr", "it", "nl", "pl", "pt", "sv")
PLACEHOLDER = re.compile(r"\{\w+\}")
SAME_AT_MOST = 0.15
"""Share of texts that may be as in English: names of protocols, `Timer`, `Firmware`."""


def texts(language: str) -> dict[str, str]:
    """Every text by its path, such as `config/step/pick/title`."""

    def walk(tree: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
        for key, value in tree.items():
            if isinstance(value, dict):
                yield from walk(value, f"{path}{key}/")
            else:
                yield path + key, value

    return dict(walk(json.loads((FOLDER / f"{language}.json").read_text()), ""))


def test_languages() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == list(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_texts_with_the_same_placeholders(language: str) -> None:
    english, told = texts("en"), texts(language)
    assert list(told) == list(english)
    for path, text in told.items():
        assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(english[path])), path
        assert text.count("\n\n") == english[path].count("\n\n"), path
        assert text == text.strip(), path
        assert "://" not in text, path
        assert "'{" not in text, path


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_in_its_own_words(language: str) -> None:
    english, told = texts("en"), texts(language)
    same = [path for path, text in told.items() if text == english[path] and not PLACEHOLDER.fullmatch(text)]
    assert len(same) / len(told) < SAME_AT_MOST, same
