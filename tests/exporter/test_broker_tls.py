"""Encrypted connections to a real Mosquitto, with an authority made here."""

import ssl
import subprocess
from pathlib import Path

import pytest

from shelly_exporter.broker.options import no_connection
from shelly_exporter.settings import Mqtt, Tls
from tests.exporter.broker_stage import Stage, mosquitto, running, settings_for, tls_mosquitto

EXPIRED = 10


def _openssl(directory: Path, *arguments: str) -> None:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    subprocess.run(
        ["openssl", "req", "-x509", *curve, *arguments],  # noqa: S607
        cwd=directory,
        check=True,
        capture_output=True,
    )


def _authority(directory: Path, name: str) -> None:
    # Without the extensions that strict verification asks for, as people make them at home.
    _openssl(directory, "-subj", f"/CN={name}", "-days", "2", "-keyout", f"{name}.key", "-out", f"{name}.pem")


def _certificate(directory: Path, name: str, authority: str, names: str) -> None:
    signer = ("-CA", f"{authority}.pem", "-CAkey", f"{authority}.key")
    extension = ("-addext", f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE")
    files = ("-keyout", f"{name}.key", "-out", f"{name}.pem")
    _openssl(directory, "-subj", f"/CN={name}", "-days", "1", *signer, *extension, *files)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates: `ca` signed `broker` and `client`, `stranger` signed `impostor`."""
    directory = tmp_path_factory.mktemp("tls")
    _authority(directory, "ca")
    _authority(directory, "stranger")
    _certificate(directory, "broker", "ca", "IP:127.0.0.1")
    _certificate(directory, "client", "ca", "DNS:exporter")
    _certificate(directory, "impostor", "stranger", "DNS:exporter")
    return directory


def _settings(port: int, files: Path, *, ca: str = "ca", client: str | None = None, host: str = "127.0.0.1") -> Mqtt:
    certificate, key = (None, None) if client is None else (files / f"{client}.pem", files / f"{client}.key")
    return Mqtt(host=host, port=port, tls=Tls(ca=files / f"{ca}.pem", certificate=certificate, key=key))


async def _exchange(stage: Stage) -> None:
    await stage.connected()
    # Several records of TLS at once, and more than one read takes.
    for number in range(20):
        stage.broker.publish("meter/a", b"%02d" % number * 10_000)
    await stage.got(20)
    assert stage.payloads == [b"%02d" % number * 10_000 for number in range(20)]
    stage.broker.acknowledge(stage.receipts)


async def test_messages_arrive_encrypted(files: Path) -> None:
    async with tls_mosquitto(files, client_certificates=False) as port, running(_settings(port, files)) as stage:
        await _exchange(stage)


async def test_a_client_certificate_is_shown(files: Path) -> None:
    settings = {"client": "client"}
    async with (
        tls_mosquitto(files, client_certificates=True) as port,
        running(_settings(port, files, **settings)) as stage,
    ):
        await _exchange(stage)


@pytest.mark.parametrize("client", [None, "impostor"])
async def test_a_missing_or_wrong_client_certificate_is_told(files: Path, client: str | None) -> None:
    async with (
        tls_mosquitto(files, client_certificates=True) as port,
        running(_settings(port, files, client=client)) as stage,
    ):
        await stage.said("mqtt.tls.certificate")
        assert stage.states == [(False, stage.broker.reason)]


async def test_a_broker_that_another_authority_signed_is_not_trusted(files: Path) -> None:
    async with (
        tls_mosquitto(files, client_certificates=False) as port,
        running(_settings(port, files, ca="stranger")) as stage,
    ):
        await stage.said("the broker's certificate is not trusted")
        assert "mqtt.tls.ca" in stage.reason


async def test_a_certificate_for_another_name_is_told(files: Path) -> None:
    async with (
        tls_mosquitto(files, client_certificates=False) as port,
        running(_settings(port, files, host="localhost")) as stage,
    ):
        await stage.said("the broker's certificate is not for 'localhost': set mqtt.host")


async def test_tls_without_an_authority_trusts_whom_the_system_trusts(files: Path) -> None:
    async with (
        tls_mosquitto(files, client_certificates=False) as port,
        running(Mqtt(port=port, tls=Tls())) as stage,
    ):
        await stage.said("the broker's certificate is not trusted")


async def test_no_tls_where_the_broker_wants_it_is_told(files: Path) -> None:
    async with tls_mosquitto(files, client_certificates=False) as port, running(Mqtt(port=port)) as stage:
        await stage.said("if it wants TLS, set mqtt.tls")


async def test_tls_where_the_broker_does_not_speak_it_is_told(files: Path, tmp_path: Path) -> None:
    async with (
        mosquitto(tmp_path) as server,
        running(settings_for(server, tls=Tls(ca=files / "ca.pem"))) as stage,
    ):
        await stage.said(f"127.0.0.1:{server.port} does not speak TLS")
        assert "remove mqtt.tls" in stage.reason


@pytest.mark.parametrize(
    ("tls", "key"),
    [
        (Tls(ca=Path("/nowhere/ca.pem")), "mqtt.tls.ca: /nowhere/ca.pem"),
        (Tls(ca=Path(__file__)), "mqtt.tls.ca: "),
        (Tls(certificate=Path("/nowhere/a.pem"), key=Path("/nowhere/a.key")), "mqtt.tls.certificate and mqtt.tls.key"),
    ],
)
async def test_unreadable_files_are_told(tls: Tls, key: str) -> None:
    async with running(Mqtt(tls=tls)) as stage:
        await stage.said(key)


def test_an_expired_certificate_is_told() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = EXPIRED, "certificate has expired"
    assert no_connection(error, Mqtt()) == "the broker's certificate has expired: renew it on the broker"
