"""All that speaks the v2 write API, over influxdb-client: InfluxDB 2, InfluxDB 3 and VictoriaMetrics.

The library does one request at a time and nothing more: its batching and its retries lose points.
"""

import asyncio
import gzip
import json
import re
from collections.abc import Callable
from typing import Any

import influxdb_client
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from shelly_exporter.settings import Target as Settings

from . import (
    DIALECTS,
    TIMEOUT_S,
    Answer,
    Denied,
    Missing,
    Refused,
    base_url,
    compressed,
    fault,
    left_to_you,
    retentions,
    unreachable,
)
from .influxql import Row, error_of, point_query, rows_of

# Annotated in part only, and what it returns is annotated wrongly here and there.
_library: Any = influxdb_client

_DAY_S = 86400
_POLICY = "default"
"""The retention policy by whose name InfluxQL knows a bucket; nobody needs to say it."""


class InfluxV2:
    """A `Target`. Without a token, name and password are one, which is how InfluxDB 1.8 answers this API."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._dialect = DIALECTS[settings.kind]
        self._compressed = compressed(settings)
        token, basic = settings.token, False
        if settings.username is not None and (self._dialect.basic or token is None):
            password = "" if settings.password is None else settings.password
            token, basic = f"{settings.username}:{password}", self._dialect.basic
        self._client: Any = _library.InfluxDBClient(
            base_url(settings),
            token,
            org=settings.organisation,
            timeout=TIMEOUT_S * 1000,
            retries=False,
            auth_basic=basic,
        )

    async def prepare(self) -> tuple[str, ...]:
        """See `Target`."""
        self._expect_organisation()
        if not self._settings.create or not (self._dialect.organised or self._dialect.configured):
            return ()
        prepare = self._prepare_bucket if self._dialect.organised else self._prepare_database
        found: list[str] = []
        for bucket, days in retentions(self._settings).items():
            found += await self._ask(lambda bucket=bucket, days=days: prepare(bucket, days))  # type: ignore[misc]
        return tuple(found)

    async def write(self, bucket: str, body: bytes) -> None:
        """See `Target`."""
        self._expect_organisation()
        await self._ask(lambda: self._write(bucket, body))

    async def read_back(self, bucket: str, measurement: str, tag: tuple[str, str], ts_ms: int) -> Row | None:
        """See `Target`."""
        if not self._dialect.influxql:
            return await self._ask(lambda: self._exported(measurement, tag, ts_ms))
        answer = await self._ask(lambda: self._select(bucket, point_query(measurement, tag, ts_ms)))
        if (problem := error_of(answer)) is not None:
            raise Refused(problem)
        rows = rows_of(answer)
        return rows[0] if rows else None

    async def close(self) -> None:
        """See `Target`."""
        await asyncio.to_thread(self._client.close)

    async def _ask[T](self, question: Callable[[], T]) -> T:
        """Return the answer of a blocking call of the library."""
        try:
            return await asyncio.to_thread(question)
        except ApiException as err:
            if not err.status:
                raise unreachable(self._settings, err) from err
            raise self._fault(err) from err
        except InfluxDBError as err:
            raise Missing(f"{err}: check influxdb.organisation, and that influxdb.token may see it") from err
        except (HTTPError, OSError) as err:
            raise unreachable(self._settings, err) from err

    def _fault(self, err: ApiException) -> Exception:
        body = err.body.decode(errors="replace") if isinstance(err.body, bytes) else str(err.body)
        headers: Any = err.headers
        return fault(self._settings, Answer(err.status, body, None if headers is None else headers.get("Retry-After")))

    def _expect_organisation(self) -> None:
        """Without one, InfluxDB 2 answers as if something were wrong with the points."""
        if self._dialect.organised and not self._settings.organisation:
            raise Missing("No organisation is set: set influxdb.organisation")

    def _write(self, bucket: str, body: bytes) -> None:
        organisation = self._settings.organisation
        _, status, _ = _library.WriteService(self._client.api_client).post_write_with_http_info(
            "" if organisation is None else organisation,
            bucket,
            gzip.compress(body, 1) if self._compressed else body,
            precision="ms",
            content_encoding="gzip" if self._compressed else "identity",
            content_type="text/plain; charset=utf-8",
            # A redirected POST may become a GET, and its points would be gone.
            urlopen_kw={"redirect": False},
        )
        if status != 204:  # noqa: PLR2004  # some page says hello
            raise fault(self._settings, Answer(status, ""))

    def _select(self, bucket: str, statement: str) -> Any:
        query = [("db", bucket), ("q", statement), ("epoch", "ms")]
        return self._call("/query", "GET", query, response_type="object", _return_http_data_only=True)

    def _exported(self, measurement: str, tag: tuple[str, str], ts_ms: int) -> Row | None:
        name, value = tag
        prefix = f"{measurement}_"
        selector = f"{{__name__=~{json.dumps(re.escape(prefix) + '.+')},{name}={json.dumps(value)}}}"
        query = [("match[]", selector), ("start", ts_ms / 1000), ("end", ts_ms / 1000)]
        raw = self._call("/api/v1/export", "GET", query, _preload_content=False, _return_http_data_only=True)
        row: Row = {}
        for line in raw.data.splitlines():
            series = json.loads(line)
            metric: dict[str, str] = series["metric"]
            row[metric.pop("__name__").removeprefix(prefix)] = series["values"][-1]
            row |= metric
        return row or None

    def _call(self, path: str, method: str, query: list[tuple[str, Any]], **options: Any) -> Any:
        return self._client.api_client.call_api(path, method, query_params=query, **options)

    def _prepare_bucket(self, name: str, days: int) -> list[str]:
        """Find or create a bucket and its mapping; blocking."""
        api = self._client.buckets_api()
        # No rule at all would leave what is; 0 seconds are for ever.
        rules = [_library.BucketRetentionRules(type="expire", every_seconds=days * _DAY_S)]
        command = f"influx bucket create --name {name} --retention {days * 24}h --org {self._settings.organisation}"
        try:
            bucket = self._find_bucket(api, name)
            if bucket is None:
                bucket = api.create_bucket(bucket_name=name, retention_rules=rules, org=self._settings.organisation)
        except ApiException as err:
            return [self._complaint(err, f'see or create bucket "{name}"', f"`{command}`, if it is not there")]
        return self._keep_bucket(api, bucket, rules) + self._map(bucket)

    def _find_bucket(self, api: Any, name: str) -> Any:
        try:
            found = api.find_buckets(name=name, org=self._settings.organisation).buckets
        except ApiException as err:
            # Some versions say so when a name is not found.
            if err.status == 404 and "bucket" in str(err.body):  # noqa: PLR2004
                return None
            raise
        return found[0] if found else None

    def _keep_bucket(self, api: Any, bucket: Any, rules: list[Any]) -> list[str]:
        """Lengthen the retention of a bucket that is there."""
        kept_s = bucket.retention_rules[0].every_seconds if bucket.retention_rules else 0
        wanted_s = rules[0].every_seconds if rules else 0
        if kept_s == wanted_s:
            return []
        command = f"influx bucket update --id {bucket.id} --retention {wanted_s // 3600}h"
        if wanted_s and (not kept_s or kept_s > wanted_s):
            return [left_to_you(f'Bucket "{bucket.name}"', command)]
        bucket.retention_rules = rules
        try:
            api.update_bucket(bucket)
        except ApiException as err:
            return [self._complaint(err, f'lengthen the retention of bucket "{bucket.name}"', f"`{command}`")]
        return []

    def _map(self, bucket: Any) -> list[str]:
        """Let InfluxQL find the bucket under its own name."""
        service = _library.DBRPsService(self._client.api_client)
        command = f"influx v1 dbrp create --db {bucket.name} --rp {_POLICY} --default --bucket-id {bucket.id}"
        try:
            mappings = service.get_dbr_ps(org_id=bucket.org_id, db=bucket.name).content
            default = None if mappings is None else next((one for one in mappings if one.default), None)
            if default is None:
                wanted = _library.DBRPCreate(
                    org_id=bucket.org_id,
                    bucket_id=bucket.id,
                    database=bucket.name,
                    retention_policy=_POLICY,
                    default=True,
                )
                service.post_dbrp(wanted)
        except ApiException as err:
            return [self._complaint(err, f'map bucket "{bucket.name}" for InfluxQL, as boards need it', f"`{command}`")]
        if default is not None and default.bucket_id != bucket.id:
            problem = f'InfluxQL finds another bucket under the name "{bucket.name}", so boards show nothing'
            return [f"{problem}: delete mapping {default.id} and run `{command}`"]
        return []

    def _prepare_database(self, name: str, days: int) -> list[str]:
        """Create a database of InfluxDB 3, whose retention cannot be changed later; blocking."""
        body = {"db": name} | ({"retention_period": f"{days}d"} if days else {})
        command = f"influxdb3 create database {name}" + (f" --retention-period {days}d" if days else "")
        try:
            self._call("/api/v3/configure/database", "POST", [], body=body)
        except ApiException as err:
            if err.status == 409:  # noqa: PLR2004  # it is there
                return []
            return [self._complaint(err, f'create database "{name}"', f"`{command}`, if it is not there")]
        return []

    def _complaint(self, err: ApiException, what: str, remedy: str) -> str:
        """Return the sentence for what the token may not do; a wrong token, or no answer, is a fault."""
        reason = self._fault(err)
        if err.status == 401 or not isinstance(reason, Denied | Refused | Missing):  # noqa: PLR2004
            raise err
        return f"influxdb.token may not {what}: run {remedy}. {reason}"
