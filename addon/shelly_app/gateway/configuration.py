"""The configuration of nginx."""

import os
from pathlib import Path

from shelly_app import grafana
from shelly_app.files import File, Files
from shelly_app.options import LogLevel
from shelly_app.setup import Setup

from . import direct, ingress, pages
from .syntax import EMPTY, block, mapping, quoted

_LEVELS = {LogLevel.DEBUG: "info", LogLevel.INFO: "warn", LogLevel.WARNING: "warn", LogLevel.ERROR: "error"}
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def files(setup: Setup) -> Files:
    """Return nginx.conf, the pages it shows and, without Supervisor, the certificate; OptionsError without that."""
    folder = setup.layout.places.nginx
    owner = setup.layout.accounts.nginx
    return {
        folder / "nginx.conf": File(text=_configuration(setup, folder), owner=owner),
        **pages.files(folder / "pages", owner),
        **({} if setup.home.supervised else direct.certificate(setup, folder)),
    }


def command(setup: Setup) -> tuple[str, ...]:
    """Return how nginx is started; it stays in the foreground, and writes below its own folder only."""
    folder = setup.layout.places.nginx
    return ("nginx", "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"))


def _configuration(setup: Setup, folder: Path) -> str:
    there = grafana.enabled(setup)
    servers = ingress.servers if setup.home.supervised else direct.servers
    content = servers(setup, folder, folder / "pages", grafana=there)
    # Started by root without a user to become, as in tests: else its worker would become somebody who may read nothing.
    user = ("user root root;",) if setup.layout.accounts.nginx is None and os.geteuid() == 0 else ()
    return "\n".join(
        (
            *user,
            "daemon off;",
            "worker_processes 1;",
            f"pid {quoted(folder / 'nginx.pid')};",
            f"error_log stderr {_LEVELS[setup.options.log_level]};",
            block("events", "worker_connections 512;"),
            block("http", *_general(folder), *content),
            "",
        )
    )


def _general(folder: Path) -> tuple[str, ...]:
    return (
        "access_log off;",
        "server_tokens off;",
        "absolute_redirect off;",
        "types { }",
        "default_type text/html;",
        "charset utf-8;",
        "client_max_body_size 64m;",
        *(f"{name}_temp_path {quoted(folder / f'{name}-temporary')};" for name in _TEMPORARY),
        mapping("$http_upgrade", "$connection_wanted", "upgrade", {EMPTY: "close"}),
        mapping("$http_accept_language", "$language", "en", {'"~*^de"': "de"}),
    )
