"""What the bootstrap is told by the environment; every complaint names the variable at fault."""

from typing import Annotated, Final

from pydantic import Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.bootstrap.database import BI_READER, DatabasePlan
from deploy.bootstrap.topics import TopicPlan
from shared.topics import PARTITIONS, WATERMARKS, all_topics

ENV_PREFIX: Final = "TICKETING_"

Password = Annotated[SecretStr, Field(min_length=16)]


class BootstrapSettings(BaseSettings):
    """Addresses and passwords. The superuser's own password may come from libpq's `PGPASSWORD`."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="ignore", frozen=True)

    superuser_url: SecretStr = Field(description="PostgreSQL URL of a superuser, any database")
    database: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")] = "ticketing"
    password_intake: Password
    password_routing: Password
    password_sla: Password
    password_query: Password
    password_bi_reader: Password

    kafka_bootstrap_servers: str = Field(description="host:port[,host:port]")
    topic_prefix: str = "ticketing."
    topic_partitions: Annotated[int, Field(ge=1, le=1_000)] = PARTITIONS
    topic_replication_factor: Annotated[int, Field(ge=1, le=9)] = 1

    bootstrap_wait_seconds_max: Annotated[int, Field(ge=1, le=3_600)] = Field(
        default=120, description="how long a server that does not answer yet is waited for"
    )

    def database_plan(self) -> DatabasePlan:
        """Roles with their passwords."""
        return DatabasePlan(
            database=self.database,
            passwords={
                "intake": self.password_intake.get_secret_value(),
                "routing": self.password_routing.get_secret_value(),
                "sla": self.password_sla.get_secret_value(),
                "query": self.password_query.get_secret_value(),
                BI_READER: self.password_bi_reader.get_secret_value(),
            },
        )

    def topic_plan(self) -> TopicPlan:
        """Every topic of the product under this installation's prefix."""
        return TopicPlan(
            names=all_topics(self.topic_prefix),
            partitions=self.topic_partitions,
            replication_factor=self.topic_replication_factor,
            newest_only=[self.topic_prefix + WATERMARKS],
        )
