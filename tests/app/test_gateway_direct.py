"""The gateway without Supervisor: browsers come directly, and Grafana asks them who they are."""

import datetime as dt
import ssl
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shelly_app.gateway import files
from shelly_app.options import Boards, Database, DatabaseMode, LogLevel, Options, OptionsError
from shelly_app.places import Accounts
from tests.app.gateway_stage import ENTRY, USER, Upstream, browser, gateway, nginx_of, served, setup_of, with_options

NAMES = ("web.pem", "web-key.pem")
LIES = {"X-WEBAUTH-USER": "admin", "x-webauth-role": "Admin", **USER}


def give_certificate(folder: Path) -> ssl.SSLContext:
    """Put certificate and key for 127.0.0.1 into `folder`; returns who trusts them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shelly")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, form, unlocked = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAMES[0]).write_bytes(certificate.public_bytes(pem))
    (folder / NAMES[1]).write_bytes(key.private_bytes(pem, form, unlocked))
    return ssl.create_default_context(cafile=str(folder / NAMES[0]))


async def test_grafana_decides_who_somebody_is(tmp_path: Path) -> None:
    setup = setup_of(tmp_path, supervised=False)
    sent = {**LIES, "Cookie": "grafana_session=1", "Origin": "http://shelly:8099", "Authorization": "Bearer token"}
    sent["Host"] = "shelly:8099"
    async with (
        gateway(setup, control=False) as stage,
        stage.session.get("/d/shelly-live", headers=sent) as response,
    ):
        assert response.headers["Set-Cookie"] == "grafana=1"
        heard = (await response.json())["headers"]
    assert not [name for name in heard if name.startswith(("x-webauth", "x-remote-user"))]
    assert (heard["cookie"], heard["origin"]) == ("grafana_session=1", "http://shelly:8099")
    assert (heard["host"], heard["authorization"]) == ("shelly:8099", "Bearer token")
    assert (heard["x-forwarded-proto"], heard["x-forwarded-for"]) == ("http", "127.0.0.2")


async def test_where_somebody_comes_from_cannot_be_claimed(tmp_path: Path) -> None:
    async with gateway(setup_of(tmp_path, supervised=False), control=False) as stage:
        heard = (await stage.get(**{"X-Forwarded-For": "10.0.0.1", "X-Real-IP": "10.0.0.1"}))["headers"]
    assert (heard["x-forwarded-for"], heard["x-real-ip"]) == ("127.0.0.2", "127.0.0.2")


@pytest.mark.parametrize(
    ("location", "expected"),
    [("/login", "/login"), ("http://localhost:3000/login", "/login"), (f"{ENTRY}/login", f"{ENTRY}/login")],
)
async def test_redirections_stay_on_the_host_of_the_browser(tmp_path: Path, location: str, expected: str) -> None:
    async with (
        gateway(setup_of(tmp_path, supervised=False), control=False) as stage,
        stage.session.get("/moved", params={"to": location}, allow_redirects=False) as response,
    ):
        assert (response.status, response.headers["Location"]) == (302, expected)


async def test_pages_stand_in_for_grafana(tmp_path: Path) -> None:
    setup = setup_of(tmp_path, supervised=False)
    async with gateway(setup, grafana=False, control=False) as stage, stage.session.get("/d/x") as response:
        assert response.status == 503
        assert "Grafana is starting" in await response.text()
    setup = with_options(setup, Options(database=Database(mode=DatabaseMode.OFF)))
    async with (
        gateway(setup, control=False) as stage,
        stage.session.get("/d/x", headers={"Accept-Language": "DE"}) as response,
    ):
        assert response.status == 200
        assert "Die Übersichten sind ausgeschaltet" in await response.text()


async def test_a_certificate_gives_https(tmp_path: Path) -> None:
    setup = setup_of(tmp_path, supervised=False, certificate=NAMES)
    trusting = give_certificate(setup.layout.places.ssl)
    ports = setup.layout.ports
    async with (
        served(Upstream().application, ports.grafana),
        nginx_of(setup, ports.https),
        aiohttp.ClientSession(f"https://localhost:{ports.https}", headers=LIES) as session,
    ):
        async with session.get("/", ssl=trusting) as response:
            heard = (await response.json())["headers"]
        async with session.ws_connect("/ws", ssl=trusting, headers={"X-WEBAUTH-USER": "admin"}) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str(timeout=5) == "nobody says hello"
        async with browser(f"http://127.0.0.1:{ports.gateway}", "127.0.0.1") as local:
            async with local.get("/healthz") as response:
                assert response.status == 200
            async with local.get("/") as response:
                assert response.status == 404
    assert heard["x-forwarded-proto"] == "https"
    assert not [name for name in heard if name.startswith(("x-webauth", "x-remote-user"))]


def test_the_key_is_for_nginx_alone(tmp_path: Path) -> None:
    setup = setup_of(tmp_path, supervised=False, certificate=NAMES)
    give_certificate(setup.layout.places.ssl)
    setup = replace(setup, layout=replace(setup.layout, accounts=Accounts(nginx="www-data")))
    rendered = files(setup)
    key = rendered[setup.layout.places.nginx / "certificate-key.pem"]
    assert (key.owner, key.mode) == ("www-data", 0o600)
    assert "PRIVATE KEY" in key.text
    assert {file.owner for file in rendered.values()} == {"www-data"}
    assert "user root" not in rendered[setup.layout.places.nginx / "nginx.conf"].text


@pytest.mark.parametrize(("missing", "key"), [(0, "APP_HTTPS_CERTFILE"), (1, "APP_HTTPS_KEYFILE")])
def test_a_missing_file_is_said_with_the_remedy(tmp_path: Path, missing: int, key: str) -> None:
    setup = setup_of(tmp_path, supervised=False, certificate=NAMES)
    give_certificate(setup.layout.places.ssl)
    (setup.layout.places.ssl / NAMES[missing]).unlink()
    with pytest.raises(OptionsError) as caught:
        files(setup)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{key}: {setup.layout.places.ssl / NAMES[missing]} is not such a file: give ")


@pytest.mark.parametrize("supervised", [True, False])
@pytest.mark.parametrize("certificate", [None, NAMES], ids=["plain", "https"])
@pytest.mark.parametrize("boards", [True, False])
@pytest.mark.parametrize("level", [LogLevel.DEBUG, LogLevel.ERROR])
async def test_nginx_likes_its_files(
    tmp_path: Path, supervised: bool, certificate: tuple[str, str] | None, boards: bool, level: LogLevel
) -> None:
    options = Options(log_level=level, boards=Boards(enabled=boards))
    setup = setup_of(tmp_path, supervised=supervised, certificate=certificate, options=options)
    give_certificate(setup.layout.places.ssl)
    await nginx_of(setup).check()
