"""What is remembered of a ticket's escalation: small, JSON, null for the many tickets without a ladder."""

from typing import Literal

import msgspec


class Climb(msgspec.Struct, kw_only=True):
    """One metric's ladder in its newest cycle.

    Attributes:
        policy_id, policy_version: whose ladder; another one is taken up where time already is.
        done: how many of its steps have fired.
        last_us: the planned moment of the last of them.
        attempt: how often the breach was taken back when it was last looked at; then the steps begin again.
        stopped: why it goes no further (`acknowledged`, `answered`, `assigned`), until the clock ends.
    """

    metric: str
    cycle: int
    policy_id: str
    policy_version: int
    done: int = 0
    last_us: int | None = None
    attempt: int = 0
    stopped: str | None = None


class OpenPage(msgspec.Struct, kw_only=True):
    """A page that was sent and is not over. `escalates_us`: when the next level is paged; `attempt`: of the breach."""

    metric: str
    cycle: int
    step: int
    level: int
    round: int
    count: int
    agent_id: str | None = None
    rota_id: str | None = None
    attempt: int = 0
    escalates_us: int | None = None
    state: Literal["paged", "acknowledged", "unanswered"] = "paged"


class Escalation(msgspec.Struct, kw_only=True):
    """All of a ticket."""

    climbs: list[Climb] = []
    pages: list[OpenPage] = []

    def climb(self, metric: str) -> Climb | None:
        """The climb of this metric."""
        return next((climb for climb in self.climbs if climb.metric == metric), None)

    def page(self, metric: str, cycle: int) -> OpenPage | None:
        """The page of this cycle, if one is not over."""
        return next(
            (page for page in self.pages if (page.metric, page.cycle) == (metric, cycle)), None
        )


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Escalation)


def encode(escalation: Escalation | None) -> bytes | None:
    """For storage."""
    return None if escalation is None else _encoder.encode(escalation)


def decode(data: bytes) -> Escalation:
    """What `encode` wrote."""
    return _decoder.decode(data)
