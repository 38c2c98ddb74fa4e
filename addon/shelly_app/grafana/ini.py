"""grafana.ini: Grafana behind the gateway only, without secrets in it, and without a word to the outside."""

from collections.abc import Mapping
from pathlib import Path

from shelly_app.options import LogLevel
from shelly_app.setup import Setup

type Section = Mapping[str, str | int | bool | Path]

_LEVELS = {LogLevel.DEBUG: "debug", LogLevel.INFO: "info", LogLevel.WARNING: "warn", LogLevel.ERROR: "error"}

_SILENCE: Mapping[str, Section] = {
    "analytics": {
        "reporting_enabled": False,
        "check_for_updates": False,
        "check_for_plugin_updates": False,
        "feedback_links_enabled": False,
    },
    "cloud_migration": {"enabled": False},
    "news": {"news_feed_enabled": False},
    "plugins": {
        "plugin_admin_enabled": False,
        "preinstall_disabled": True,
        "preinstall_auto_update": False,
        "public_key_retrieval_disabled": True,
        "public_key_retrieval_on_startup": False,
    },
    "public_dashboards": {"enabled": False},
    "snapshots": {"external_enabled": False},
    "support_bundles": {"enabled": False},
}
"""Nothing is asked for or told outside of the house, and nothing is shown to people without a login."""


def text(setup: Setup, home: Path | None) -> str:
    """Return the file; `home` is the board that is shown first."""
    lines = ["; Made by the app at each start: what is changed here changes nothing."]
    for name, section in _sections(setup, home).items():
        lines += ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in section.items())]
    return "\n".join(lines) + "\n"


def secrets(setup: Setup) -> Mapping[str, str]:
    """Return the secrets, by the name of the file that each stands in."""
    kept = {"secret-key": setup.secrets.grafana_secret_key}
    if not setup.home.supervised:
        kept["admin-password"] = setup.secrets.grafana_admin_password
    return kept


def secret(setup: Setup, name: str) -> Path:
    """Return where Grafana finds a secret."""
    return setup.layout.places.grafana / name


def _sections(setup: Setup, home: Path | None) -> Mapping[str, Section]:
    return {
        **_places(setup),
        **_server(setup),
        **_people(setup),
        **_SILENCE,
        "dashboards": {} if home is None else {"default_home_dashboard_path": home},
        "date_formats": {"default_timezone": setup.time_zone},
        # The boards ask again by themselves; a connection kept open for each browser would gain nothing.
        "live": {"max_connections": 0},
        "log": {"mode": "console", "level": _LEVELS[setup.options.log_level]},
        "metrics": {"enabled": False},
    }


def _places(setup: Setup) -> Mapping[str, Section]:
    places = setup.layout.places
    return {
        "paths": {
            "data": places.grafana_data,
            "logs": places.grafana_data / "log",
            "plugins": places.grafana_data / "plugins",
            "provisioning": places.grafana / "provisioning",
        },
        "database": {"type": "sqlite3", "path": places.grafana_data / "grafana.db", "wal": True},
    }


def _server(setup: Setup) -> Mapping[str, Section]:
    """Return where it listens, and below which address browsers see it; Supervisor takes the path away again."""
    port = setup.layout.ports.grafana
    return {
        "server": {
            "protocol": "http",
            "http_addr": "127.0.0.1",
            "http_port": port,
            "domain": setup.home.hostname,
            "root_url": f"{_address(setup)}/",
            "serve_from_sub_path": False,
            "enable_gzip": True,
        }
    }


def _address(setup: Setup) -> str:
    home, ports = setup.home, setup.layout.ports
    if home.supervised:
        # Only the path counts: the gateway takes the rest away from every redirection.
        return f"http://{home.hostname}:{ports.gateway}{home.ingress_entry}"
    if home.certificate is None:
        return f"http://{home.hostname}:{ports.gateway}"
    return f"https://{home.hostname}:{ports.https}"


def _people(setup: Setup) -> Mapping[str, Section]:
    supervised = setup.home.supervised
    return {
        "security": {
            "secret_key": _from_file(secret(setup, "secret-key")),
            "disable_gravatar": True,
            "allow_embedding": True,
            "cookie_secure": setup.home.certificate is not None,
            **_administrator(setup),
        },
        "users": {
            "allow_sign_up": False,
            "allow_org_create": False,
            "auto_assign_org": True,
            "auto_assign_org_id": 1,
            "auto_assign_org_role": setup.options.boards.role,
            "default_theme": "system",
        },
        "auth": {
            # Cookies do not know ports: another Grafana on the same host must not end this one's sessions.
            "login_cookie_name": "shelly_pro_session",
            "disable_login_form": supervised,
            "disable_signout_menu": supervised,
        },
        "auth.anonymous": {"enabled": False},
        "auth.basic": {"enabled": not supervised},
        "auth.proxy": {
            "enabled": supervised,
            "header_name": "X-WEBAUTH-USER",
            "header_property": "username",
            "headers": "Name:X-WEBAUTH-NAME Role:X-WEBAUTH-ROLE",
            "auto_sign_up": True,
            "whitelist": "127.0.0.1",
            "enable_login_token": False,
        },
    }


def _administrator(setup: Setup) -> Section:
    if setup.home.supervised:
        # Whoever is called `admin` in Home Assistant would become this one, with all its rights.
        return {"disable_initial_admin_creation": True}
    return {"admin_user": "admin", "admin_password": _from_file(secret(setup, "admin-password"))}


def _from_file(path: Path) -> str:
    return f"$__file{{{path}}}"


def _value(value: str | int | bool | Path) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
