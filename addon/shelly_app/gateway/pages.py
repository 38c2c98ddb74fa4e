"""What people see where Grafana would be, as long as it is not there: plain pages in English and German."""

from html import escape
from pathlib import Path
from typing import NamedTuple

from shelly_app.files import File, Files

STARTING = "starting"
"""Grafana should be there, but does not answer; the page looks again by itself."""
OFF = "off"
"""There is no Grafana, because of how the app is set up."""

_LOOK_AGAIN_S = 5


class _Page(NamedTuple):
    title: str
    paragraphs: tuple[str, ...]


_PAGES = {
    (STARTING, "en"): _Page(
        "Grafana is starting",
        (
            "This page looks again every few seconds. The very first start can take some minutes.",
            "If it takes longer, the log of the app says why.",
            "Your devices and the recording of their readings do not depend on Grafana.",
        ),
    ),
    (STARTING, "de"): _Page(
        "Grafana startet",
        (
            "Diese Seite sieht alle paar Sekunden nach. Der allererste Start kann einige Minuten dauern.",
            "Dauert es länger, steht der Grund im Protokoll der App.",
            "Deine Geräte und die Aufzeichnung ihrer Messwerte hängen nicht von Grafana ab.",
        ),
    ),
    (OFF, "en"): _Page(
        "The boards are switched off",
        (
            "They need both: boards switched on, and a database that readings are stored in.",
            "Change the options of the app and start it again.",
        ),
    ),
    (OFF, "de"): _Page(
        "Die Übersichten sind ausgeschaltet",
        (
            "Sie brauchen beides: eingeschaltete Übersichten und eine Datenbank, in der Messwerte gespeichert werden.",
            "Ändere die Optionen der App und starte sie neu.",
        ),
    ),
}

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1.5rem}"
)


def files(folder: Path, owner: str | None) -> Files:
    """Return all pages, named `<page>.<language>.html`."""
    return {
        folder / f"{name}.{language}.html": File(text=_html(name, language, page), owner=owner)
        for (name, language), page in _PAGES.items()
    }


def _html(name: str, language: str, page: _Page) -> str:
    again = f'<meta http-equiv="refresh" content="{_LOOK_AGAIN_S}">\n' if name == STARTING else ""
    paragraphs = "".join(f"<p>{escape(text, quote=False)}</p>\n" for text in page.paragraphs)
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n{again}'
        f"<title>{page.title}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{page.title}</h1>\n{paragraphs}</body>\n</html>\n"
    )
