"""One ticket's history in a file is proven without the database; whatever was done to it, the bad line is named."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx2
import msgspec
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from deploy.audit.exported import verify_file
from deploy.cli import app
from services.query.own_log import TABLE
from services.query.proofs import NoFrontDoor, Proofs
from shared.audit import Sealer
from shared.audit.proofs import proofs_router
from shared.audit.roots import told
from shared.audit.signing import AuditKey, PublicKeys
from shared.database import Database as Store
from shared.events import Owner
from shared.eventstore import EventStore
from shared.http.app import build_api
from shared.security import Role
from shared.security.guard import COOKIE
from shared.settings import ServiceSettings
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.support.database import Database, empty
from tests.support.events import NOON
from tests.support.servers import Servers

SECRET: Final = "of the exports' tests, and of nobody else"
SEEN_BY: Final = {"role": Role.SUPERVISOR, "subject": "wanda"}
KEYS: Final = {
    service: PublicKeys(AuditKey(SECRET, service).public)
    for service in ("intake", "routing", "sla", "query")
}
Lines = list[dict[str, Any]]


class Logs:
    """The sealed logs of all four services, and what each says over HTTP to prove its own."""

    def __init__(self, settings: ServiceSettings, query: Store) -> None:
        self.settings = settings
        self.now = NOON
        self.stores: dict[str, Store] = {"query": query}
        for owner in Owner:
            self.stores[owner] = EventStore(settings, owner=owner)
        self.sealers = {
            name: Sealer(
                store,
                service=name,
                table=TABLE if name == "query" else f"{name}_events",
                seconds=1.0,
                secret=SECRET,
                clock=lambda: self.now,
                found_by="ticket_id" if name == "query" else "originator_id",
            )
            for name, store in self.stores.items()
        }

    def keep(self, *stories: Story) -> None:
        for owner in Owner:
            store = self.stores[owner]
            assert isinstance(store, EventStore)
            events = [one for story in stories for one in story.events if one.OWNER is owner]
            day = [one for one in events if one.recorded_at.date() == self.now.date()]
            store.transact(lambda tx, day=day: tx.append(*day))
            self.sealers[owner].seal_next()

    def door(self) -> httpx2.ASGITransport:
        """The four services behind one address."""
        api = build_api(name="door", title="t", version="1", settings=self.settings)
        for service, store in self.stores.items():
            api.include_router(proofs_router(store, self.sealers[service]))
        return httpx2.ASGITransport(app=api)


@pytest.fixture
async def logs(
    own_database: Database, servers: Servers, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Logs]:
    settings = ServiceSettings(
        # A role that may read and write all four schemas, as the services' own roles together may.
        database_url=SecretStr(own_database.superuser),
        kafka_bootstrap_servers=servers.kafka,
        jwks_file=reader.issuer.jwks_file,
    )
    made = Logs(settings, reader.store)
    for owner in Owner:
        made.stores[owner].open()
        made.stores[owner].migrate("shared.messaging")
        with own_database.rule(owner) as connection:
            names = ("events", "seals", "heads", "days", "day_heads")
            empty(
                connection, [f"{owner if name == 'events' else 'audit'}_{name}" for name in names]
            )
    monkeypatch.setattr(reader.service.api.state.parts.proofs, "transport", made.door())
    yield made
    for owner in Owner:
        await made.stores[owner].close()


async def an_export(logs: Logs, reader: Reader) -> bytes:
    """Of a ticket with two signed days and a third that is not over, among others on the same days."""
    story = Story(1).opened(is_internal=True).give_group(1, "desk", mode="rule").assign(2, "anna")
    story.promise(2, "first_reply", 30)
    story.note(3, "first day").note(24, "second day").note(25, "still the second").note(48, "third")
    others = [Story(number).opened().note(24, "x").note(48, "x") for number in range(2, 9)]
    for other in others:
        other.give_group(0.5, "desk", mode="rule").give_group(24, "other", mode="rule")
        other.promise(24, "first_reply", 30)
    for _ in range(3):
        logs.keep(story, *others)
        logs.now += timedelta(days=1)
    reader.feed(story, *others)
    # A reading of a day that is over by the time of the export.
    await reader.get("/v1/tickets/1", **SEEN_BY)
    logs.now = datetime.now(UTC)
    logs.sealers["query"].seal_next()
    await reader.get("/v1/tickets/1", **SEEN_BY)
    logs.now += timedelta(days=1)
    logs.sealers["query"].seal_next()
    exported = await reader.get("/v1/audit/tickets/1", **SEEN_BY, proof="true")
    assert exported.status_code == 200, exported.text
    return exported.content


def changed(at: int, **values: Any) -> Callable[[Lines], None]:
    return lambda lines: lines[at].update(values)


def said(at: int, **values: Any) -> Callable[[Lines], None]:
    return lambda lines: lines[at]["data"].update(values)


def proof_of(lines: Lines, service: str) -> dict[str, Any]:
    return next(line for line in lines if line.get("proof") and line["service"] == service)


def grown(lines: Lines) -> dict[str, Any]:
    """The ticket's own stream in intake's proof."""
    return max(proof_of(lines, "intake")["streams"], key=lambda one: len(one["events"]))


def forge(lines: Lines) -> None:
    """Another text, with a hash to match: only the chain tells."""
    import hashlib
    from uuid import UUID

    from shared.audit import chain

    note = next(line for line in lines if line["type"] == "ticket.note_added.v1")
    note["data"]["body"] = "I never said that"
    stream = grown(lines)
    place = stream["events"][note["version"] - 1]
    digest = hashlib.sha256(msgspec.json.encode(note["data"])).digest()
    id_ = UUID(stream["stream"]).bytes
    place[2] = chain.leaf(place[1], id_, note["version"], note["type"], digest).hex()


def insert(lines: Lines) -> None:
    """As if it had been said on the first day, after the end of the chain."""
    last = max(
        (line for line in lines if line.get("topic") == "tickets.v1"), key=lambda x: x["version"]
    )
    new = msgspec.json.decode(msgspec.json.encode(last))
    new["data"]["version"] = new["version"] = last["version"] + 1
    new["event_id"] = new["event_id"].rpartition(":")[0] + f":{new['version']}"
    lines.insert(lines.index(last) + 1, new)


def another_day(day: dict[str, Any]) -> Callable[[Lines], None]:
    """A root that was signed, of a day on which the stream had another end."""

    def tamper(lines: Lines) -> None:
        proof_of(lines, "intake")["days"], grown(lines)["day"] = [day], day["day"]

    return tamper


def shorter(lines: Lines) -> None:
    """The second day's lines go, and the proof is cut to match."""
    stream = grown(lines)
    stream["events"], stream["head"] = stream["events"][:2], 2
    lines[:] = [line for line in lines if line.get("topic") != "tickets.v1" or line["version"] <= 2]


def without(service: str) -> Callable[[Lines], None]:
    return lambda lines: lines.remove(proof_of(lines, service))


WRONG: Final[dict[str, tuple[Callable[[Lines], None], str]]] = {
    "changed text": (said(1, why="for money"), "line 2: routing:"),
    "changed body": (said(3, body="nothing"), "was changed: the event is not the one that was sealed"),
    "changed sentence": (changed(0, sentence="Carl did nothing"), "says another sentence than its event"),
    "changed moment": (changed(0, recorded_at="2026-03-02T12:00:01Z"), "says another recorded_at"),
    "changed old value": (changed(0, changes=[]), "says another changes"),
    "changed number": (changed(1, ticket_number=77), "says another ticket_number"),
    "another cause": (changed(1, caused_by={"event_id": "intake:x:1", "type": "t", "sentence": "s"}), "another cause"),
    "removed first": (lambda lines: lines.pop(0) and None, "is missing"),
    "removed middle": (lambda lines: lines.pop(3) and None, "is missing"),
    "inserted twice": (lambda lines: lines.insert(4, lines[3]), "line 5"),
    "inserted new": (insert, "was inserted: its stream has no such event"),
    "reordered": (lambda lines: lines.insert(0, lines.pop(1)), "line 2"),
    "forged with its hash": (forge, "does not lead to the root"),
    "cut with its proof": (shorter, "does not lead to the root"),
    "no proof": (without("intake"), "the file has no valid proof of it"),
    "no line": (lambda lines: lines.insert(2, {"event_id": 7}), "line 3: is no line"),
}  # fmt: skip


async def test_a_history_is_proven_by_itself_and_every_tampering_is_named(
    logs: Logs, reader: Reader, tmp_path: Path
):
    content = await an_export(logs, reader)
    file = tmp_path / "ticket.ndjson"
    file.write_bytes(content)
    verdict = verify_file(file, KEYS)
    assert verdict.findings == []
    assert verdict.proven == {"intake": 4, "routing": 2, "sla": 2, "query": 1}
    # The third day is not over; nor is the day of the second reading.
    assert verdict.unproven == {"intake": 1, "query": 2}
    assert verdict.status == 3
    assert verdict.days["intake"] == "2026-03-03"
    assert verdict.days["routing"] == "2026-03-02"
    intact = [msgspec.json.decode(line) for line in content.splitlines()]
    (first_day,) = logs.stores["intake"].transact(
        lambda tx: tx.cursor.execute("SELECT * FROM audit_days WHERE day = '2026-03-02'").fetchall()
    )
    of_another = another_day(msgspec.json.decode(msgspec.json.encode(told(first_day))))
    missed = {}
    wrong = WRONG | {
        "proof of another day": (of_another, "does not lead to the root of 2026-03-02")
    }
    for name, (tamper, expected) in wrong.items():
        lines = msgspec.json.decode(msgspec.json.encode(intact))
        tamper(lines)
        file.write_bytes(msgspec.json.Encoder().encode_lines(lines))
        found = verify_file(file, KEYS)
        words = [f"line {line}: {what}" for line, what in found.findings]
        if found.status != 1 or not any(expected in one for one in words):
            missed[name] = words
    assert missed == {}


async def test_the_command_says_what_is_proven_and_trusts_no_other_key(
    logs: Logs, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TICKETING_HOME", str(tmp_path / "nothing"))
    file = tmp_path / "ticket.ndjson"
    file.write_bytes(await an_export(logs, reader))

    def verify(**secrets: str) -> tuple[int, str]:
        keys = [f"--public-key={name}={AuditKey(of, name).public}" for name, of in secrets.items()]
        done = CliRunner().invoke(app, ["audit", "verify", "--file", str(file), *keys])
        return done.exit_code, done.output

    right = dict.fromkeys(KEYS, SECRET)
    status, said = verify(**right)
    assert status == 3
    assert "intake: 4 events proven, under the signed day 2026-03-03" in said
    assert "intake: 1 events not under a signed day yet" in said
    status, said = verify(**{**right, "intake": "somebody else's secret, of 32 letters and more"})
    assert status == 1
    assert "the root of 2026-03-03 is not signed by a trusted key" in said
    # What is not over yet is left out: everything else is proven.
    whole = [msgspec.json.decode(line, type=msgspec.Raw) for line in file.read_bytes().splitlines()]
    done = [
        line
        for line in whole
        if not (one := msgspec.json.decode(line)).get("event_id")
        or (one["event_id"].startswith("intake") and one["version"] <= 4)
        or one["event_id"].startswith(("routing", "sla"))
        or one == msgspec.json.decode(next(x for x in whole if b'"ticket.read.v1"' in bytes(x)))
    ]
    file.write_bytes(b"\n".join(bytes(line) for line in done))
    assert verify(**right)[0] == 0


async def test_only_the_lines_of_proofs_are_added_and_only_where_they_can_be(
    logs: Logs, reader: Reader
):
    content = await an_export(logs, reader)
    plain = await reader.get("/v1/audit/tickets/1", **SEEN_BY)
    told = [msgspec.json.decode(line) for line in content.splitlines()]
    events = [line for line in told if "proof" not in line]
    # Each export is a reading of this ticket, which the next one tells.
    assert [msgspec.json.decode(line) for line in plain.content.splitlines()][:-1] == events
    assert [line["service"] for line in told[len(events) :]] == list(KEYS)
    session = {"cookie": f"{COOKIE}={reader.issuer.issue('wanda', Role.SUPERVISOR)}"}
    path = "/v1/audit/tickets/1?proof=true"
    assert b'"proof"' in (await reader.http.get(path, headers=session)).content, "a page's own link"
    refused = await reader.get("/v1/audit/tickets/1", **SEEN_BY, format="csv", proof="true")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "proof")
    assert (await reader.get("/v1/audit/tickets/1", proof="true")).status_code == 403
    with pytest.raises(NoFrontDoor, match="TICKETING_FRONT_DOOR_URL"):
        await Proofs(None).of(UUID(int=1), [], "token")


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (503, {}, (503, "intake does not say its proofs (503).")),
        (422, {"detail": "Too many."}, (422, "intake: Too many.")),
        (302, {}, (422, "intake: no reason given")),
    ],
)
async def test_a_history_that_a_service_does_not_prove_is_no_file(
    logs: Logs,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    said: Any,
    expected: Any,
):
    reader.feed(Story(1).opened())
    answer = httpx2.MockTransport(
        lambda _: httpx2.Response(status, json=said, headers={"location": "/"})
    )
    monkeypatch.setattr(reader.service.api.state.parts.proofs, "transport", answer)
    got = await reader.get("/v1/audit/tickets/1", **SEEN_BY, proof="true")
    assert (got.status_code, got.json()["detail"]) == expected
