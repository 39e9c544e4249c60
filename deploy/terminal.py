"""What somebody does at a terminal, as the audit names it."""

import getpass
import os
from typing import Any

from shared.events import Actor, ActorKind, Channel
from shared.observability.correlation import new_correlation_id
from shared.operations import Operation


def operation(what: str, about: str, **changes: Any) -> Operation:
    """For the log of the service that it is done to; who works at a terminal has the machine's name for them."""
    return Operation(
        what=what,
        about=about,
        actor=Actor(ActorKind.AGENT, f"os:{_user()}"),
        via=Channel.AGENT,
        correlation_id=new_correlation_id(),
        changes={name: (None, value) for name, value in changes.items()},
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())
