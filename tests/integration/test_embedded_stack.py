"""The embedded stack: real servers that come up, keep their data, and leave nothing behind."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.child import wait_gone
from deploy.local.folder import StateFolder
from deploy.local.postgres import Postgres
from deploy.local.problems import CannotStart
from deploy.local.redis import Redis
from deploy.local.stack import TOPIC_PREFIX, Stack
from shared.topics import PARTITIONS, Topic, all_topics

pytestmark = pytest.mark.integration

SERVICES = ("intake", "routing", "sla", "query")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="module")
def stack(home):
    with Stack(home) as running:
        yield running


def in_thread(coroutine_of):
    """The session's event loop stays untouched."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(lambda: asyncio.run(coroutine_of())).result()


def pids_in(home: Path) -> list[int]:
    return [json.loads(file.read_text())["pid"] for file in (home / "run").glob("*.pid")]


class TestARunningStack:
    def test_gives_each_service_its_own_schema_and_nobody_elses(self, stack):
        with psycopg.connect(stack.database_url("intake")) as connection:
            connection.execute("CREATE TABLE mine (x int)")
            connection.execute("INSERT INTO mine VALUES (1)")
            place = connection.execute(
                "SELECT 'mine'::regclass::oid::regclass, current_schema"
            ).fetchone()
        assert place == ("mine", "intake")
        with (
            psycopg.connect(stack.database_url("sla")) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("SELECT * FROM intake.mine")

    def test_has_every_topic_with_its_partitions(self, stack):
        async def describe():
            admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka.bootstrap_servers)
            await admin.start()
            try:
                return await admin.describe_topics(all_topics(TOPIC_PREFIX))
            finally:
                await admin.close()

        found = {topic["topic"]: len(topic["partitions"]) for topic in in_thread(describe)}
        assert found == dict.fromkeys(all_topics(TOPIC_PREFIX), PARTITIONS)

    def test_refuses_a_wrong_password_everywhere(self, stack):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(f"postgresql://intake:wrong@127.0.0.1:{stack.postgres.port}/ticketing")
        with redis.Redis(port=stack.redis.port) as client, pytest.raises(redis.AuthenticationError):
            client.ping()

    def test_listens_on_loopback_only(self, stack):
        ours = {server.child.pid for server in stack.servers}
        listening = {
            c.laddr.ip.removeprefix("::ffff:")
            for c in psutil.net_connections(kind="tcp")
            if c.pid in ours and c.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}

    def test_keeps_secrets_from_other_accounts(self, stack, home):
        for name in ("secrets.json", "keys/signing.pem", "redis/redis.conf"):
            assert (home / name).stat().st_mode & 0o077 == 0, name
        for server in stack.servers:
            command = " ".join(psutil.Process(server.child.pid).cmdline())
            assert stack.postgres.password not in command
            assert stack.redis.password not in command

    def test_cannot_be_started_twice_in_one_folder(self, stack, home):
        with pytest.raises(CannotStart, match=f"already running \\(process {os.getpid()}\\)"):
            Stack(home).start()


def test_a_restart_keeps_ports_data_and_keys(stack, home):
    """The last that uses the stack of this file: it is stopped here."""
    topic = TOPIC_PREFIX + Topic.TICKETS

    async def publish(servers):
        producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
        await producer.start()
        try:
            await producer.send_and_wait(topic, b"kept", partition=7)
        finally:
            await producer.stop()

    async def read(servers):
        consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topic, 7)])
            return (await asyncio.wait_for(consumer.getone(), 20)).value
        finally:
            await consumer.stop()

    before = stack.environment("query"), stack.issuer.jwks_file.read_text()
    in_thread(lambda: publish(stack.kafka.bootstrap_servers))
    with psycopg.connect(stack.database_url("query")) as connection:
        connection.execute("CREATE TABLE kept (x int)")
    left = pids_in(home)
    stack.stop()
    assert not any(psutil.pid_exists(pid) for pid in left)
    with Stack(home) as second:
        assert (second.environment("query"), second.issuer.jwks_file.read_text()) == before
        assert in_thread(lambda: read(second.kafka.bootstrap_servers)) == b"kept"
        with psycopg.connect(second.database_url("query")) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


@pytest.mark.fault
@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the lifeline is Linux's parent-death signal"
)
def test_no_server_outlives_a_killed_supervisor_and_the_next_start_succeeds(tmp_path):
    program = (
        "import sys; from pathlib import Path; from deploy.local.stack import Stack\n"
        "Stack(Path(sys.argv[1])).start(); print('up', flush=True); sys.stdin.read()"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert supervisor.stdout.readline() == b"up\n"
        servers = [psutil.Process(pid) for pid in pids_in(tmp_path)]
        assert len(servers) == 3
    finally:
        supervisor.send_signal(signal.SIGKILL)
        supervisor.communicate()
    assert wait_gone(servers, seconds_max=30)
    with Stack(tmp_path) as again, psycopg.connect(again.database_url("intake")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.fault
def test_postgres_killed_under_open_sessions_starts_again_with_what_was_committed(tmp_path):
    folder = StateFolder(tmp_path)
    server = Postgres(folder)
    server.prepare()
    server.start()
    try:
        server.wait_until_ready()
        with psycopg.connect(server.conninfo(), autocommit=True) as session:
            session.execute("CREATE TABLE kept AS SELECT 42 AS x")
            backend = psutil.Process(session.info.backend_pid)
            server.child.kill()
            server.start()
            server.wait_until_ready()
        assert wait_gone([backend], seconds_max=30)
        server.child.kill()
        lock = server.data / "postmaster.pid"
        lock.write_text(f"{os.getpid()}\n" + lock.read_text().split("\n", 1)[1])
        server.start()  # the number belongs to another program now
        server.wait_until_ready()
        with psycopg.connect(server.conninfo()) as session:
            assert session.execute("SELECT x FROM kept").fetchone() == (42,)
    finally:
        server.child.stop()


def test_a_server_left_by_a_crash_is_ended_before_the_next_start(tmp_path):
    crashed = Redis(StateFolder(tmp_path))
    crashed.prepare()
    crashed.start()
    crashed.wait_until_ready()
    left = psutil.Process(crashed.child.pid)

    next_one = Redis(StateFolder(tmp_path))
    next_one.prepare()
    next_one.start()
    try:
        next_one.wait_until_ready()
        assert crashed.child.exit_code is not None
        assert next_one.child.pid != left.pid
    finally:
        next_one.child.stop()


def test_an_unrelated_process_with_a_remembered_number_is_left_alone(tmp_path):
    folder = StateFolder(tmp_path)
    bystander = psutil.Process()
    (tmp_path / "run" / "redis.pid").write_text(json.dumps({"pid": bystander.pid, "born": 1.0}))
    server = Redis(folder)
    server.prepare()
    server.start()
    try:
        server.wait_until_ready()
        assert bystander.is_running()
    finally:
        server.child.stop()


def test_a_taken_port_is_named_with_its_holder_and_the_variable(tmp_path):
    server = Redis(StateFolder(tmp_path))
    server.prepare()
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.port))
        other.listen()
        with pytest.raises(CannotStart) as refusal:
            server.start()
    message = str(refusal.value)
    assert f"port {server.port} for Redis" in message
    assert f"process {os.getpid()}" in message
    assert "TICKETING_PORT_REDIS=" in message
    assert "\n" not in message


def test_a_port_from_the_environment_wins_and_nonsense_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TICKETING_PORT_REDIS", "23456")
    assert Redis(StateFolder(tmp_path)).port == 23456
    monkeypatch.setenv("TICKETING_PORT_REDIS", "many")
    with pytest.raises(CannotStart, match="TICKETING_PORT_REDIS='many' is no port"):
        Redis(StateFolder(tmp_path))


def test_a_full_disk_is_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("deploy.local.problems.FREE_BYTES_MIN", 1 << 60)
    with pytest.raises(CannotStart, match=r"disk nearly full: .* TICKETING_HOME") as refusal:
        StateFolder(tmp_path).acquire()
    assert "\n" not in str(refusal.value)


def test_no_network_at_the_first_start_is_said_in_one_line(tmp_path):
    program = (
        "from deploy.local import kafka_jars\n"
        "from deploy.local.problems import CannotStart\n"
        "try: kafka_jars.resolve()\n"
        "except CannotStart as problem: print(problem)"
    )
    nowhere = {
        "HOME": str(tmp_path),
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "connect this machine to the network" in done.stdout, done.stderr
    assert done.stdout.count("\n") == 1
