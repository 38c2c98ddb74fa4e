"""`config.yaml` and what belongs to it: as Supervisor and the linter take it, with exactly the options of the model."""

import tomllib
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import voluptuous as vol
import yaml

from shelly_app.options import Login, Options, load
from shelly_app.options.schema import KEYS
from shelly_app.places import Ports
from tests.app import supervisor_rules
from tests.app.pairwise import combinations
from tests.repository.sources import ROOT, files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

APP = ROOT / "addon"
CONFIG: Mapping[str, Any] = yaml.safe_load((APP / "config.yaml").read_text())
LANGUAGES = ("en", "de")


def translation(language: str) -> dict[str, Any]:
    return dict(yaml.safe_load((APP / "translations" / f"{language}.yaml").read_text()))


def plain(value: Any) -> Any:
    """The value as it stands in a file, without what is not given."""
    match value:
        case dict():
            return {name: plain(item) for name, item in value.items() if item is not None}
        case list() | tuple():
            return [plain(item) for item in value]
    return str(value) if isinstance(value, StrEnum) else value


def types(kind: type[Any] = Options) -> Iterator[tuple[tuple[str, ...], Field[Any], str]]:
    """Every option of the model: its path, its field, and the type of option that belongs to it."""
    for field in fields(kind):
        if field.type == tuple[Login, ...]:
            yield from (((field.name, *path), inner, name) for path, inner, name in types(Login))
        elif isinstance(field.type, type) and is_dataclass(field.type):
            yield from (((field.name, *path), inner, name) for path, inner, name in types(field.type))
        else:
            yield (field.name,), field, _type(field)


def _type(field: Field[Any]) -> str:
    if not field.repr:
        return "password"
    if field.type == tuple[str, ...]:
        return "list of texts"
    given: Any = field.type
    kind = next(each for each in getattr(given, "__args__", (given,)) if each is not type(None))
    return f"list({'|'.join(kind)})" if issubclass(kind, StrEnum) else str(kind.__name__)


def in_schema(path: tuple[str, ...], schema: Any = CONFIG["schema"]) -> Any:
    for name in path:
        schema = (schema[0] if isinstance(schema, list) else schema)[name]
    return schema


def test_supervisor_takes_it() -> None:
    supervisor_rules.CONFIGURATION(CONFIG)


def test_the_linter_takes_it() -> None:
    assert list(supervisor_rules.useless(CONFIG)) == []
    assert not CONFIG.keys() & {"watchdog", "webui", "advanced", "codenotary", "squash"}
    assert not (APP / "build.yaml").exists()
    assert not (CONFIG.get("backup") == "cold" and CONFIG.keys() & {"backup_pre", "backup_post"})


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"slug": "shelly pro"}, "slug"),
        ({"version": 0.1}, "version"),
        ({"services": ["influxdb:provide"]}, "services"),
        ({"map": ["app_config:rw"]}, "map"),
        ({"ports": {"1883": 1883}}, "ports"),
        ({"timeout": 600}, "timeout"),
        ({"image": "ghcr.io/Shelly/app:1"}, "image"),
        ({"arch": ["armv7"]}, "arch"),
        ({"watchdog": "tcp://[HOST]:1883"}, "watchdog"),
        ({"panel_titel": "x"}, "panel_titel"),
        ({"schema": {"log_level": "string"}}, "schema"),
        ({"schema": {"logins": [["str"]]}}, "schema"),
        ({"schema": {"logins": ["str", "int"]}}, "schema"),
        ({"schema": {"days": "int(1,)?x"}}, "schema"),
    ],
)
def test_the_rules_restated_here_find_mistakes(change: dict[str, Any], place: str) -> None:
    with pytest.raises(vol.MultipleInvalid) as caught:
        supervisor_rules.CONFIGURATION({**CONFIG, **change})
    assert {str(error.path[0]) for error in caught.value.errors} == {place}
    assert list(supervisor_rules.useless({**CONFIG, "ingress_port": 8099, "boot": "auto", "uart": False})) == [
        "boot",
        "ingress_port",
        "uart",
    ]


def test_it_is_what_is_installed_and_found() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert CONFIG["version"] == project["version"]
    assert CONFIG["slug"] == "shelly_pro"  # for ever: another one is another app, without history
    assert CONFIG["image"] == "ghcr.io/shelly-pro/app-shelly-pro"
    assert CONFIG["arch"] == ["aarch64", "amd64"]
    assert CONFIG["init"] is False  # s6-overlay 3 is process 1
    assert CONFIG["startup"] == "services"
    assert CONFIG["ulimits"]["nofile"] >= 65535
    assert CONFIG["timeout"] >= 120


def test_it_asks_for_the_rights_it_needs_and_no_more() -> None:
    assert CONFIG["services"] == ["mqtt:provide"]
    assert CONFIG["discovery"] == ["mqtt", "shelly_pro"]
    assert CONFIG["map"] == ["addon_config:rw", "ssl"]
    rights = {key for key, value in CONFIG.items() if value is True and key in supervisor_rules.SWITCHES_OFF}
    assert rights == {"auth_api", "homeassistant_api", "ingress", "ingress_stream", "tmpfs"}
    assert not CONFIG.keys() & {"hassio_role", "privileged", "devices", "environment"}


def test_the_security_rating_is_the_best_there_is() -> None:
    assert supervisor_rules.rating(CONFIG, profile=(APP / "apparmor.txt").is_file()) == 8


@pytest.mark.parametrize(
    ("app", "profile", "stars"),
    [
        ({}, False, 5),
        ({"ingress": True}, False, 7),
        ({"auth_api": True}, False, 6),
        ({"ingress": True, "auth_api": True, "hassio_role": "manager"}, True, 7),
        ({"ingress": True, "apparmor": False}, True, 6),
        ({"ingress": True, "host_network": True, "privileged": ["NET_ADMIN"]}, True, 6),
        ({"host_pid": True, "hassio_role": "admin", "kernel_modules": True}, False, 1),
        ({"ingress": True, "docker_api": True}, True, 1),
        ({"host_uts": True, "privileged": ["SYS_ADMIN"]}, True, 4),
    ],
)
def test_the_rating_counts_as_supervisor_does(app: dict[str, Any], *, profile: bool, stars: int) -> None:
    assert supervisor_rules.rating(app, profile=profile) == stars


def test_ports_are_those_the_services_listen_on() -> None:
    ports = Ports()
    assert CONFIG["ports"] == {f"{ports.mqtt}/tcp": 1883, f"{ports.mqtts}/tcp": 8883}
    assert CONFIG.get("ingress_port", supervisor_rules.KEYS["ingress_port"].default) == ports.gateway


def test_options_are_the_defaults_of_the_model() -> None:
    assert CONFIG["options"] == plain(asdict(Options()))
    assert load(CONFIG["options"]) == Options()


def test_options_are_in_the_order_of_the_model() -> None:
    def names(document: Any, above: str = "") -> Iterator[str]:
        for name, item in document.items():
            yield f"{above}{name}"
            if isinstance(item := item[0] if isinstance(item, list) else item, dict):
                yield from names(item, f"{above}{name}.")

    model = {".".join(path): number for number, (path, _, _) in enumerate(types())}
    there = [name for name in names(CONFIG["schema"]) if name in model]
    assert set(there) == set(model)
    assert [pair for pair in pairwise(there) if model[pair[0]] > model[pair[1]]] == []


def test_every_option_has_the_type_of_the_model() -> None:
    for path, field, kind in types():
        option = in_schema(path)
        if kind == "list of texts":
            assert isinstance(option, list)
            assert len(option) == 1
            assert option[0].startswith(("str", "match(^"))
            assert option[0].endswith("?")
            continue
        optional = "?" if field.default is None else ""
        assert option.endswith("?") == (field.default is None), path
        name = option.removesuffix("?").partition("(")[0]
        match kind:
            case "password" | "bool":
                assert option == kind + optional
            case "int" | "float":
                assert name in {"port", kind}
            case "str":
                assert name in {"str", "url", "match"}
            case _:
                assert option == kind
        if path != ("mqtt", "logins", "username"):
            assert (field.default is MISSING) == (kind == "list of texts"), path


def test_numbers_have_the_bounds_of_the_app() -> None:
    checked = 0
    for path, _, kind in types():
        if kind not in {"int", "float"} or (bounds := supervisor_rules.bounds(in_schema(path))) is None:
            continue
        validator = KEYS[".".join(path)]
        assert (validator(bounds[0]), validator(bounds[1])) == bounds
        for outside in (bounds[0] - 1, bounds[1] + 1):
            with pytest.raises(vol.Invalid):
                validator(outside)
        checked += 1
    assert checked == 8


def test_supervisor_takes_every_combination_that_the_app_takes() -> None:
    assert list(supervisor_rules.taken(CONFIG["schema"], CONFIG["options"])) == []
    for options in combinations():
        assert list(supervisor_rules.taken(CONFIG["schema"], plain(asdict(options)))) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mqtt": {"devices": ["shelly"]}}, [".mqtt.devices.0: 'shelly' is no match(^[A-Za-z0-9]+-[0-9A-Fa-f]{12}$)?"]),
        (
            {"mqtt": {"logins": [{"username": "a b", "topics": 1}, 7]}},
            [
                ".mqtt.logins.0.topics: is unknown",
                ".mqtt.logins.0.username: 'a b' is no match(^[A-Za-z0-9_.@-]{1,64}$)",
                ".mqtt.logins.1: is no section",
            ],
        ),
        ({"mqtt": {"mode": "any", "port": 0, "devices": "x", "tls": {"require_certificate": "yes"}}},
         [
             ".mqtt.mode: 'any' is no list(auto|internal|external)",
             ".mqtt.port: 0 is no port?",
             ".mqtt.tls.require_certificate: 'yes' is no bool",
             ".mqtt.devices: is no list",
         ]),
        ({"database": {"retention_days": 29, "url": "x", "bucket": 7}},
         [
             ".database.retention_days: 29 is no int(30,90)",
             ".database.url: 'x' is no url?",
             ".database.bucket: 7 is no str",
         ]),
        ({"boards": {"price_per_kwh": -1}}, [".boards.price_per_kwh: -1 is no float(0,100000)"]),
    ],
)  # fmt: skip
def test_supervisor_refuses_what_is_wrong(options: dict[str, Any], said: list[str]) -> None:
    section = next(iter(options))
    found = list(supervisor_rules.taken(CONFIG["schema"], {**CONFIG["options"], **options}))
    assert [each for each in found if not each.endswith("is missing")] == said
    missing = {each.removesuffix(": is missing") for each in found if each.endswith("is missing")}
    assert missing == {
        f".{section}.{name}"
        for name in CONFIG["options"][section].keys() - options[section].keys()
        if name != "devices"
    } | ({".mqtt.tls.mode", ".mqtt.tls.certfile", ".mqtt.tls.keyfile"} if "tls" in options[section] else set())


@pytest.mark.parametrize("language", LANGUAGES)
def test_supervisor_takes_the_translation(language: str) -> None:
    supervisor_rules.TRANSLATION(translation(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_option_and_every_port_is_explained(language: str) -> None:
    def compare(schema: Mapping[str, Any], texts: Mapping[str, Any]) -> None:
        assert list(texts) == list(schema)
        for name, kind in schema.items():
            assert texts[name]["description"].endswith((".", "-", "8086")), name
            inner = kind[0] if isinstance(kind, list) else kind
            compare(inner if isinstance(inner, dict) else {}, texts[name].get("fields", {}))

    document = translation(language)
    compare(CONFIG["schema"], document["configuration"])
    assert document["network"].keys() == CONFIG["ports"].keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_a_choice_is_explained(language: str) -> None:
    texts = translation(language)["configuration"]
    for path in ("mqtt.mode", "mqtt.tls.mode", "database.mode", "boards.role"):
        section, *rest = path.split(".")
        text = texts[section]
        for name in rest:
            text = text["fields"][name]
        for word in in_schema(tuple(path.split("."))).removeprefix("list(").removesuffix(")").split("|"):
            assert word in text["description"], path


def test_texts_speak_of_apps() -> None:
    texts = [path.read_text().lower() for path in (APP / "config.yaml", *(APP / "translations").iterdir())]
    assert len(texts) == 1 + len(LANGUAGES)
    assert [text for text in texts if "add-on" in text or "addon " in text] == []


def test_the_repository_is_one_of_apps() -> None:
    document = yaml.safe_load((ROOT / "repository.yaml").read_text())
    supervisor_rules.REPOSITORY(document)
    assert document["url"] == CONFIG["url"]


def test_there_is_exactly_one_app() -> None:
    """A second one, or what only looks like one, can keep Supervisor from reading the whole repository."""
    apps = [
        path.relative_to(ROOT).as_posix()
        for path in files()
        if path.match("config.*")
        and path.suffix in {".yaml", ".yml", ".json"}
        and not any(part.startswith(".") or part == "rootfs" for part in path.relative_to(ROOT).parts)
    ]
    assert apps == ["addon/config.yaml"]
