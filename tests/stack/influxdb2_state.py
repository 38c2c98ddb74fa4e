"""What the stand-in for InfluxDB 2 keeps: users, organisations, buckets, tokens as hashes, mappings, and points."""

import fcntl
import hashlib
import itertools
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

type Document = dict[str, Any]

_OPERATOR = [{"action": action, "resource": {"type": kind}} for kind in
             ("authorizations", "buckets", "dbrp", "orgs", "users") for action in ("read", "write")]  # fmt: skip


class Locked(Exception):  # noqa: N818  # what bolt says
    """Another process uses the file."""


@dataclass(kw_only=True)
class State:
    """All of it, as in the file at `bolt`; points are files of lines in the folder `engine`."""

    bolt: Path
    engine: Path
    documents: dict[str, list[Document]] = field(
        default_factory=lambda: {name: [] for name in ("users", "orgs", "buckets", "authorizations", "dbrps")}
    )

    @classmethod
    def open(cls, bolt: Path, engine: Path) -> State:
        """Read the file or make it, and lock it; `Locked` if somebody else has."""
        bolt.parent.mkdir(parents=True, exist_ok=True)
        engine.mkdir(parents=True, exist_ok=True)
        stream = bolt.open("a+")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.close()
            raise Locked from None
        stream.seek(0)
        state = cls(bolt=bolt, engine=engine)
        state._stream = stream
        if text := stream.read():
            state.documents = json.loads(text)
        return state

    def __post_init__(self) -> None:
        self._stream: Any = None

    def close(self) -> None:
        """Let others have the file."""
        self._stream.close()

    def save(self) -> None:
        """Write the file."""
        self._stream.truncate(0)
        self._stream.write(json.dumps(self.documents, indent=1))
        self._stream.flush()

    def add(self, kind: str, **values: Any) -> Document:
        """Keep something new, with an id greater than all before."""
        last = max((int(one["id"], 16) for one in itertools.chain(*self.documents.values())), default=0xB000)
        document = {"id": f"{last + 1:016x}", **values}
        self.documents[kind].append(document)
        self.save()
        return document

    def find(self, kind: str, **wanted: Any) -> Document | None:
        """Return the first that has these values."""
        return next(self.all(kind, **wanted), None)

    def all(self, kind: str, **wanted: Any) -> Iterator[Document]:
        """Yield those that have these values."""
        return (one for one in self.documents[kind] if wanted.items() <= one.items())

    def authorize(
        self,
        description: str,
        organisation: str,
        user: str,
        permissions: list[Document] | None,
        token: str | None = None,
    ) -> tuple[Document, str]:
        """Keep a token's hash; permissions `None` are those of an operator."""
        raw = secrets.token_urlsafe(64) if token is None else token
        rights = _OPERATOR if permissions is None else permissions
        values = {"status": "active", "orgID": organisation, "userID": user, "permissions": rights}
        return self.add("authorizations", hash=hashed(raw), description=description, **values), raw

    def authorization(self, token: str) -> Document | None:
        """Return what belongs to a token."""
        return self.find("authorizations", hash=hashed(token), status="active")

    def lines(self, bucket: str) -> list[str]:
        """Return the points in a bucket, by its id."""
        path = self.engine / bucket
        return path.read_text().splitlines() if path.exists() else []

    def append(self, bucket: str, text: str) -> None:
        """Keep points in a bucket, by its id."""
        with (self.engine / bucket).open("a") as stream:
            stream.write(text.rstrip("\n") + "\n")


def hashed(token: str) -> str:
    """Return all that is kept of a token."""
    return hashlib.sha512(token.encode()).hexdigest()


def allows(permissions: list[Document], action: str, kind: str, identity: str | None, organisation: str) -> bool:
    """Tell whether a token with these permissions may do this with one thing, or with all if `identity` is `None`."""

    def covers(resource: Mapping[str, Any]) -> bool:
        return (
            resource["type"] == kind
            and resource.get("id") in {None, identity}
            and resource.get("orgID") in {None, organisation}
        )

    return any(one["action"] == action and covers(one["resource"]) for one in permissions)
