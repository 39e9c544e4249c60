"""The sealer inside a service, and the roots that a witness fetches."""

import asyncio
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from deploy.audit.console import witnessed_roots, witnessed_seals
from deploy.local.problems import CannotStart
from shared.audit import Sealer
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
    finally:
        archive.append(opened(new_id()))
        await service.stop()
    assert newest(archive) == 38
    assert answer["newest_seal"]["last"] == 37
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
    assert sealer.problem is None
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
