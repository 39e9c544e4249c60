"""What routing needs to know beside the common settings; each limit with its reason."""

from typing import Annotated

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of routing. Variables carry the prefix `TICKETING_`."""

    routing_drain_max: Annotated[int, Field(ge=1, le=5_000)] = 200
    """Assignments from the queue in one transaction: some fifty milliseconds, so new tickets get in between (measured:
    500 make new ones wait four times as long and drain no faster)."""

    routing_sweep_seconds: Annotated[float, Field(gt=0, le=3_600)] = 30.0
    """The safety net's period (R2); everything normal acts at once and does not wait for it."""

    routing_import_quiet_seconds: Annotated[float, Field(ge=0, le=3_600)] = 10.0
    """Nothing may have been heard of any imported ticket for this long: the import's last event has come through."""

    routing_unknown_wait_seconds: Annotated[float, Field(ge=0, le=30)] = 2.0
    """How long a command waits for a ticket that intake has accepted a moment ago."""

    routing_import_wait_seconds: Annotated[float, Field(ge=0, le=120)] = 30.0
    """How long an import's line waits for its ticket; then it is answered `not_yet` and can be sent again."""

    routing_lease_seconds: Annotated[int, Field(ge=5, le=3_600)] = 90
    """How long a heartbeat holds (R15): three missed ones at the usual 30 s."""

    routing_lease_debounce_seconds: Annotated[float, Field(ge=0, le=600)] = 10.0
    """How long a lease must have been gone before the agent counts as offline (R15)."""

    routing_lease_watch_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    """How often leases are looked at: half the debounce, so it is late by half of it at most."""
