"""Addresses and limits come from the environment, each checked at start with its own name in the error."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What every service needs to know. Variables carry the prefix `TICKETING_`."""

    model_config = SettingsConfigDict(env_prefix="TICKETING_", extra="ignore", frozen=True)

    database_url: SecretStr = Field(description="PostgreSQL URL of this service's own role")
    database_pool_size: Annotated[int, Field(ge=2, le=64)] = 6
    kafka_bootstrap_servers: str = Field(description="host:port[,host:port]")
    topic_prefix: str = "ticketing."
    redis_url: SecretStr | None = Field(
        default=None, description="Redis URL; without it presence and live updates degrade"
    )
    instance: str = Field(default="1", description="tells apart processes of the same service")

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=1, le=65535)] = 8000
    http_body_bytes_max: Annotated[int, Field(ge=1024)] = 1_048_576
    shutdown_seconds_max: Annotated[int, Field(ge=1, le=600)] = 20

    jwt_issuer: str = "ticketing-local"
    jwt_audience: str = "ticketing"
    jwks_file: Path | None = Field(default=None, description="JSON Web Key Set on disk")
    jwks_url: str | None = Field(
        default=None, description="JSON Web Key Set of the OIDC issuer; used when no file is given"
    )

    log_format: Annotated[str, Field(pattern="^(json|console)$")] = "json"
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"

    consumer_batch_max: Annotated[int, Field(ge=1, le=10_000)] = 500
    consumer_wait_ms_max: Annotated[int, Field(ge=1, le=5_000)] = 20
    relay_batch_max: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    relay_wake_ms_max: Annotated[int, Field(ge=10, le=5_000)] = 100
    commit_group_max: Annotated[int, Field(ge=1, le=5_000)] = 500
