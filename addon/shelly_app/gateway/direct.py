"""Without Supervisor: browsers come directly, and Grafana asks them who they are."""

from pathlib import Path

from shelly_app.files import File, Files
from shelly_app.options import OptionsError
from shelly_app.setup import Setup

from .syntax import block, quoted
from .upstream import absent, health, proxied, starting

_CERTIFICATE = "certificate.pem"
_KEY = "certificate-key.pem"
_VARIABLES = ("APP_HTTPS_CERTFILE", "APP_HTTPS_KEYFILE")
"""What their names were given in."""


def servers(setup: Setup, folder: Path, pages: Path, *, grafana: bool) -> tuple[str, ...]:
    """Return the servers; `grafana` tells whether there is one. With HTTPS the plain port is for the container only."""
    layout = setup.layout
    content = _to_grafana(setup) if grafana else absent(pages)
    places = (block("location /", *content), *((starting(pages),) if grafana else ()))
    if setup.home.certificate is None:
        return (block("server", f"listen {layout.host}:{layout.ports.gateway};", health(), *places),)
    return (
        block(
            "server",
            f"listen {layout.host}:{layout.ports.https} ssl;",
            f"ssl_certificate {quoted(folder / _CERTIFICATE)};",
            f"ssl_certificate_key {quoted(folder / _KEY)};",
            "ssl_protocols TLSv1.2 TLSv1.3;",
            "ssl_session_cache shared:tls:1m;",
            *places,
        ),
        block("server", f"listen 127.0.0.1:{layout.ports.gateway};", health(), block("location /", "return 404;")),
    )


def certificate(setup: Setup, folder: Path) -> Files:
    """Return copies of certificate and key that nginx may read; OptionsError when one is missing."""
    if setup.home.certificate is None:
        return {}
    sources = zip(_VARIABLES, (_CERTIFICATE, _KEY), setup.home.certificate, strict=True)
    return {
        folder / name: File(text=_read(setup.layout.places.ssl / source, key), owner=setup.layout.accounts.nginx)
        for key, name, source in sources
    }


def _read(path: Path, key: str) -> str:
    try:
        return path.read_text()
    except FileNotFoundError, IsADirectoryError, UnicodeDecodeError:
        problem = f"{key}: {path} is not such a file: give the name of a PEM file in {path.parent}"
        raise OptionsError((problem,)) from None


def _to_grafana(setup: Setup) -> tuple[str, ...]:
    headers = {
        "Host": "$http_host",
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Host": "$http_host",
        "X-Forwarded-Proto": "$scheme",
        "X-Real-IP": "$remote_addr",
    }
    return (
        *proxied(setup.layout.ports.grafana, headers),
        'proxy_redirect "~^https?://[^/]+(/.*)$" $1;',
    )
