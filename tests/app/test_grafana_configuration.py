"""What Grafana reads: parsed as Grafana parses it."""

import configparser
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from shelly_app.files import Files
from shelly_app.grafana import command, enabled, files
from shelly_app.options import Alerts, Boards, Database, DatabaseKind, DatabaseMode, LogLevel, Options, Role
from shelly_app.places import Accounts
from shelly_app.setup import Setup
from tests.app.gateway_stage import ENTRY, setup_of, with_options

EXTERNAL = Database(mode=DatabaseMode.EXTERNAL, url="http://influx.example:8086", bucket="power", rollup_bucket="hours")


@dataclass(frozen=True, kw_only=True)
class BoardValues:
    time_zone: str
    breaker_a: float
    price_per_kwh: float
    export_price_per_kwh: float


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    offline_minutes: int
    voltage_min: float
    voltage_max: float
    breaker_a: float


def render(folder: Path, values: BoardValues) -> dict[str, str]:
    """Stands for the boards: two of them, with what they were given."""
    given = {
        "folder": str(folder),
        "zone": values.time_zone,
        "price": values.price_per_kwh,
        "breaker": values.breaker_a,
    }
    return {"a.json": json.dumps({"uid": "shelly-energy"}), "b.json": json.dumps({"uid": "shelly-live", **given})}


def rules(thresholds: Thresholds) -> dict[str, Any]:
    """Stands for the rules: one of them, with what it was given."""
    rule = {"uid": "shelly-voltage", "title": f"{thresholds.voltage_max} V", "for": f"{thresholds.offline_minutes}m"}
    return {"apiVersion": 1, "groups": [{"name": "a", "rules": [rule, {"uid": "shelly-offline"}]}]}


@pytest.fixture(autouse=True)
def _boards(monkeypatch: pytest.MonkeyPatch) -> None:
    """The boards and rules have tests of their own; here it counts what they are given and where they end."""
    package, alerts = ModuleType("shelly_boards"), ModuleType("shelly_boards.alerts")
    vars(alerts).update(Thresholds=Thresholds, rules=rules)
    vars(package).update(BoardValues=BoardValues, render=render, alerts=alerts)
    monkeypatch.setitem(sys.modules, "shelly_boards", package)
    monkeypatch.setitem(sys.modules, "shelly_boards.alerts", alerts)


def settings(setup: Setup, rendered: Files | None = None) -> configparser.ConfigParser:
    """Return grafana.ini, parsed."""
    parser = configparser.ConfigParser(interpolation=None)
    shown = files(setup) if rendered is None else rendered
    parser.read_string(shown[setup.layout.places.grafana / "grafana.ini"].text)
    return parser


def provisioned(setup: Setup, name: str) -> Any:
    """Return a file of the folder `provisioning`, parsed."""
    return yaml.safe_load(files(setup)[setup.layout.places.grafana / "provisioning" / name].text)


def as_grafana_reads(text: str, files_: Mapping[str, str]) -> str:
    """Expand a value of a data source: `$$` is a dollar sign, `$__file{…}` a file, `$NAME` a variable nobody has."""
    parts = []
    for part in text.split("$$"):
        expanded = re.sub(r"\$__file{([^}]+)}", lambda found: files_[found[1]].strip(), part)
        parts.append(re.sub(r"\$(\w+|{[^}]*})", "", expanded))
    return "$".join(parts)


def sources(setup: Setup, token: str = "made-later") -> list[dict[str, Any]]:  # noqa: S107  # made up
    """Return the data sources as Grafana understands them."""
    known = {str(setup.layout.places.grafana / "token"): f"{token}\n"}

    def read(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: read(inner) for key, inner in value.items()}
        return as_grafana_reads(value, known) if isinstance(value, str) else value

    document = provisioned(setup, "datasources/shelly.yaml")
    assert (document["apiVersion"], document["prune"]) == (1, True)
    return [read(source) for source in document["datasources"]]


def test_without_boards_or_database_there_is_no_grafana(tmp_path: Path) -> None:
    for options in (Options(boards=Boards(enabled=False)), Options(database=Database(mode=DatabaseMode.OFF))):
        setup = setup_of(tmp_path, options=options)
        assert not enabled(setup)
        assert files(setup) == {}
    assert enabled(setup_of(tmp_path))


def test_how_it_is_started(tmp_path: Path) -> None:
    setup = setup_of(tmp_path)
    ini = str(setup.layout.places.grafana / "grafana.ini")
    assert command(setup) == ("grafana", "server", "--homepath", "/usr/share/grafana", "--config", ini)


@pytest.mark.parametrize("supervised", [True, False])
def test_it_listens_on_loopback_and_writes_to_its_own_folder(tmp_path: Path, supervised: bool) -> None:
    setup = setup_of(tmp_path, supervised=supervised)
    places = setup.layout.places
    ini = settings(setup)
    assert ini["server"]["http_addr"] == "127.0.0.1"
    assert ini["server"]["http_port"] == str(setup.layout.ports.grafana)
    written = [ini["paths"][name] for name in ("data", "logs", "plugins")] + [ini["database"]["path"]]
    assert all(Path(path).is_relative_to(places.grafana_data) for path in written)
    assert ini["database"]["wal"] == "true"
    assert (ini["log"]["mode"], ini["live"]["max_connections"]) == ("console", "0")


@pytest.mark.parametrize("supervised", [True, False])
def test_it_calls_nobody(tmp_path: Path, supervised: bool) -> None:
    ini = settings(setup_of(tmp_path, supervised=supervised))
    off = {
        "analytics": ["reporting_enabled", "check_for_updates", "check_for_plugin_updates", "feedback_links_enabled"],
        "news": ["news_feed_enabled"],
        "snapshots": ["external_enabled"],
        "public_dashboards": ["enabled"],
        "cloud_migration": ["enabled"],
        "plugins": ["plugin_admin_enabled", "preinstall_auto_update", "public_key_retrieval_on_startup"],
        "auth.anonymous": ["enabled"],
        "users": ["allow_sign_up", "allow_org_create"],
    }
    on = {
        "plugins": ["preinstall_disabled", "public_key_retrieval_disabled"],
        "security": ["disable_gravatar", "allow_embedding"],
    }
    for expected, keys in (("false", off), ("true", on)):
        said = {f"{section}.{key}": ini[section][key] for section, names in keys.items() for key in names}
        assert said == dict.fromkeys(said, expected)


def test_with_supervisor_the_gateway_says_who_somebody_is(tmp_path: Path) -> None:
    setup = setup_of(tmp_path, options=Options(boards=Boards(role=Role.EDITOR)))
    rendered = files(setup)
    ini = settings(setup, rendered)
    assert dict(ini["auth.proxy"]) == {
        "enabled": "true",
        "header_name": "X-WEBAUTH-USER",
        "header_property": "username",
        "headers": "Name:X-WEBAUTH-NAME Role:X-WEBAUTH-ROLE",
        "auto_sign_up": "true",
        "whitelist": "127.0.0.1",
        "enable_login_token": "false",
    }
    assert (ini["auth"]["disable_login_form"], ini["auth.basic"]["enabled"]) == ("true", "false")
    assert ini["security"]["disable_initial_admin_creation"] == "true"
    assert "admin_password" not in ini["security"]
    assert "secret-6" not in "".join(file.text for file in rendered.values())
    assert ini["users"]["auto_assign_org_role"] == "Editor"
    assert ini["server"]["root_url"].endswith(f":{setup.layout.ports.gateway}{ENTRY}/")
    assert ini["server"]["serve_from_sub_path"] == "false"


def test_without_supervisor_grafana_has_a_login(tmp_path: Path) -> None:
    setup = setup_of(tmp_path, supervised=False)
    rendered = files(setup)
    ini = settings(setup, rendered)
    assert (ini["auth.proxy"]["enabled"], ini["auth"]["disable_login_form"]) == ("false", "false")
    assert (ini["security"]["admin_user"], ini["security"]["cookie_secure"]) == ("admin", "false")
    path = setup.layout.places.grafana / "admin-password"
    assert ini["security"]["admin_password"] == f"$__file{{{path}}}"
    assert rendered[path].text.strip() == "secret-6"
    assert ini["server"]["root_url"] == f"http://shelly:{setup.layout.ports.gateway}/"


def test_cookies_are_for_https_where_there_is_a_certificate(tmp_path: Path) -> None:
    setup = setup_of(tmp_path, supervised=False, certificate=("a.pem", "b.pem"))
    ini = settings(setup)
    assert ini["security"]["cookie_secure"] == "true"
    assert ini["server"]["root_url"] == f"https://shelly:{setup.layout.ports.https}/"


@pytest.mark.parametrize("supervised", [True, False])
def test_secrets_are_for_grafana_alone(tmp_path: Path, supervised: bool) -> None:
    setup = setup_of(tmp_path, supervised=supervised)
    setup = replace(setup, layout=replace(setup.layout, accounts=Accounts(grafana="grafana")))
    rendered = files(setup)
    assert {(file.owner, file.mode) for file in rendered.values()} == {("grafana", 0o600)}
    key = setup.layout.places.grafana / "secret-key"
    assert settings(setup, rendered)["security"]["secret_key"] == f"$__file{{{key}}}"
    assert rendered[key].text.strip() == "secret-5"
    assert "secret-" not in rendered[setup.layout.places.grafana / "grafana.ini"].text.replace("secret-key", "")
    others = ("secret-1", "secret-2", "secret-3", "secret-4")
    assert not [secret for secret in others for file in rendered.values() if secret in file.text]


@pytest.mark.parametrize(
    ("level", "expected"),
    [(LogLevel.DEBUG, "debug"), (LogLevel.INFO, "info"), (LogLevel.WARNING, "warn"), (LogLevel.ERROR, "error")],
)
def test_how_much_it_says(tmp_path: Path, level: LogLevel, expected: str) -> None:
    assert settings(setup_of(tmp_path, options=Options(log_level=level)))["log"]["level"] == expected


def test_our_own_database_is_read_with_the_token_that_is_made_later(tmp_path: Path) -> None:
    setup = setup_of(tmp_path)
    readings, rollups = sources(setup, "t0ken")
    assert readings == {
        "name": "Shelly",
        "uid": "shelly-influxdb",
        "orgId": 1,
        "type": "influxdb",
        "access": "proxy",
        "url": f"http://127.0.0.1:{setup.layout.ports.influxdb}",
        "isDefault": True,
        "editable": False,
        "jsonData": {
            "product": "InfluxDB OSS 2.x",
            "version": "InfluxQL",
            "dbName": "shelly",
            "httpMode": "POST",
            "maxSeries": 1000,
            "httpHeaderName1": "Authorization",
        },
        "secureJsonData": {"httpHeaderValue1": "Token t0ken"},
    }
    assert (rollups["uid"], rollups["isDefault"], rollups["jsonData"]["dbName"]) == (
        "shelly-rollups",
        False,
        "shelly_rollups",
    )
    assert rollups["secureJsonData"] == readings["secureJsonData"]


def test_our_own_database_has_our_own_names(tmp_path: Path) -> None:
    setup = setup_of(tmp_path, options=Options(database=Database(bucket="x", rollup_bucket="y", token="z")))
    assert [source["jsonData"]["dbName"] for source in sources(setup)] == ["shelly", "shelly_rollups"]


@pytest.mark.parametrize(
    ("access", "user", "secret"),
    [
        ({}, None, None),
        ({"token": "w$$t"}, None, {"httpHeaderValue1": "Token w$$t"}),
        ({"token": "w", "reader_token": "r${HOME}"}, None, {"httpHeaderValue1": "Token r${HOME}"}),
        ({"username": "w"}, "w", None),
        ({"username": "w", "password": "$HOME"}, "w", {"password": "$HOME"}),
        ({"username": "w", "password": "p", "reader_username": "$r", "reader_password": "q"}, "$r", {"password": "q"}),
        ({"token": "w", "reader_username": "r", "reader_password": "q"}, "r", {"password": "q"}),
    ],
)
def test_an_external_database_is_read_with_the_least_rights_given(
    tmp_path: Path, access: dict[str, Any], user: str | None, secret: dict[str, str] | None
) -> None:
    setup = setup_of(tmp_path, options=Options(database=replace(EXTERNAL, **access)))
    for source, bucket in zip(sources(setup), ("power", "hours"), strict=True):
        assert source["url"] == "http://influx.example:8086"
        assert source["jsonData"]["dbName"] == bucket
        assert (source.get("user"), source.get("secureJsonData")) == (user, secret)
        named = source["jsonData"].get("httpHeaderName1")
        assert named == ("Authorization" if secret is not None and "httpHeaderValue1" in secret else None)


@pytest.mark.parametrize(
    ("kind", "product"),
    [
        (DatabaseKind.INFLUXDB1, "InfluxDB OSS 1.x"),
        (DatabaseKind.INFLUXDB2, "InfluxDB OSS 2.x"),
        (DatabaseKind.INFLUXDB3, "InfluxDB OSS 3.x"),
    ],
)
def test_every_kind_of_database_is_asked_in_influxql(tmp_path: Path, kind: DatabaseKind, product: str) -> None:
    setup = setup_of(tmp_path, options=Options(database=replace(EXTERNAL, kind=kind)))
    for source in sources(setup):
        assert (source["jsonData"]["product"], source["jsonData"]["version"]) == (product, "InfluxQL")


def test_boards_are_where_grafana_looks(tmp_path: Path) -> None:
    options = Options(boards=Boards(price_per_kwh=0.42), alerts=Alerts(breaker_a=63), time_zone="Asia/Tokyo")
    setup = setup_of(tmp_path, options=options)
    rendered = files(setup)
    (provider,) = provisioned(setup, "dashboards/shelly.yaml")["providers"]
    folder = Path(provider["options"]["path"])
    assert {path.name for path in rendered if path.parent == folder} == {"a.json", "b.json"}
    given = {"folder": str(setup.layout.places.boards), "zone": "Asia/Tokyo", "price": 0.42, "breaker": 63}
    assert json.loads(rendered[folder / "b.json"].text) == {"uid": "shelly-live", **given}
    assert (provider["folder"], provider["allowUiUpdates"]) == ("Shelly", False)
    ini = settings(setup, rendered)
    assert ini["dashboards"]["default_home_dashboard_path"] == str(folder / "b.json")
    assert ini["date_formats"]["default_timezone"] == "Asia/Tokyo"


def test_without_the_live_board_grafana_has_its_own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shelly_boards.render", lambda *_: {"a.json": '{"uid": "shelly-energy"}'})
    assert "default_home_dashboard_path" not in settings(setup_of(tmp_path))["dashboards"]


def test_alerts_go_to_control_with_its_token(tmp_path: Path) -> None:
    setup = setup_of(tmp_path, options=Options(alerts=Alerts(voltage_max=250.5, offline_minutes=7)))
    (contact,) = provisioned(setup, "alerting/contact-points.yaml")["contactPoints"]
    (receiver,) = contact["receivers"]
    assert (contact["name"], receiver["type"], receiver["disableResolveMessage"]) == (
        "Home Assistant",
        "webhook",
        False,
    )
    assert receiver["settings"] == {
        "url": f"http://127.0.0.1:{setup.layout.ports.control}/alerts",
        "httpMethod": "POST",
        "authorization_scheme": "Bearer",
        "authorization_credentials": "secret-7",
    }
    (group,) = provisioned(setup, "alerting/rules.yaml")["groups"]
    assert (group["rules"][0]["title"], group["rules"][0]["for"]) == ("250.5 V", "7m")


def test_switched_off_alerts_are_removed_and_their_receiver_stays(tmp_path: Path) -> None:
    setup = with_options(setup_of(tmp_path), Options(alerts=Alerts(enabled=False)))
    assert provisioned(setup, "alerting/rules.yaml") == {
        "apiVersion": 1,
        "deleteRules": [{"orgId": 1, "uid": "shelly-voltage"}, {"orgId": 1, "uid": "shelly-offline"}],
    }
    assert "contactPoints" in provisioned(setup, "alerting/contact-points.yaml")


@pytest.mark.parametrize("alerts", [True, False])
def test_the_persons_own_notification_policies_stay(tmp_path: Path, alerts: bool) -> None:
    rendered = files(with_options(setup_of(tmp_path), Options(alerts=Alerts(enabled=alerts))))
    documents = [yaml.safe_load(file.text) for path, file in rendered.items() if path.suffix == ".yaml"]
    assert len(documents) == 5
    assert not [document for document in documents if {"policies", "resetPolicies"} & set(document)]
