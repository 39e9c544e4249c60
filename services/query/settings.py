"""Settings of this service, from the environment (prefix `TICKETING_`)."""

from typing import Annotated

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Addresses and limits of the reading side."""

    # Projections gain from large batches (one statement a table); 2,000 events are some 3 MB in memory.
    consumer_batch_max: Annotated[int, Field(ge=1, le=10_000)] = 2_000
    min_version_seconds_max: Annotated[float, Field(gt=0, le=30)] = Field(
        default=5.0,
        description="how long `min_version` waits for the projection; longer than any healthy lag, shorter than a"
        " client's patience",
    )
    board_seconds_min: Annotated[float, Field(ge=0.1, le=60)] = Field(
        default=1.0,
        description="the live board is computed at most this often, however much happens",
    )
    board_seconds_max: Annotated[float, Field(ge=0.5, le=60)] = Field(
        default=5.0,
        description="and at least this often while somebody watches, because clocks tick",
    )
    board_viewers_max: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=2_000,
        description="open live boards of one process; each is a connection and a few kB",
    )
    exports_at_once_max: Annotated[int, Field(ge=1, le=64)] = Field(
        default=2,
        description="exports that one process answers at a time; each holds a database connection while it is read",
    )
    sensitive_tags: str = Field(
        default="",
        description="reading a ticket with one of these tags (separated by commas) is recorded in the audit",
    )
    sensitive_types: str = Field(default="", description="the same for ticket types")
    sensitive_fields: str = Field(
        default="", description="the same for tickets on which one of these custom fields is set"
    )
    sensitive_internal: bool = Field(
        default=True, description="the same for internal tickets, which no customer sees"
    )
