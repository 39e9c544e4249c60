"""Addresses and limits come from the environment, each checked at start with its own name in the error."""

import socket
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What every service needs to know. Variables carry the prefix `TICKETING_`."""

    model_config = SettingsConfigDict(env_prefix="TICKETING_", extra="ignore", frozen=True)

    database_url: SecretStr = Field(description="PostgreSQL URL of this service's own role")
    database_pool_size: Annotated[int, Field(ge=2, le=64)] = Field(
        default=6,
        description="connections for writing, and as many for reading: few, because writes are grouped",
    )
    kafka_bootstrap_servers: str = Field(description="host:port[,host:port]")
    topic_prefix: str = Field(
        default="ticketing.",
        description="begins every topic's name; installations share a Kafka by it",
    )
    redis_url: SecretStr | None = Field(
        default=None, description="Redis URL; without it presence and live updates degrade"
    )
    instance: Annotated[str, Field(max_length=100, validate_default=True)] = Field(
        default="",
        description=(
            "tells apart processes of the same service; each needs its own, the same after a restart;"
            " empty: the machine's host name, which every container has for itself"
        ),
    )

    niceness: Annotated[int, Field(ge=0, le=19)] = Field(
        default=0,
        description="how far the process steps back for others of its machine (`nice`): readers of events catch up,"
        " whoever waits for an answer does not",
    )

    @field_validator("instance")
    @classmethod
    def _named_after_its_machine(cls, instance: str) -> str:
        return instance or socket.gethostname()

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, networks: str) -> str:
        for network in networks.split(","):
            ip_network(network.strip())
        return networks

    http_host: str = Field(
        default="127.0.0.1", description="address to listen on; 0.0.0.0 only behind a front door"
    )
    http_port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8000, description="port to listen on"
    )
    trusted_proxies: str = Field(
        default="127.0.0.0/8,::1/128",
        description=(
            "networks (CIDR, separated by commas) whose `X-Forwarded-For` is believed: where the front door is. The"
            " address found so stands in events as the actor's `ip`"
        ),
    )
    http_body_bytes_max: Annotated[int, Field(ge=1024)] = Field(
        default=1_048_576,
        description="largest request body (batches have a larger limit of their own)",
    )
    shutdown_seconds_max: Annotated[int, Field(ge=1, le=600)] = Field(
        default=20,
        description="how long each part may drain; keep it under the supervisor's patience",
    )

    jwt_issuer: str = Field(default="ticketing-local", description="`iss` that tokens must have")
    jwt_audience: str = Field(default="ticketing", description="`aud` that tokens must have")
    jwks_file: Path | None = Field(default=None, description="JSON Web Key Set on disk")
    jwks_url: str | None = Field(
        default=None, description="JSON Web Key Set of the OIDC issuer; used when no file is given"
    )

    log_format: Annotated[str, Field(pattern="^(json|console)$")] = Field(
        default="json", description="one JSON object a line, or coloured text for a terminal"
    )
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = Field(
        default="INFO", description="least level that is written"
    )

    consumer_batch_max: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=500,
        description="events in one transaction of a reader: past this, more gain little and hold locks longer",
    )
    consumer_wait_ms_max: Annotated[int, Field(ge=1, le=5_000)] = Field(
        default=40,
        description=(
            "how long Kafka waits for a reader's batch to fill, unless there is much already: part of every event's"
            " way, and what keeps many small batches from costing more than the events"
        ),
    )
    audit_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description=(
            "what this service's audit key (Ed25519) is made from, at least 32 random characters, kept from everybody"
            " with rights on the database; without it the audit is chained and not signed"
        ),
    )
    audit_seal_seconds: Annotated[float, Field(ge=0.05, le=60)] = Field(
        default=1.0,
        description="how long an event may stand before it is sealed: the window in which a change leaves no trace",
    )

    relay_batch_max: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=1_000, description="events published before the relay's position is stored"
    )
    relay_gather_ms: Annotated[int, Field(ge=0, le=1_000)] = Field(
        default=25,
        description="least time between two turns of the relay, unless a whole batch is waiting",
    )
    relay_wake_ms_max: Annotated[int, Field(ge=10, le=5_000)] = Field(
        default=100,
        description="how often the relay looks by itself; what its own process stores wakes it at once",
    )
    commit_group_max: Annotated[int, Field(ge=1, le=5_000)] = Field(
        default=500,
        description="commands that share one transaction: more commit no cheaper, only later for the first",
    )
