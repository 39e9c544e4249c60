"""What somebody does at a terminal, as the audit names it."""

import asyncio
import getpass
import os
from typing import Any

import psycopg
from pydantic import SecretStr

from deploy.audit.places import places
from deploy.local.problems import CannotStart
from services.query.own_log import note_operation
from services.query.settings import Settings
from shared.database import Database
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


def note_at_query(done: Operation) -> None:
    """Into the log of `query` of the installation in `.ticketing`; returns after the commit.

    Raises:
        CannotStart: there is no installation here, or its database does not answer: what cannot be told is not done.
    """
    found = places(["query"], database=None, public_keys=(), kafka=None, prefix=None)
    settings = Settings(
        database_url=SecretStr(found.urls["query"]), kafka_bootstrap_servers="unused:0"
    )
    store = Database(settings, schema="query")
    try:
        store.open()
        store.transact(lambda tx: note_operation(tx, done))
    except psycopg.Error as error:
        raise CannotStart(str(error).partition("\n")[0]) from None
    finally:
        asyncio.run(store.close())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())
