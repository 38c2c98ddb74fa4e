"""Encrypted connections to our broker: whom clients trust, and whom the broker lets in."""

import asyncio
import datetime as dt
import ssl
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest
from cryptography import x509

from shelly_app.broker import certificates
from shelly_app.broker.authority import Identity, make_authority, make_client, make_server
from shelly_app.options import Mqtt, Options, Tls, TlsMode
from shelly_app.setup import Setup
from tests.stack.app_broker import AppBroker, broker_setup, lets_in
from tests.stack.processes import accepts, wait_until

NOW = dt.datetime.now(dt.UTC)
FOREIGN = make_authority(NOW)


def encrypted(folder: Path, tls: Tls) -> Setup:
    return broker_setup(folder, Options(mqtt=Mqtt(tls=tls)))


def generated(folder: Path, *, require_certificate: bool = False) -> Setup:
    return encrypted(folder, Tls(mode=TlsMode.GENERATED, require_certificate=require_certificate))


def trusting(setup: Setup) -> ssl.SSLContext:
    """Return the context of a client that trusts our authority, and is strict."""
    context = ssl.create_default_context(cafile=certificates.authority_path(setup.layout.places))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def showing(context: ssl.SSLContext, identity: Identity, folder: Path) -> ssl.SSLContext:
    """Let `context` show a certificate."""
    folder.mkdir(exist_ok=True)
    (folder / "shown.pem").write_text(identity.certificate_pem)
    (folder / "shown.key").write_text(identity.key_pem)
    context.load_cert_chain(folder / "shown.pem", folder / "shown.key")
    return context


async def refusal(broker: AppBroker, context: ssl.SSLContext) -> str | None:
    """Return why the broker ends a connection before there is talk of a login."""
    with pytest.raises(ssl.SSLError) as caught:  # noqa: PT012  # with TLS 1.3 it comes after the handshake
        reader, _ = await asyncio.open_connection(broker.host, broker.setup.layout.ports.mqtts, ssl=context)
        async with asyncio.timeout(10):
            await reader.read()
    return caught.value.reason


async def certificate_shown(broker: AppBroker) -> x509.Certificate:
    """Return what the broker shows to whoever connects."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection(broker.host, broker.setup.layout.ports.mqtts, ssl=context)
    line = writer.get_extra_info("ssl_object")
    assert isinstance(line, ssl.SSLObject)
    shown = line.getpeercert(binary_form=True)
    writer.close()
    assert shown is not None
    return x509.load_der_x509_certificate(shown)


async def test_who_trusts_our_authority_connects_and_the_plain_port_stays(tmp_path: Path) -> None:
    async with AppBroker(generated(tmp_path)) as broker:
        for name in ("homeassistant", "shelly-exporter"):
            assert await lets_in(broker.client(name, tls=trusting(broker.setup)))
        assert not await lets_in(broker.client("homeassistant", "wrong", tls=trusting(broker.setup)))
        assert await lets_in(broker.client("homeassistant"))


async def test_who_does_not_trust_our_authority_does_not_connect(tmp_path: Path) -> None:
    async with AppBroker(generated(tmp_path)) as broker:
        with pytest.raises((aiomqtt.MqttError, ssl.SSLError), match=r"CERTIFICATE_VERIFY_FAILED|certificate verify"):
            await lets_in(broker.client("homeassistant", tls=ssl.create_default_context()))


async def test_no_encryption_no_port(tmp_path: Path) -> None:
    async with AppBroker(encrypted(tmp_path, Tls())) as broker:
        assert not await accepts(broker.setup.layout.ports.mqtts)


async def test_a_required_certificate_is_ours_and_a_password_is_needed_all_the_same(tmp_path: Path) -> None:
    async with AppBroker(generated(tmp_path, require_certificate=True)) as broker:
        places = broker.setup.layout.places
        ours, bare, alike = (trusting(broker.setup) for _ in range(3))
        ours.load_cert_chain(*certificates.client_paths(places))
        foreign = showing(trusting(broker.setup), make_client(FOREIGN, "client", NOW), tmp_path / "foreign")
        # The broker's own, should it ever get lost, is none for clients.
        alike.load_cert_chain(places.certificates / "server.pem", places.certificates / "server.key")
        assert await lets_in(broker.client("homeassistant", tls=ours))
        assert not await lets_in(broker.client("homeassistant", "wrong", tls=ours))
        assert await refusal(broker, bare) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        assert await refusal(broker, foreign) == "TLSV1_ALERT_UNKNOWN_CA"
        assert await refusal(broker, alike) == "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"
        assert await lets_in(broker.client("homeassistant", tls=ours))


async def test_ones_own_certificate_and_authority(tmp_path: Path) -> None:
    setup = encrypted(tmp_path, Tls(mode=TlsMode.OWN, cafile="people.pem", require_certificate=True))
    server, people = make_server(FOREIGN, ("localhost", "127.0.0.1"), NOW), make_authority(NOW)
    setup.layout.places.ssl.mkdir()
    texts = {
        "fullchain.pem": server.certificate_pem + FOREIGN.certificate_pem,
        "privkey.pem": server.key_pem,
        "people.pem": people.certificate_pem,
        "trusted.pem": FOREIGN.certificate_pem,
    }
    for name, text in texts.items():
        (setup.layout.places.ssl / name).write_text(text)
    contexts = [
        showing(
            ssl.create_default_context(cafile=setup.layout.places.ssl / "trusted.pem"),
            make_client(authority, "client", NOW),
            tmp_path / "shown",
        )
        for authority in (people, FOREIGN)
    ]
    async with AppBroker(setup) as broker:
        assert await lets_in(broker.client("homeassistant", tls=contexts[0]))
        assert await refusal(broker, contexts[1]) == "TLSV1_ALERT_UNKNOWN_CA"


async def test_a_renewed_certificate_is_shown_after_a_reload_and_nobody_is_thrown_out(tmp_path: Path) -> None:
    async with AppBroker(generated(tmp_path)) as broker:
        first = await certificate_shown(broker)
        setup = broker.setup
        async with broker.client("homeassistant", tls=trusting(setup)) as home:
            await home.subscribe("still/here")
            broker.reload(replace(setup, home=replace(setup.home, addresses=("192.0.2.99",))))

            async def renewed() -> bool:
                return (await certificate_shown(broker)).serial_number != first.serial_number

            await wait_until(renewed, 10, "the broker shows its new certificate")
            await home.publish("still/here", b"yes", qos=1)
            async with asyncio.timeout(10):
                assert (await anext(home.messages)).payload == b"yes"
            assert await lets_in(broker.client("addons", tls=trusting(setup)))
