"""What a sink of alerts is: one small protocol, so that another one is one module more."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

import msgspec

from services.sla.alerts.notice import Action, Notice


class Sent(msgspec.Struct, frozen=True):
    """The receiver took it.

    Attributes:
        http_status: what it answered, where it speaks HTTP.
        receipt: what it gave back and needs to hear again in later words about the same thing
            (a message's id); kept with the delivery, so never a secret.
    """

    http_status: int | None = None
    receipt: Mapping[str, str] | None = None


class NotDelivered(Exception):
    """The sink did not take it; it will be tried again.

    Args:
        reason: for the delivery log, without addresses and secrets.
        http_status: what the receiver answered, when it did.
        retry_after_seconds: how long the receiver asks to be left alone.
    """

    is_final = False

    def __init__(
        self,
        reason: str,
        *,
        http_status: int | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.http_status = http_status
        self.retry_after_seconds = retry_after_seconds


class Rejected(NotDelivered):
    """The sink will never take it, however often it is asked."""

    is_final = True


class Sink(Protocol):
    """Where alerts go.

    Attributes:
        name: stable; part of the delivery's identity, and a label of metrics.
        actions: what this receiver understands; the rest is not sent to it.
        batch_max: how many notices one call may carry.
        is_capped: whether a storm is cut to single alerts plus a summary a minute. A receiver that
            groups by itself and must see each alert to end it again is not.
        is_stateful: whether the receiver keeps one thing per alert that lives until it is told of
            the end. Then only beginnings go into a summary, the summary is a thing of its own, and
            it is ended when the last of its alerts has ended.
        refresh_every: receivers that forget are told open alerts again this often; None: never.
    """

    @property
    def name(self) -> str: ...
    @property
    def actions(self) -> frozenset[Action]: ...
    @property
    def batch_max(self) -> int: ...
    @property
    def is_capped(self) -> bool: ...
    @property
    def is_stateful(self) -> bool: ...
    @property
    def refresh_every(self) -> timedelta | None: ...

    async def send(self, notices: Sequence[Notice]) -> Sent:
        """Hand all of `notices` over.

        Raises:
            NotDelivered: none of them counts as delivered; `Rejected` when trying again is useless.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
