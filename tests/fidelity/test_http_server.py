"""The web server byte by byte: status lines, headers and bodies as captured from real devices."""

import asyncio
import hashlib
import json
import re

import pytest

from tests.fidelity.conftest import RunFleet
from tests.fidelity.raw_http import Answer, get, post, request_bytes, send
from tests.simulator.http_server import CHANNELS
from tests.simulator.options import OptionError

PASSWORD = "correct horse"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def authorization(challenge: str, method: str, target: str, nc: int = 1, password: str = PASSWORD) -> str:
    fields = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge.removeprefix("Digest ")))
    realm, nonce = fields["realm"], fields["nonce"]
    secret = sha(f"admin:{realm}:{password}")
    response = sha(f"{secret}:{nonce}:{nc:08x}:0a4f113b:auth:{sha(f'{method}:{target}')}")
    return (
        f'Digest username="admin", realm="{realm}", nonce="{nonce}", uri="{target}", algorithm=SHA-256, qop=auth, '
        f'nc={nc:08x}, cnonce="0a4f113b", response="{response}"'
    )


def assert_closes(answer: Answer) -> None:
    names = [name for name, _ in answer.headers]
    assert names[-3:] == ["Content-Length", "Server", "Connection"]
    assert answer.header("Server") == "ShellyHTTP/1.0.0"
    assert answer.header("Connection") == "close"
    assert int(answer.header("Content-Length")) == len(answer.body)
    assert "Date" not in names


async def test_info_needs_no_frame_and_closes(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3em")).unit("pro3em")
    answer = await get(unit.http.port, "/shelly")
    assert answer.status == "HTTP/1.1 200 OK"
    assert_closes(answer)
    assert answer.header("Content-Type") == "application/json"
    assert answer.json["id"] == unit.device.id
    assert (await get(unit.http.port, "/rpc/Shelly.GetDeviceInfo")).body == answer.body


async def test_keep_alive_is_not_granted(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    twice = request_bytes("GET", "/shelly", b"", Connection="keep-alive") * 2
    answer = await send(unit.http.port, twice)
    assert_closes(answer)
    assert answer.json["id"] == unit.device.id, "one answer, then the end"


async def test_bare_and_framed_answers(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    port, device_id = unit.http.port, unit.device.id
    bare = await get(port, "/rpc/Switch.GetStatus?id=1")
    assert bare.json["id"] == 1
    assert (await post(port, "/rpc/Switch.GetStatus", {"id": 1})).body == bare.body
    framed = await post(port, "/rpc", {"id": "a7", "src": "me", "method": "Switch.GetStatus", "params": {"id": 1}})
    assert list(framed.json) == ["id", "src", "dst", "result"]
    assert framed.json | {"result": 0} == {"id": "a7", "src": device_id, "dst": "me", "result": 0}
    assert bare.body in framed.body
    anonymous = await post(port, "/rpc", {"id": 1, "method": "Sys.GetStatus"})
    assert list(anonymous.json) == ["id", "src", "result"]


async def test_method_names_are_case_insensitive(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    assert (await get(unit.http.port, "/rpc/switch.getstatus?id=0")).json["id"] == 0
    assert (await get(unit.http.port, "/rpc/MQTT.GetStatus")).json == {"connected": False}


async def test_query_values_are_json_where_they_parse(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    port = unit.http.port
    assert (await get(port, "/rpc/Switch.Set?id=0&on=true")).json == {"was_on": False}
    assert (await get(port, "/rpc/Switch.Set?id=0&on=false")).json == {"was_on": True}
    await get(port, "/rpc/Sys.SetConfig?config=%7B%22device%22:%7B%22name%22:%22cellar%22%7D%7D")
    assert (await get(port, "/rpc/Sys.GetConfig")).json["device"]["name"] == "cellar"
    await get(port, "/rpc/Sys.SetConfig?config.device.name=attic%20two")
    assert (await get(port, "/rpc/Sys.GetConfig")).json["device"]["name"] == "attic two"


@pytest.mark.parametrize(
    ("target", "status", "body"),
    [
        ("/rpc/EM.GetStatus?id=0", "404 Not Found", b'{"code":404,"message":"No handler for EM.GetStatus"}'),
        (
            "/rpc/Switch.GetStatus?id=99",
            "500 Internal Server Error",
            b'{"code":-105,"message":"Argument \'id\', value 99 not found!"}',
        ),
        (
            "/rpc/Switch.GetStatus",
            "500 Internal Server Error",
            b'{"code":-103,"message":"Missing required argument \'id\'!"}',
        ),
    ],
)
async def test_bare_errors_use_the_status_line(run_fleet: RunFleet, target: str, status: str, body: bytes) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    answer = await get(unit.http.port, target)
    assert answer.status == f"HTTP/1.1 {status}"
    assert answer.body == body
    assert_closes(answer)


async def test_framed_errors_are_200(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    answer = await post(unit.http.port, "/rpc", {"id": 4, "src": "me", "method": "EM.GetStatus", "params": {"id": 0}})
    assert answer.code == 200
    assert answer.json["error"] == {"code": 404, "message": "No handler for EM.GetStatus"}


@pytest.mark.parametrize("body", [b"{", b"[]", b"7", b'{"id":1}', b'{"id":1,"method":7}', b"\xff\xfe", b"[" * 20_000])
async def test_bad_posts_are_400(run_fleet: RunFleet, body: bytes) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    assert_closes(answer := await post(unit.http.port, "/rpc", body))
    assert answer.code == 400
    assert (await get(unit.http.port, "/shelly")).code == 200


async def test_gen1_paths_do_not_exist(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    assert [(await get(unit.http.port, path)).code for path in ("/status", "/settings", "/rpc")] == [404, 404, 404]


async def test_challenge_has_the_captured_bytes(run_fleet: RunFleet) -> None:
    unit = (await run_fleet({"model": "pro3em", "firmware": "1.1.0", "password": PASSWORD})).unit("pro3em")
    answer = await get(unit.http.port, "/rpc/Shelly.GetStatus")
    assert answer.status == "HTTP/1.1 401 Unauthorized"
    assert answer.body == b""
    assert [name for name, _ in answer.headers] == ["WWW-Authenticate", "Content-Length", "Server", "Connection"]
    assert re.fullmatch(
        rf'Digest qop="auth", realm="{unit.device.id}", nonce="\d{{10}}", algorithm=SHA-256',
        answer.header("WWW-Authenticate"),
    )


@pytest.mark.parametrize("firmware", ["1.1.0", "1.4.4", "1.7.5", "2.0.1"])
async def test_digest_opens_every_form(run_fleet: RunFleet, firmware: str) -> None:
    unit = (await run_fleet({"model": "pro3", "firmware": firmware, "password": PASSWORD})).unit("pro3")
    port = unit.http.port
    assert (await get(port, "/shelly")).json["auth_en"] is True
    assert (await get(port, "/rpc/Shelly.GetDeviceInfo")).code == 200
    assert (await post(port, "/rpc", {"id": 1, "method": "Shelly.GetDeviceInfo"})).code == 200
    challenge = (await get(port, "/rpc/Switch.Set?id=0&on=true")).header("WWW-Authenticate")
    wrong = authorization(challenge, "GET", "/rpc/Switch.Set?id=0&on=true", password="wrong")
    assert (await get(port, "/rpc/Switch.Set?id=0&on=true", Authorization=wrong)).code == 401
    without_query = authorization(challenge, "GET", "/rpc/Switch.Set")
    assert (await get(port, "/rpc/Switch.Set?id=0&on=true", Authorization=without_query)).code == 401
    right = authorization(challenge, "GET", "/rpc/Switch.Set?id=0&on=true")
    assert (await get(port, "/rpc/Switch.Set?id=0&on=true", Authorization=right)).json == {"was_on": False}
    frame = {"id": 1, "src": "me", "method": "Switch.Toggle", "params": {"id": 0}}
    posted = await post(port, "/rpc", frame, Authorization=authorization(challenge, "POST", "/rpc", nc=2))
    assert posted.json["result"] == {"was_on": True}


async def test_auth_in_a_posted_frame(run_fleet: RunFleet) -> None:
    unit = (await run_fleet({"model": "pro3", "password": PASSWORD})).unit("pro3")
    frame = {"id": 1, "src": "me", "method": "Switch.GetStatus", "params": {"id": 0}}
    challenge = (await post(unit.http.port, "/rpc", frame)).header("WWW-Authenticate")
    (nonce,) = re.findall(r'nonce="(\d+)"', challenge)
    secret = sha(f"admin:{unit.device.id}:{PASSWORD}")
    auth = {"realm": unit.device.id, "username": "admin", "nonce": int(nonce), "nc": 1, "cnonce": "c"}
    auth["response"] = sha(f"{secret}:{nonce}:1:c:auth:{sha('dummy_method:dummy_uri')}")
    assert (await post(unit.http.port, "/rpc", frame | {"auth": auth})).json["result"]["id"] == 0
    assert (await post(unit.http.port, "/rpc", frame | {"auth": auth | {"response": "0"}})).code == 401


async def test_seventh_channel_is_refused(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    idle = [await asyncio.open_connection("127.0.0.1", unit.http.port) for _ in range(CHANNELS)]
    try:
        assert_closes(refused := await get(unit.http.port, "/shelly"))
        assert refused.code == 503
        reader, writer = idle.pop()
        writer.write(request_bytes("GET", "/shelly", b""))
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        writer.close()
        assert (await get(unit.http.port, "/shelly")).code == 200
    finally:
        for _, writer in idle:
            writer.close()


async def test_a_password_set_over_rpc_counts_at_once(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    device_id = unit.device.id
    ha1 = sha(f"admin:{device_id}:{PASSWORD}")
    answer = await post(unit.http.port, "/rpc/Shelly.SetAuth", {"user": "admin", "realm": device_id, "ha1": ha1})
    assert answer.body == b"null"
    assert (await get(unit.http.port, "/rpc/Sys.GetStatus")).code == 401
    assert json.loads((await get(unit.http.port, "/shelly")).body)["auth_domain"] == device_id


async def test_a_taken_port_is_explained(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    with pytest.raises(OptionError, match="http_port"):
        await run_fleet("pro3em", http_port=unit.http.port)
