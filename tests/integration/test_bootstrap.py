"""The bootstrap on a real PostgreSQL and a real Kafka: who may do what, and that repeating changes nothing."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Final
from uuid import uuid4

import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from psycopg import sql

from deploy.bootstrap import SERVICES, DatabasePlan, TopicPlan, TopicRefused, prepare_topics
from deploy.bootstrap.database import grants
from tests.support.database import Database
from tests.support.servers import Servers

pytestmark = pytest.mark.integration

OTHERS: Final = [(mine, other) for mine in SERVICES for other in SERVICES if mine != other]


def execute(database: Database, role: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database.url(role)) as connection:
        cursor = connection.execute(sql.SQL(statement))  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_works_in_its_own_schema_without_naming_it(
    database: Database, service: str
) -> None:
    table = f"t_{uuid4().hex}"
    execute(database, service, f"CREATE TABLE {table} (x int)")
    where = execute(
        database, service, f"SELECT schemaname FROM pg_tables WHERE tablename = '{table}'"
    )
    assert where == [(service,)]


@pytest.mark.parametrize(("service", "other"), OTHERS)
def test_a_service_neither_reads_nor_writes_in_anothers_schema(
    database: Database, service: str, other: str
) -> None:
    table = f"t_{uuid4().hex}"
    execute(database, other, f"CREATE TABLE {table} (x int)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(database, service, f"SELECT * FROM {other}.{table}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(database, service, f"CREATE TABLE {other}.{table}_2 (x int)")


@pytest.mark.parametrize("role", [*SERVICES, "bi_reader"])
def test_nobody_writes_in_public(database: Database, role: str) -> None:
    with pytest.raises(
        (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)
    ):
        execute(database, role, "CREATE TABLE public.t (x int)")


def test_bi_reader_reads_a_view_that_query_makes_later_and_nothing_beneath_it(
    database: Database,
) -> None:
    name = f"v_{uuid4().hex}"
    execute(database, "query", f"CREATE TABLE {name} AS SELECT 7 AS x")
    execute(database, "query", f"CREATE VIEW bi.{name} AS SELECT x FROM query.{name}")
    assert execute(database, "bi_reader", f"SELECT x FROM {name}") == [(7,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(database, "bi_reader", f"SELECT x FROM query.{name}")


def test_bi_reader_writes_nothing_even_if_it_asks_to(database: Database) -> None:
    name = f"t_{uuid4().hex}"
    execute(database, "query", f"CREATE TABLE bi.{name} (x int)")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        execute(database, "bi_reader", f"INSERT INTO {name} VALUES (1)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(
            database,
            "bi_reader",
            f"SET TRANSACTION READ WRITE; INSERT INTO {name} VALUES (1)",
        )


def test_what_bi_reader_asks_is_in_the_servers_log_and_it_cannot_end_that(
    database: Database,
) -> None:
    assert execute(database, "bi_reader", "SHOW log_statement") == [("all",)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(database, "bi_reader", "SET log_statement = 'none'")


def test_bi_reader_has_a_limit_of_time(database: Database) -> None:
    assert execute(database, "bi_reader", "SHOW statement_timeout") == [("1min",)]


def test_repeating_the_grants_changes_nothing(database: Database) -> None:
    name = f"v_{uuid4().hex}"
    execute(database, "query", f"CREATE VIEW bi.{name} AS SELECT 1 AS x")
    with psycopg.connect(database.superuser) as connection:
        for statement in grants(database.name):
            connection.execute(statement)
    assert execute(database, "bi_reader", f"SELECT x FROM {name}") == [(1,)]
    assert execute(database, "query", "SELECT current_schema()") == [("query",)]


def test_a_role_without_a_password_is_never_made() -> None:
    with pytest.raises(ValueError, match="no password for: routing, bi_reader"):
        DatabasePlan("ticketing", {"intake": "x", "routing": "", "sla": "x", "query": "x"})


@pytest.fixture
async def names(servers: Servers) -> AsyncIterator[list[str]]:
    prefix = f"bootstrap-{uuid4().hex[:12]}."
    made = [prefix + "tickets.v1", prefix + "sla.v1"]
    yield made
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
    await admin.start()
    try:
        await admin.delete_topics(made)
    finally:
        await admin.close()


async def test_topics_are_made_once_and_kept_for_ever(servers: Servers, names: list[str]) -> None:
    plan = TopicPlan(names=names, partitions=3)
    assert await prepare_topics(servers.kafka, plan) == names
    assert await prepare_topics(servers.kafka, plan) == []
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
    await admin.start()
    try:
        described = await admin.describe_topics(names)
        (answer,) = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, names[0])]
        )
    finally:
        await admin.close()
    assert [len(topic["partitions"]) for topic in described] == [3, 3]
    configured = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    assert configured["retention.ms"] == configured["retention.bytes"] == "-1"
    assert configured["cleanup.policy"] == "delete"


async def test_another_number_of_partitions_is_refused(servers: Servers, names: list[str]) -> None:
    await prepare_topics(servers.kafka, TopicPlan(names=names, partitions=2))
    with pytest.raises(TopicRefused, match="has 2 partitions, 5 are wanted"):
        await prepare_topics(servers.kafka, TopicPlan(names=names, partitions=5))


async def test_more_copies_than_brokers_are_refused(servers: Servers, names: list[str]) -> None:
    with pytest.raises(TopicRefused, match="Kafka refuses topic"):
        await prepare_topics(servers.kafka, TopicPlan(names=names, replication_factor=9))
    await prepare_topics(servers.kafka, TopicPlan(names=names, partitions=1))


def test_the_command_names_every_variable_at_fault_and_shows_no_value() -> None:
    environment = {"PATH": os.environ["PATH"], "TICKETING_PASSWORD_SLA": "short-secret"}
    done = subprocess.run(
        [sys.executable, "-m", "deploy.bootstrap"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    for name in ("SUPERUSER_URL", "PASSWORD_INTAKE", "PASSWORD_SLA", "KAFKA_BOOTSTRAP_SERVERS"):
        assert f'"variable": "TICKETING_{name}"' in done.stdout
    assert "short-secret" not in done.stdout + done.stderr
