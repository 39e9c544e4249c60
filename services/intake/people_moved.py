"""What older versions knew of addresses beside the contacts becomes contacts; then `person_addresses` is empty."""

import asyncio
from typing import Final

import structlog

from services.intake.app import Asking, Intake, Tx
from shared.database import TRANSIENT
from shared.events import Actor, ActorKind, Channel
from shared.events.tickets import Person
from shared.observability.correlation import new_correlation_id

log = structlog.get_logger(__name__)

TOGETHER: Final = 100
"""Addresses in one transaction: contacts are locked while it lasts."""

PAUSE_SECONDS: Final = 1.0
_SYSTEM: Final = Actor(kind=ActorKind.SYSTEM, id="intake")


class PeopleMoved:
    """Runs once after an upgrade, and in every later process for the time of one empty look."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def run(self) -> None:
        """Until nothing is left. Any number of processes may; the database being away is waited for."""
        while True:
            try:
                count = await asyncio.to_thread(self._intake.read, self._move)
            except TRANSIENT as error:
                log.warning("people_wait", error=type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if not count:
                return
            log.info("people_moved", count=count)

    def _move(self, tx: Tx) -> int:
        tx.cursor.execute(
            "DELETE FROM person_addresses WHERE address IN ("
            " SELECT address FROM person_addresses ORDER BY recorded_at, address LIMIT %s"
            " FOR UPDATE SKIP LOCKED)"
            " RETURNING address, person_id, name, email, recorded_at",
            (TOGETHER,),
        )
        rows = sorted(tx.cursor.fetchall(), key=lambda row: (row["recorded_at"], row["address"]))
        for row in rows:
            person = Person(id=row["person_id"], name=row["name"], email=row["email"])
            asking = Asking(actor=_SYSTEM, via=Channel.SYSTEM, correlation_id=new_correlation_id())
            self._intake.introducing(tx, (row["address"],), person, asking)
        return len(rows)
