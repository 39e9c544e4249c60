"""The sealer inside a service, and the roots that a witness fetches."""

import asyncio
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from deploy.audit.console import witnessed_roots, witnessed_seals
from deploy.local.problems import CannotStart
from shared.audit import Sealer, merkle
from shared.audit.old_days import Interrupted
from shared.events import Owner
from shared.eventstore import EventStore
from shared.http.app import build_api
from shared.identifiers import new_id
from shared.security import LocalIssuer, Role
from shared.service import Service
from shared.settings import ServiceSettings
from tests.integration.audit.conftest import KEYS, SECRET, Archive
from tests.support.database import Database
from tests.support.events import opened
from tests.support.servers import Servers
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


async def test_a_service_seals_by_itself_and_once_more_when_it_stops(
    own_database: Database, servers: Servers, archive: Archive, tmp_path: Path
):
    issuer = LocalIssuer(tmp_path)
    settings = ServiceSettings(
        database_url=SecretStr(own_database.url("intake")),
        kafka_bootstrap_servers=servers.kafka,
        jwks_file=issuer.jwks_file,
        audit_secret=SecretStr(SECRET),
        audit_seal_seconds=0.05,
    )
    api = build_api(name="intake", title="i", version="1", settings=settings)
    store: EventStore[None] = EventStore(settings, owner=Owner.INTAKE)
    service = Service("intake", settings, api=api, store=store, needs_kafka=False)
    assert isinstance(service.sealer, Sealer)
    await service.start()
    try:
        archive.append(opened(new_id()))
        await eventually(lambda: newest(archive) == 37, what="it is sealed within a moment")
        transport = httpx2.ASGITransport(app=api)
        async with httpx2.AsyncClient(transport=transport, base_url="http://intake") as http:

            async def ask(role: Role, path: str = "") -> httpx2.Response:
                token = issuer.issue("wanda", role)
                return await http.get(
                    f"/v1/audit/roots/intake{path}", headers={"Authorization": f"Bearer {token}"}
                )

            assert (await ask(Role.CUSTOMER)).status_code == 403
            assert (await ask(Role.AGENT, "?since=yesterday")).status_code == 422
            answer = (await ask(Role.SERVICE)).json()
        # Those who asked came with tokens of their own: that is in the log too.
        await eventually(lambda: newest(archive) == 37 + 3, what="the uses of tokens are sealed")
    finally:
        archive.append(opened(new_id()))
        await service.stop()
    assert newest(archive) == 41
    assert 37 <= answer["newest_seal"]["last"] <= 40
    assert answer["public_key"]
    assert {day["day"]: day["hash"] for day in answer["days"]} == archive.roots()
    assert archive.verify(keys=KEYS, witnessed=archive.roots()).is_good


def newest(archive: Archive) -> int:
    (row,) = archive.rows("SELECT max(last) AS last FROM audit_seals")
    return int(row["last"])


async def test_an_outage_is_survived(archive: Archive, monkeypatch: pytest.MonkeyPatch):
    sealer = archive.new_sealer()
    sealer._seconds = 0.02
    real, failures = sealer.seal_next, iter([OSError("away"), OSError("away")])

    def seal_next() -> int:
        if (error := next(failures, None)) is not None:
            raise error
        return real()

    monkeypatch.setattr(sealer, "seal_next", seal_next)
    archive.append(opened(new_id()))
    task = asyncio.create_task(sealer.run())
    await eventually(lambda: newest(archive) == 37, what="it goes on after two failures")
    await eventually(lambda: sealer.problem is None, what="and says so")
    sealer.stop()
    await task


def test_a_witness_writes_down_what_verification_reads(
    archive: Archive, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    from deploy.audit.console import print_roots
    from shared.audit.roots import told

    days = [
        {**told(row), "day": row["day"].isoformat(), "signed_at": None}
        for row in archive.rows("SELECT * FROM audit_days ORDER BY number")
    ]
    rows = archive.rows("SELECT number AS seal_number, hash FROM audit_seals ORDER BY number DESC")
    print_roots(
        [{"service": "intake", "public_key": "k", "days": days, "newest_seal": told(rows[0])}]
    )
    kept = tmp_path / "roots.ndjson"
    kept.write_text(capsys.readouterr().out)
    assert witnessed_roots(kept) == {"intake": archive.roots()}
    assert witnessed_seals(kept) == {"intake": archive.newest_seal()}
    for line in ('{"service": "intake", "hash": "00"}', "[]", '{"day": "2026-01-01"}', "no"):
        kept.write_text(line)
        with pytest.raises(CannotStart, match="not what `ticketing audit roots` prints"):
            witnessed_seals(kept)


def leaves_of(archive: Archive) -> list[tuple[object, ...]]:
    rows = archive.rows("SELECT * FROM audit_day_heads ORDER BY day, number")
    return [tuple(row.values()) for row in rows]


def test_days_signed_before_leaves_were_kept_get_theirs_from_the_log(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(merkle, "CHUNK", 2)  # of four streams: two chunks a day
    archive.tamper("DELETE FROM audit_day_heads")
    assert archive.new_sealer().keep_old_days() == 2
    made = leaves_of(archive)
    assert len(made) == 4
    roots = archive.rows("SELECT heads_root FROM audit_days ORDER BY number")
    for place, row in enumerate(roots):
        chunks = [bytes(chunk[-1]) for chunk in made[2 * place : 2 * place + 2]]
        leaf = merkle.leaf_hash(bytes(made[2 * place][3])[:56])
        sibling = merkle.leaf_hash(bytes(made[2 * place][3])[56:])
        assert merkle.root_along(leaf, 0, 4, [sibling, chunks[1]]) == bytes(row["heads_root"])
    assert archive.new_sealer().keep_old_days() == 0  # once


def test_leaves_made_of_the_log_are_those_that_are_kept_when_a_day_is_signed(archive: Archive):
    kept = leaves_of(archive)
    assert len(kept) == 2
    archive.tamper("DELETE FROM audit_day_heads WHERE day = (SELECT min(day) FROM audit_days)")
    assert archive.new_sealer().keep_old_days() == 1
    assert leaves_of(archive) == kept


def test_a_day_whose_log_was_changed_gets_no_leaves(archive: Archive):
    archive.tamper("DELETE FROM audit_day_heads")
    archive.tamper(
        "UPDATE intake_events SET state = state || ' '::bytea WHERE notification_id ="
        " (SELECT max(last) FROM audit_days)"
    )
    assert archive.new_sealer().keep_old_days() == 1  # the first day is as it was signed
    (first,) = leaves_of(archive)
    assert first[0] == archive.rows("SELECT min(day) AS day FROM audit_days")[0]["day"]


def test_the_pass_over_the_log_ends_with_the_service(archive: Archive):
    archive.tamper("DELETE FROM audit_day_heads")
    sealer = archive.new_sealer()
    sealer.stop()
    with pytest.raises(Interrupted):
        sealer.keep_old_days()
    assert leaves_of(archive) == []
