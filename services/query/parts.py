"""What the entrances of this service work with; `main` makes it once."""

from dataclasses import dataclass
from typing import Any

from services.query.arrivals import Arrivals
from services.query.attention import Attentions
from services.query.lag import LagWatch
from services.query.proofs import Proofs
from services.query.reads import Reads
from services.query.settings import Settings
from services.query.view_counts import ViewCounts
from services.query.views.board import board
from services.query.views.freshness import Freshness
from services.query.views.pools import Pool
from shared.database import Database


@dataclass(frozen=True)
class Parts:
    """Pages and API get the same parts, so they show the same numbers."""

    settings: Settings
    store: Database
    lag: LagWatch
    arrivals: Arrivals
    reads: Reads
    attentions: Attentions
    view_counts: ViewCounts
    proofs: Proofs

    async def pool(self) -> Pool:
        """Connections for reading."""
        return await self.store.pool()

    async def count_views(self) -> None:
        """Count the views that nobody should wait for, until cancelled."""
        await self.view_counts.run(self.pool)

    async def dashboard(self) -> dict[str, Any]:
        """The board together with how fresh it is and how far each consumer is behind."""
        fresh = self.lag.known  # before reading: what is known afterwards may not be in the board
        return {**self._told(fresh), **await board(await self.pool())}

    def freshness(self) -> dict[str, Any]:
        """What every answer says about its age; the seconds are None until Kafka was asked once."""
        return self._told(self.lag.known)

    def _told(self, fresh: Freshness) -> dict[str, Any]:
        return {
            "as_of": fresh.as_of,
            "freshness_seconds": fresh.seconds(),
            "position": fresh.position,
            "behind_events": fresh.behind,
            "lag_events": self.lag.lags,
            "freshness_problem": self.lag.problem,
        }
