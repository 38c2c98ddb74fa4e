"""The calls of InfluxDB's API that setting it up takes. Shapes: docs.influxdata.com/influxdb/v2/api."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

import aiohttp

_TIMEOUT = aiohttp.ClientTimeout(total=30)
_POLICY = "default"
"""The retention policy by whose name InfluxQL knows a bucket; nobody needs to say it."""


class DatabaseError(Exception):
    """InfluxDB did not do what it should; the text says what to do about it, and never contains a token."""


class DatabaseAwayError(DatabaseError):
    """Nobody answers, or not yet."""


class LoginRefusedError(DatabaseError):
    """InfluxDB does not know our operator token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket; `retention_s` 0: its points are kept for ever."""

    id: str
    name: str
    retention_s: int

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Return the bucket in an answer."""
        rules = values["retentionRules"]
        return cls(id=values["id"], name=values["name"], retention_s=rules[0]["everySeconds"] if rules else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What a token may do: `read` or `write` a bucket."""

    action: str
    bucket: str
    """Its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """A token, without the token itself: InfluxDB keeps its hash only."""

    id: str
    description: str
    active: bool
    permissions: frozenset[Permission | None]
    """`None` stands for rights that we never give."""

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Return what an answer tells."""
        return cls(
            id=values["id"],
            description=values["description"],
            active=values["status"] == "active",
            permissions=frozenset(map(_permission, values["permissions"])),
        )


class Influx:
    """One InfluxDB, spoken to with the operator token. All methods raise `DatabaseError`."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session = session
        self._url = url
        self._token = token

    async def is_new(self) -> bool:
        """Tell whether nobody has set it up yet."""
        return bool((await self._ask("GET", "/api/v2/setup"))["allowed"])

    async def set_up(self, *, username: str, password: str, organisation: str, bucket: str, retention_s: int) -> None:
        """Make the first user, organisation and bucket, and our token the operator's."""
        body = {"username": username, "password": password, "org": organisation, "bucket": bucket}
        await self._ask("POST", "/api/v2/setup", body | {"retentionPeriodSeconds": retention_s, "token": self._token})

    async def organisation(self, name: str) -> str:
        """Return the id of the organisation, which is made if it is missing."""
        found = await self._find("/api/v2/orgs", "orgs", {"org": name})
        if not found:
            found = [await self._ask("POST", "/api/v2/orgs", {"name": name})]
        return str(found[0]["id"])

    async def bucket(self, organisation: str, name: str) -> Bucket | None:
        """Return the bucket of that name."""
        found = await self._find("/api/v2/buckets", "buckets", {"orgID": organisation, "name": name})
        return Bucket.parse(found[0]) if found else None

    async def make_bucket(self, organisation: str, name: str, retention_s: int) -> Bucket:
        """Make a bucket."""
        body = {"orgID": organisation, "name": name, "retentionRules": [_rule(retention_s)]}
        return Bucket.parse(await self._ask("POST", "/api/v2/buckets", body))

    async def change_retention(self, bucket: Bucket, retention_s: int) -> None:
        """Keep points of the bucket for so long, 0: for ever."""
        # No rule at all would change nothing: https://github.com/influxdata/influxdb (tenant/http_server_bucket.go).
        await self._ask("PATCH", f"/api/v2/buckets/{bucket.id}", {"retentionRules": [_rule(retention_s)]})

    async def map_for_influxql(self, organisation: str, bucket: Bucket) -> None:
        """Let InfluxQL find the bucket as a database of the same name, if it does not yet."""
        found = await self._find("/api/v2/dbrps", "content", {"orgID": organisation, "db": bucket.name})
        # InfluxDB shows each bucket as a database by itself, but those mappings are `virtual` and do not bind.
        ours = [one for one in found if not one.get("virtual", False) and one["bucketID"] == bucket.id]
        if any(one["default"] for one in ours):
            return
        body = {"orgID": organisation, "bucketID": bucket.id, "database": bucket.name}
        await self._ask("POST", "/api/v2/dbrps", body | {"retention_policy": _POLICY, "default": True})

    async def authorizations(self, organisation: str) -> list[Authorization]:
        """Return all tokens of the organisation."""
        found = await self._find("/api/v2/authorizations", "authorizations", {"orgID": organisation})
        return [Authorization.parse(one) for one in found]

    async def authorize(
        self, organisation: str, description: str, permissions: Iterable[Permission]
    ) -> tuple[str, str]:
        """Make a token and return its id and the token, which is told this once."""
        resources = [(one.action, {"type": "buckets", "id": one.bucket, "orgID": organisation}) for one in permissions]
        rights = [{"action": action, "resource": resource} for action, resource in resources]
        body = {"orgID": organisation, "description": description, "permissions": rights}
        made = await self._ask("POST", "/api/v2/authorizations", body)
        return made["id"], made["token"]

    async def revoke(self, authorization: str) -> None:
        """Make a token invalid, by its id."""
        await self._ask("DELETE", f"/api/v2/authorizations/{authorization}")

    async def _find(self, path: str, key: str, query: Mapping[str, str]) -> list[Any]:
        """Return a list of an answer; some versions answer 404 instead of an empty one."""
        return list((await self._ask("GET", path, query=query, absent={key: []})).get(key) or ())

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        absent: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the answer; `absent` where the status is 404, if that is given."""
        headers = {} if path == "/api/v2/setup" else {"Authorization": f"Token {self._token}"}
        url = f"{self._url}{path}"
        try:
            async with self._session.request(
                method, url, json=body, params=query, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            ) as answer:
                if answer.status == HTTPStatus.NOT_FOUND and absent is not None:
                    return absent
                if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                    raise _fault(f"{method} {path}", answer.status, await answer.text())
                return None if answer.status == HTTPStatus.NO_CONTENT else await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise DatabaseAwayError(f"InfluxDB does not answer at {self._url} ({type(error).__name__})") from None


def _rule(retention_s: int) -> Mapping[str, str | int]:
    return {"type": "expire", "everySeconds": retention_s}


def _permission(values: Mapping[str, Any]) -> Permission | None:
    resource = values["resource"]
    if resource["type"] != "buckets" or "id" not in resource:
        return None
    return Permission(action=values["action"], bucket=resource["id"])


def _fault(what: str, status: int, text: str) -> DatabaseError:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return DatabaseAwayError(f"InfluxDB is not ready yet ({what}: {status})")
    if status == HTTPStatus.UNAUTHORIZED:
        return LoginRefusedError(
            "InfluxDB refuses the app's own token: its files belong to another installation. Restart the app: it "
            "then makes itself known to them, and keeps the history"
        )
    return DatabaseError(f"InfluxDB refuses {what} ({status}: {text[:200].strip()}). Restart the app, and report it")
