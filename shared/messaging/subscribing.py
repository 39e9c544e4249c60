"""How a consumer hangs on Kafka: FastStream's broker with every option that decides delivery written out."""

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from aiokafka import ConsumerRebalanceListener, TopicPartition
from faststream.kafka import KafkaBroker

from shared.settings import ServiceSettings

FETCH_BYTES_MAX: Final = 8 * 1024 * 1024
"""What one answer of a broker holds, compressed; it stays in memory until all of it is applied."""

PARTITION_FETCH_BYTES_MAX: Final = 64 * 1024
"""Of each partition so little that a reader far behind takes from all of them in turn: what is told of a ticket in
several topics then comes together. Not a limit for records: of a partition that is asked for first, the broker gives
one whole batch, however large."""


def make_broker(name: str, settings: ServiceSettings) -> KafkaBroker:
    """The broker of a consumer."""
    return KafkaBroker(
        settings.kafka_bootstrap_servers,
        client_id=f"{name}-{settings.instance}",
        apply_types=False,
        allow_auto_create_topics=False,
        consumer_only=True,
        graceful_timeout=float(settings.shutdown_seconds_max),
        codec=_Unwrapped(),
        logger=None,
    )


class _Unwrapped:
    """FastStream codec that hands over the aiokafka records themselves: no decoding per message."""

    async def decode(self, msg: Any) -> Any:
        return msg

    async def decode_batch(self, msg: Any) -> Any:
        return [msg]

    async def encode(self, msg: Any, serializer: Any = None) -> tuple[bytes, str | None]:
        raise NotImplementedError("the relay publishes; FastStream only reads here")

    async def encode_batch(
        self, msgs: Any, serializer: Any = None
    ) -> list[tuple[bytes, str | None]]:
        raise NotImplementedError("the relay publishes; FastStream only reads here")


class Assignments(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Tells the consumer when its partitions come and go."""

    def __init__(
        self,
        placed: Callable[[Iterable[TopicPartition]], Any],
        taken: Callable[[], None],
    ) -> None:
        self._placed = placed
        self._taken = taken

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:  # noqa: ARG002  # all of them
        """The assignment ends."""
        self._taken()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """A new assignment begins."""
        await self._placed(assigned)
