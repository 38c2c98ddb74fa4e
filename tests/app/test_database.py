"""Our InfluxDB after the app has set it up: at the first start, at later ones, and when something was lost."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shelly_app.database import state
from shelly_app.database.api import DatabaseAwayError, DatabaseError, LoginRefusedError
from shelly_app.exporter_settings import files as exporter_files
from shelly_app.files import write
from shelly_exporter.settings.source import load
from shelly_exporter.targets.influxdb_v2 import InfluxV2
from tests.app.database_stage import Stage, stage_in

DAY_S = 86400
OPERATOR, EXPORTER, GRAFANA = (
    "shelly-pro's Token",
    "Shelly Pro: the exporter, which writes",
    "Shelly Pro: Grafana, which reads",
)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage_in(tmp_path) as stage:
        yield stage


async def test_first_start(stage: Stage) -> None:
    await stage.provision()
    assert {one["name"]: one["retention_s"] for one in stage.influx.state.documents["buckets"]} == {
        "shelly": 60 * DAY_S,
        "shelly_rollups": 0,
    }
    assert [(one["name"]) for one in stage.influx.state.documents["orgs"]] == ["home"]
    assert stage.descriptions() == [OPERATOR, EXPORTER, GRAFANA]
    mappings = stage.influx.state.documents["dbrps"]
    assert [(one["database"], one["retention_policy"], one["default"]) for one in mappings] == [
        ("shelly", "default", True),
        ("shelly_rollups", "default", True),
    ]


async def test_tokens_are_kept_and_handed_out(stage: Stage) -> None:
    await stage.provision()
    assert stage.token("exporter") == stage.secrets.writer_token
    assert stage.token("grafana") == stage.secrets.reader_token
    for path in (*stage.folder.glob("run/*/token"), *stage.store.folder.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("bucket", ["shelly", "shelly_rollups"])
async def test_the_exporter_writes_and_grafana_reads(stage: Stage, bucket: str) -> None:
    await stage.provision()
    assert await stage.write(stage.token("exporter"), bucket) == 204
    assert await stage.read(stage.token("grafana"), bucket) == {"em": 1}


@pytest.mark.parametrize("bucket", ["shelly", "shelly_rollups"])
async def test_nobody_does_more(stage: Stage, bucket: str) -> None:
    await stage.provision()
    writer, reader = stage.token("exporter"), stage.token("grafana")
    assert await stage.write(writer, bucket) == 204
    assert await stage.read(writer, bucket) == f"database not found: {bucket}"
    assert await stage.write(reader, bucket) == 403
    for token in (writer, reader):
        assert await stage.call(token, "POST", "/api/v2/buckets", orgID="1", name="x", retentionRules=[]) == 401
        assert await stage.call(token, "POST", "/api/v2/authorizations", orgID="1", permissions=[{}]) == 401
    assert await stage.write("nonsense", bucket) == 401
    assert await stage.read("", bucket) == "unauthorized access"


async def test_the_exporter_itself_writes_with_its_settings(stage: Stage) -> None:
    setup = stage.setup()
    await stage.provision(setup)
    write(exporter_files(setup))
    target = InfluxV2(load(setup.layout.places.exporter, {}).target)
    assert await target.prepare() == ()
    await target.write("shelly", b"em,device=a power=1 1000\nem,device=b power=2 1000")
    await target.write("shelly_rollups", b"energy_hour,device=a import=1 0")
    await target.close()
    assert await stage.read(stage.token("grafana")) == {"em": 2}
    assert await stage.read(stage.token("grafana"), "shelly_rollups") == {"energy_hour": 1}


async def test_a_later_start_changes_nothing(stage: Stage) -> None:
    await stage.provision()
    before, tokens = str(stage.influx.state.documents), (stage.token("exporter"), stage.token("grafana"))
    await stage.influx.stop()
    await stage.influx.start()
    stage.influx.calls.clear()
    await stage.start_again()
    assert str(stage.influx.state.documents) == before
    assert (stage.token("exporter"), stage.token("grafana")) == tokens
    assert {call.partition(" ")[0] for call in stage.influx.calls} == {"GET"}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"retention_days": 60}, {"retention_days": 90}, 'Bucket "shelly" keeps points 90 days now'),
        (
            {"retention_days": 60},
            {"retention_days": 30},
            'Bucket "shelly" keeps points 30 days now; InfluxDB drops what is older',
        ),
        (
            {"rollup_retention_days": 0},
            {"rollup_retention_days": 400},
            'Bucket "shelly_rollups" keeps points 400 days now; InfluxDB drops what is older',
        ),
        (
            {"rollup_retention_days": 400},
            {"rollup_retention_days": 0},
            'Bucket "shelly_rollups" keeps points for ever now',
        ),
    ],
    ids=["longer", "shorter", "no more for ever", "for ever"],
)
async def test_changed_retention(
    stage: Stage, caplog: pytest.LogCaptureFixture, before: dict[str, Any], after: dict[str, Any], said: str
) -> None:
    caplog.set_level("INFO")
    await stage.provision(stage.setup(**before))
    caplog.clear()
    await stage.start_again(stage.setup(**after))
    assert caplog.messages == [said]
    assert caplog.records[0].levelname == ("WARNING" if "drops" in said else "INFO")
    days = {"retention_days": 60, "rollup_retention_days": 0, **after}
    assert stage.retention_s("shelly") == days["retention_days"] * DAY_S
    assert stage.retention_s("shelly_rollups") == days["rollup_retention_days"] * DAY_S


async def test_a_lost_token_is_made_anew_and_the_old_one_is_revoked(stage: Stage) -> None:
    await stage.provision()
    old, reader = stage.token("exporter"), stage.token("grafana")
    (stage.store.folder / "writer_token").unlink()
    await stage.start_again()
    assert stage.token("exporter") != old
    assert await stage.write(old) == 401
    assert await stage.write(stage.token("exporter")) == 204
    assert stage.token("grafana") == reader
    assert sorted(stage.descriptions()) == sorted([OPERATOR, EXPORTER, GRAFANA])


@pytest.mark.parametrize(
    "change",
    [{"status": "inactive"}, {"permissions": [{"action": "read", "resource": {"type": "orgs"}}]}],
    ids=["switched off", "other rights"],
)
async def test_a_token_that_is_no_good_any_more_is_made_anew(
    stage: Stage, caplog: pytest.LogCaptureFixture, change: dict[str, object]
) -> None:
    await stage.provision()
    assert caplog.messages == []
    found = stage.influx.state.find("authorizations", description=EXPORTER)
    assert found is not None
    found |= change
    await stage.provision()
    assert await stage.write(stage.token("exporter")) == 204
    assert stage.descriptions().count(EXPORTER) == 1
    # The exporter has read the old one already.
    assert [message for message in caplog.messages if "Restart the app" in message and "writer" in message]


async def test_what_is_remembered_may_be_lost(stage: Stage) -> None:
    await stage.provision()
    (stage.folder / "data" / "database.json").write_text("{")
    assert state.load(stage.store) == state.State()
    await stage.start_again()
    assert await stage.write(stage.token("exporter")) == 204
    assert sorted(stage.descriptions()) == sorted([OPERATOR, EXPORTER, GRAFANA])


async def test_tokens_of_others_stay(stage: Stage) -> None:
    await stage.provision()
    organisation = stage.influx.state.documents["orgs"][0]["id"]
    _, token = stage.influx.state.authorize("somebody's", organisation, "1", None)
    (stage.store.folder / "writer_token").unlink()
    await stage.start_again()
    assert await stage.write(token) == 204


async def test_without_boards_nobody_reads(stage: Stage) -> None:
    await stage.provision(stage.setup(boards=False))
    assert stage.descriptions() == [OPERATOR, EXPORTER]
    assert not (stage.folder / "run" / "grafana" / "token").exists()


async def test_what_somebody_has_deleted_is_made_again(stage: Stage) -> None:
    await stage.provision()
    stage.influx.state.documents["buckets"].pop()
    stage.influx.state.documents["dbrps"].clear()
    stage.influx.state.documents["orgs"][0]["name"] = "office"
    await stage.start_again()
    assert [one["name"] for one in stage.influx.state.documents["orgs"]] == ["office", "home"]
    assert await stage.write(stage.token("exporter"), "shelly_rollups") == 204
    assert await stage.read(stage.token("grafana"), "shelly_rollups") == {"em": 1}


async def test_a_wrong_operator_token_is_told(stage: Stage) -> None:
    await stage.provision()
    stage.store.keep("operator_token", "another")
    with pytest.raises(LoginRefusedError, match="Restart the app"):
        await stage.provision()


async def test_a_refusal_is_told_without_secrets(stage: Stage) -> None:
    await stage.provision()
    stage.influx.failure = (403, "no")
    with pytest.raises(DatabaseError, match=r"GET /api/v2/setup \(403: .*no.*report it") as caught:
        await stage.provision()
    assert not isinstance(caught.value, DatabaseAwayError)
    assert stage.secrets.operator_token not in str(caught.value)


@pytest.mark.parametrize("status", [500, 503])
async def test_an_influxdb_that_starts_is_away(stage: Stage, status: int) -> None:
    stage.influx.failure = (status, "starting")
    with pytest.raises(DatabaseAwayError, match="not ready yet"):
        await stage.provision()


async def test_nobody_answers(stage: Stage) -> None:
    await stage.influx.stop()
    with pytest.raises(DatabaseAwayError, match=f"does not answer at {stage.influx.url}"):
        await stage.provision()


async def test_something_else_answers(stage: Stage) -> None:
    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi")
        writer.close()

    await stage.influx.stop()
    async with await asyncio.start_server(page, "127.0.0.1", stage.influx.port):
        with pytest.raises(DatabaseAwayError):
            await stage.provision()
