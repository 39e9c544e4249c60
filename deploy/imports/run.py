"""One import from beginning to end: promises, the two announcements, the commands, and the wait for query."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from deploy.imports import promises
from deploy.imports.arrival import Backlog, wait_until_projected
from deploy.imports.commands import History
from deploy.imports.door import FrontDoor
from deploy.imports.journal import Journal
from deploy.imports.sender import Progress, Sender, Sent


class Screen(Progress, Protocol):
    """What a person sees of a running import."""

    def note(self, text: str) -> None:
        """Something was done."""

    def waiting(self, backlog: Backlog) -> None:
        """All is sent; so much is still under way."""


@dataclass(frozen=True)
class Result:
    """What came of it. `has_arrived`: query has everything."""

    sent: Sent
    has_arrived: bool
    retry_count: int


async def run_import(
    door: FrontDoor,
    histories: Sequence[History],
    journal: Journal,
    screen: Screen,
    *,
    wait_seconds_max: float,
) -> Result:
    """Send the histories; may be called again with the same ones at any time.

    The journal is kept until everything was answered.

    Raises:
        DoorIsClosed: the product refused or stopped answering. The import stays announced: call again to go on.
    """
    for name in await promises.ensure(door):
        screen.note(f"defined {name}")
    for service in ("routing", "sla"):
        await door.ask("POST", f"/v1/{service}/import/start")
    sent = await Sender(door, journal, screen).send(histories)
    for service in ("routing", "sla"):
        await door.ask("POST", f"/v1/{service}/import/end")
    journal.finish()
    has_arrived = await wait_until_projected(
        door, seconds_max=wait_seconds_max, tell=screen.waiting
    )
    return Result(sent, has_arrived, door.retry_count)
