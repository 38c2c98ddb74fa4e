"""What both kinds of gateway have: how Grafana is talked to, what is shown when nobody answers, and a sign of life."""

from collections.abc import Mapping
from pathlib import Path

from .pages import OFF, STARTING
from .syntax import block, quoted

_ANSWER_S = 600
"""How long Grafana may think about a query, or a websocket be silent."""
_STARTING = "/-/starting"

# Who somebody is, Grafana is told by the gateway only; whatever else has these names is a lie.
_IDENTITY = (
    "X-WEBAUTH-USER",
    "X-WEBAUTH-NAME",
    "X-WEBAUTH-ROLE",
    "X-WEBAUTH-EMAIL",
    "X-WEBAUTH-LOGIN",
    "X-WEBAUTH-GROUPS",
    "X-Remote-User-Id",
    "X-Remote-User-Name",
    "X-Remote-User-Display-Name",
)


def proxied(port: int, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return the lines that pass a request on to Grafana, with `headers` (name → value, "" for none) overwritten.

    nginx inherits no header into a place that sets one of its own: so all of them are set here, in one go.
    """
    every = {
        **dict.fromkeys(_IDENTITY, ""),
        "Upgrade": "$http_upgrade",
        "Connection": "$connection_wanted",
        **headers,
    }
    return (
        f"proxy_pass http://127.0.0.1:{port};",
        "proxy_http_version 1.1;",
        *(f'proxy_set_header {name} "{value}";' for name, value in every.items()),
        "proxy_request_buffering off;",
        "proxy_buffering off;",
        "proxy_connect_timeout 5s;",
        f"proxy_read_timeout {_ANSWER_S}s;",
        f"proxy_send_timeout {_ANSWER_S}s;",
        # Only what nginx itself finds; an error that Grafana answers goes through as it is.
        f"error_page 502 503 504 =503 {_STARTING};",
    )


def absent(pages: Path) -> tuple[str, ...]:
    """Return the lines that answer every request with the page that says that there is no Grafana."""
    return _page(pages, OFF)


def starting(pages: Path) -> str:
    """Return the place of the page that is shown while Grafana does not answer."""
    return block(f"location = {_STARTING}", "internal;", *_page(pages, STARTING), 'add_header Retry-After "5" always;')


def health() -> str:
    """Return the place where the container asks its own nginx whether it lives."""
    return block(
        "location = /healthz",
        "if ($remote_addr != 127.0.0.1) { return 403; }",
        "default_type text/plain;",
        'return 200 "ok\\n";',
    )


def _page(pages: Path, name: str) -> tuple[str, ...]:
    return (
        f"root {quoted(pages)};",
        f"try_files /{name}.$language.html =404;",
        'add_header Cache-Control "no-store" always;',
    )
