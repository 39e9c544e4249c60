"""One ticket's history in a file, held against the signed days that came with it; no database is asked.

A line is an event as `GET /v1/audit/tickets/{ticket}` tells it, or what a service says to prove its streams
(`shared.audit.proofs`). Nothing that a line says is believed: everything is made again from the event's own bytes, and
those are believed if their hash hangs under a day that a trusted key signed.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec

from deploy.audit.proven import Proof, ProvenStream, read_proof
from services.query.views.audit import READS, Links, entry
from shared.audit import chain
from shared.audit.proofs import FORM
from shared.audit.signing import PublicKeys
from shared.events import UnknownEvent, decode
from shared.topics import topic_of

_LINKS: Final = frozenset({"caused_by", "led_to", "ticket_number", "data"})
"""Told of other lines, or the event itself."""

_TOPICS: Final = ("tickets.v1", "assignments.v1", "sla.v1")


@dataclass(slots=True)
class FileVerdict:
    """What became of a file.

    Attributes:
        proven: events under a signed day, by service.
        unproven: events that no signed day covers yet, by service.
        findings: number of the line (from 1) and what is wrong with it, in the order of the file.
        days: the newest signed day of each service that proves something.
    """

    proven: dict[str, int] = field(default_factory=dict)
    unproven: dict[str, int] = field(default_factory=dict)
    findings: list[tuple[int, str]] = field(default_factory=list)
    days: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """Of the process: 0 all proven, 1 something is not as it was signed, 3 some is not proven (yet)."""
        return 1 if self.findings else 3 if self.unproven or not self.proven else 0


class _Line(msgspec.Struct, frozen=True):
    """What is looked at before anything is believed."""

    event_id: str
    topic: str
    stream_id: UUID
    version: int
    type: str
    data: msgspec.Raw

    @property
    def service(self) -> str:
        return self.event_id.partition(":")[0]


def verify_file(file: Path, keys: Mapping[str, PublicKeys]) -> FileVerdict:
    """Check a file.

    Args:
        file: as `ticketing audit export` writes it.
        keys: service → whose signatures count.

    Raises:
        OSError: it cannot be read.
    """
    return _File(file.read_bytes().splitlines(), keys).verdict()


class _File:
    def __init__(self, lines: list[bytes], keys: Mapping[str, PublicKeys]) -> None:
        self._keys = keys
        self._found: list[tuple[int, str]] = []
        self._events: list[tuple[int, _Line, dict[str, Any]]] = []
        self._proofs: list[tuple[int, Proof]] = []
        for number, line in enumerate(lines, 1):
            if line.strip():
                self._read(number, line)

    def _read(self, number: int, line: bytes) -> None:
        try:
            said = msgspec.json.decode(line)
            if isinstance(said, dict) and said.get("proof") == FORM:
                self._proofs.append((number, read_proof(line)))
            else:
                self._events.append((number, msgspec.json.decode(line, type=_Line), said))
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            self._found.append((number, f"is no line of an exported history ({error})"))

    def verdict(self) -> FileVerdict:
        verdict = FileVerdict()
        streams = self._trusted_streams(verdict)
        self._check_order()
        told = [self._check_line(number, line, said) for number, line, said in self._events]
        readable = [one for one in told if one is not None]
        self._check_links(readable)
        self._check_hashes(streams, verdict, {number for number, _, _ in readable})
        verdict.findings = sorted(self._found)
        return verdict

    # --- proofs

    def _trusted_streams(self, verdict: FileVerdict) -> dict[tuple[str, str], "_Trusted"]:
        """Service and stream (of query's own log: position) → what its events' hashes must be."""
        trusted: dict[tuple[str, str], _Trusted] = {}
        for number, proof in self._proofs:
            for stream in proof.streams:
                wrong = proof.fault_of(stream, self._keys.get(proof.service, PublicKeys()))
                if wrong is not None:
                    self._found.append((number, f"{proof.service} {stream.stream}: {wrong}"))
                    continue
                if stream.day is not None:
                    newest = max(verdict.days.get(proof.service, ""), stream.day.isoformat())
                    verdict.days[proof.service] = newest
                name = str(stream.stream)
                if proof.service == "query" and stream.events:
                    name = str(stream.events[0][1])
                trusted[proof.service, name] = _Trusted(number, stream)
        return trusted

    def _check_hashes(
        self,
        streams: dict[tuple[str, str], "_Trusted"],
        verdict: FileVerdict,
        readable: set[int],
    ) -> None:
        for number, line, _ in self._events:
            if number not in readable:
                continue
            is_own = line.topic == READS
            place = (line.service, str(line.version if is_own else line.stream_id))
            trusted = streams.get(place)
            if trusted is None:
                self._found.append((number, f"{line.event_id}: the file has no valid proof of it"))
                continue
            version = 1 if is_own else line.version
            wrong = trusted.fault_of(version, line)
            if wrong is not None:
                self._found.append((number, f"{line.event_id}: {wrong}"))
            else:
                counted = verdict.proven if version <= trusted.stream.head else verdict.unproven
                counted[line.service] = counted.get(line.service, 0) + 1
        end = len(self._events) + len(self._proofs) + 1
        for (service, _), trusted in streams.items():
            if missing := trusted.missing():
                stream = trusted.stream.stream
                self._found.append(
                    (
                        self._line_after(service, stream, missing[0]) or end,
                        f"before this line {service}:{stream}:{missing[0]} is missing",
                    )
                )

    def _line_after(self, service: str, stream: UUID, version: int) -> int | None:
        for number, line, _ in self._events:
            if line.service == service and line.stream_id == stream and line.version > version:
                return number
        return None

    # --- what the lines say

    def _check_order(self) -> None:
        last: tuple[Any, ...] | None = None
        for number, line, said in self._events:
            try:
                at = datetime.fromisoformat(said["occurred_at"])
            except (KeyError, TypeError, ValueError):
                continue  # told when the line itself is looked at
            rank = _TOPICS.index(line.topic) if line.topic in _TOPICS else len(_TOPICS)
            key = (at, rank, line.version)
            if last is not None and key < last:
                self._found.append((number, f"{line.event_id}: stands after what came later"))
            last = max(last, key) if last is not None else key

    def _check_line(
        self, number: int, line: _Line, said: dict[str, Any]
    ) -> tuple[int, dict[str, Any], dict[str, Any]] | None:
        """The line's number, what it says, and what the event says; None when the event cannot be read."""
        try:
            row = _row_of(line)
            told = msgspec.json.decode(msgspec.json.encode(entry(row, Links({}, {}))))
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            self._found.append((number, f"{line.event_id}: its event cannot be read ({error})"))
            return None
        for name in sorted((said.keys() | told.keys()) - _LINKS):
            if _plain(said.get(name)) != _plain(told.get(name)):
                self._found.append((number, f"{line.event_id}: says another {name} than its event"))
                break
        return number, said, told

    def _check_links(self, told: list[tuple[int, dict[str, Any], dict[str, Any]]]) -> None:
        """What lines say of each other: causes, consequences, the ticket's number."""
        by_id = {event["event_id"]: event for _, _, event in told}
        opened = {event["ticket_id"]: event["data"].get("number") for event in by_id.values()
                  if event["type"] == "ticket.opened.v1"}  # fmt: skip
        for number, said, event in told:
            id_ = event["event_id"]
            cause, caused_by = event["causation_id"], said.get("caused_by")
            if caused_by is not None and caused_by.get("event_id") != cause:
                self._found.append((number, f"{id_}: says another cause than its event"))
            for link in [caused_by, *(said.get("led_to") or [])]:
                of = by_id.get(link["event_id"]) if link else None
                if of is not None and any(link[name] != of[name] for name in ("type", "sentence")):
                    self._found.append(
                        (number, f"{id_}: tells {of['event_id']} otherwise than it is")
                    )
            effects = {one["event_id"] for one in said.get("led_to") or []}
            for effect in effects & by_id.keys():
                if by_id[effect]["causation_id"] != id_:
                    self._found.append((number, f"{id_}: did not lead to {effect}"))
            of_ticket = opened.get(event["ticket_id"])
            if of_ticket is not None and said.get("ticket_number") not in {of_ticket, None}:
                self._found.append((number, f"{id_}: says another ticket_number than the ticket"))


class _Trusted:
    """A stream whose proof holds, and which of its events the file had."""

    def __init__(self, number: int, stream: ProvenStream) -> None:
        self.number = number
        self.stream = stream
        self._events = {version: (position, leaf) for version, position, leaf in stream.events}
        self._seen: set[int] = set()

    def fault_of(self, version: int, line: _Line) -> str | None:
        """What is wrong with this event, or nothing."""
        if version in self._seen:
            return "was inserted: the same event stands in the file before"
        self._seen.add(version)
        known = self._events.get(version)
        if known is None:
            return "was inserted: its stream has no such event"
        position, leaf = known
        if version > self.stream.head and self.stream.day is not None:
            recorded = msgspec.json.decode(line.data)["recorded_at"]
            if datetime.fromisoformat(recorded).date() < self.stream.day:
                return (
                    f"was inserted: it says {recorded}, and {self.stream.day} was signed without it"
                )
        digest = hashlib.sha256(bytes(line.data)).digest()
        made = chain.leaf(position, self.stream.stream.bytes, version, line.type, digest)
        return (
            None if made.hex() == leaf else "was changed: the event is not the one that was sealed"
        )

    def missing(self) -> list[int]:
        """Versions under the signed day that the file does not have."""
        return [version for version in self._events if version <= self.stream.head
                and version not in self._seen]  # fmt: skip


def _row_of(line: _Line) -> dict[str, Any]:
    """The row of the audit that the event itself makes."""
    raw = msgspec.json.decode(line.data)
    actor = raw["actor"]
    row = {
        "type": line.type,
        "actor_kind": actor["kind"],
        "actor_id": actor["id"],
        "actor_name": actor.get("name"),
        "via": raw["via"],
        "correlation_id": raw["correlation_id"],
        "recorded_at": datetime.fromisoformat(raw["recorded_at"]),
        "raw": raw,
        "number": None,
    }
    if line.topic == READS:
        ticket_id = UUID(raw["ticket_id"])
        own = {"stream_id": ticket_id, "ticket_id": ticket_id, "version": line.version}
        return row | own | {"topic": READS, "occurred_at": row["recorded_at"], "causation_id": None}
    event = decode(line.type, bytes(line.data))
    if isinstance(event, UnknownEvent):
        raise ValueError(f"{line.type} is a kind of a newer version")  # noqa: TRY004  # the file's content, not a type of ours
    topic = topic_of(line.type).value
    ticket = event.stream_id if topic in _TOPICS else getattr(event, "ticket_id", None)
    return row | {
        "stream_id": event.stream_id,
        "topic": topic,
        "version": event.version,
        "ticket_id": ticket,
        "occurred_at": event.occurred_at,
        "causation_id": event.causation_id,
    }


def _plain(value: Any) -> Any:
    """Moments are the same however their offset is written."""
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value
