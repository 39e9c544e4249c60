"""A real IMAP server, polled: resumed where it was left, once each, whatever dies in between."""

import asyncio
import imaplib
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest

from deploy.local import ports
from services.intake.channels.mail import imap
from services.intake.channels.mail.imap import ImapPoll
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Desk
from tests.integration.intake_mail.post import a_mail, new_address, open_post
from tests.support.database import Database
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


PROGRAM = """
import functools, sys
from pymap import config, main
config.BuiltinHash = functools.partial(config.BuiltinHash, rounds=1)
sys.exit(main.main())
"""
"""The program `pymap`, without the half second of arithmetic that guards each of its passwords."""


class Server:
    """An in-memory IMAP server in a process of its own; each folder starts empty."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._client: imaplib.IMAP4 | None = None

    def client(self) -> imaplib.IMAP4:
        client = imaplib.IMAP4("127.0.0.1", self.port)
        client.login("demouser", "demopass")
        return client

    def put(self, folder: str, *mails: Any, flags: str = "") -> None:
        client = self.client()
        client.create(folder)
        for mail in mails:
            kind, said = client.append(folder, flags, None, mail.as_bytes())
            assert kind == "OK", said
        client.logout()

    def count(self, folder: str, criterion: str) -> int:
        client = self.client()
        client.select(folder, readonly=True)
        found = client.search(None, criterion)[1][0]
        client.logout()
        return len(found.split())


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    port, claim = ports.choose(avoid=set())
    with (tmp_path_factory.mktemp("pymap") / "log").open("wb") as log:
        child = subprocess.Popen(
            [
                sys.executable, "-c", PROGRAM, "--no-tls", "--host", "127.0.0.1",
                "--port", str(port), "--no-service", "managesieve", "--no-service", "admin",
                "dict", "--demo-data",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
    found = Server(port)
    deadline = time.monotonic() + 30
    while True:
        try:
            found.client().logout()
            break
        except OSError:
            assert time.monotonic() < deadline, "the IMAP server did not start"
            assert child.poll() is None, "the IMAP server ended"
    yield found
    child.terminate()
    child.wait(30)
    claim.close()


@pytest.fixture
async def desk_of(
    database: Database, issuer: LocalIssuer, desk: Desk, server: Server, tmp_path, monkeypatch
) -> AsyncIterator[Any]:
    """Makes polls of a folder, each as a process of its own would have it."""
    monkeypatch.setenv("IMAP_PASSWORD", "demopass")
    opened = []

    async def make(folder: str, name: str, **account: Any) -> ImapPoll:
        said = {
            "host": "127.0.0.1", "port": server.port, "user": "demouser", "folder": folder,
            "password_env": "IMAP_PASSWORD", "security": "none", "poll_seconds": 0.05, **account,
        }  # fmt: skip
        lines = "".join(f"      {key}: {value}\n" for key, value in said.items())
        file = tmp_path / f"{uuid4().hex}.yaml"
        file.write_text(
            f"mailboxes:\n  - name: {name}\n    addresses: [{name}@desk.example]\n    imap:\n{lines}"
        )
        context = open_post(database, issuer, file, tmp_path / "files", mail_bytes_max=100_000)
        made = await context.__aenter__()
        opened.append(context)
        (poll,) = (one for one in made.service._task_makers if isinstance(one, ImapPoll))
        return poll

    yield make
    for context in opened:
        await context.__aexit__(None, None, None)


@pytest.fixture
def box() -> tuple[str, str]:
    """A folder and a mailbox of its own."""
    name = f"box-{uuid4().hex[:8]}"
    return name.title().replace("-", ""), name


async def tickets_of(desk: Desk, *senders: str) -> list[int]:
    """How many tickets each sender has."""
    found = []
    for sender in senders:
        rows = await desk.rows("SELECT DISTINCT ticket_id FROM mail_ids WHERE sender = %s", sender)
        found.append(len(rows))
    return found


async def test_new_mails_are_taken_in_order_and_marked_once(
    desk: Desk, server: Server, desk_of, box
):
    senders = [new_address() for _ in range(3)]
    server.put(box[0], *(a_mail(**{"from": one}) for one in senders))
    poll = await desk_of(*box)
    assert await poll.poll() == 3
    assert await poll.poll() == 0
    assert await tickets_of(desk, *senders) == [1, 1, 1]
    assert server.count(box[0], "SEEN") == 3
    later = new_address()
    # A person has read it already: it is taken all the same, because the place says so and not the mark.
    server.put(box[0], a_mail(**{"from": later}), flags="\\Seen")
    assert await poll.poll() == 1
    assert await tickets_of(desk, later) == [1]


async def test_a_first_look_leaves_what_was_read_before_alone(
    desk: Desk, server: Server, desk_of, box
):
    old, new = new_address(), new_address()
    server.put(box[0], a_mail(**{"from": new}))
    server.put(box[0], a_mail(**{"from": old}), flags="\\Seen")
    poll = await desk_of(*box)
    await poll.poll()
    await poll.poll()
    assert await tickets_of(desk, old, new) == [0, 1]
    everything = await desk_of(box[0], f"{box[1]}-all", start="all")
    assert await everything.poll() == 2
    assert await tickets_of(desk, old, new) == [1, 1]


async def test_mails_are_moved_after_they_are_stored(desk: Desk, server: Server, desk_of, box):
    sender = new_address()
    server.put(box[0], a_mail(**{"from": sender}))
    poll = await desk_of(*box, done=f"{box[0]}Done")
    assert await poll.poll() == 1
    assert server.count(box[0], "ALL") == 0
    assert server.count(f"{box[0]}Done", "ALL") == 1


async def test_a_death_between_commit_and_mark_doubles_nothing(
    desk: Desk, server: Server, desk_of, box, monkeypatch
):
    senders = [new_address(), new_address()]
    server.put(box[0], *(a_mail(**{"from": one}) for one in senders))
    poll = await desk_of(*box)

    def dies(self: Any, uid: int) -> None:
        raise ConnectionResetError("the process is gone")

    with monkeypatch.context() as patched:
        patched.setattr(imap._Session, "done", dies)
        with pytest.raises(ConnectionResetError):
            await poll.poll()
    assert await tickets_of(desk, *senders) == [1, 0]
    assert server.count(box[0], "SEEN") == 0
    successor = await desk_of(*box)
    assert await successor.poll() == 2
    assert await tickets_of(desk, *senders) == [1, 1]
    assert server.count(box[0], "SEEN") == 2


async def test_two_processes_that_poll_at_once_make_one_ticket_a_mail(
    desk: Desk, server: Server, desk_of, box
):
    senders = [new_address() for _ in range(5)]
    server.put(box[0], *(a_mail(**{"from": one}) for one in senders))
    first, second = await desk_of(*box), await desk_of(*box)
    await asyncio.gather(first.poll(), second.poll())
    assert await tickets_of(desk, *senders) == [1] * 5


async def test_a_folder_that_was_made_anew_is_read_from_its_beginning(
    desk: Desk, server: Server, desk_of, box
):
    sender = new_address()
    mail = a_mail(**{"from": sender})
    server.put(box[0], mail)
    poll = await desk_of(*box)
    await poll.poll()
    await desk.rows("UPDATE imap_positions SET uid_validity = 1, last_uid = 900 WHERE mailbox = %s"
                    " RETURNING mailbox", box[1])  # fmt: skip
    later = new_address()
    server.put(box[0], a_mail(**{"from": later}))
    assert await poll.poll() == 2  # both are read again, and one of them is known
    assert await tickets_of(desk, sender, later) == [1, 1]


async def test_a_mail_that_is_too_large_is_a_refusal_and_holds_up_nobody(
    desk: Desk, server: Server, desk_of, box
):
    sender = new_address()
    server.put(box[0], a_mail("x" * 60 + "\n" + "y\n" * 60_000), a_mail(**{"from": sender}))
    poll = await desk_of(*box)
    assert await poll.poll() == 2
    assert await tickets_of(desk, sender) == [1]
    (row,) = await desk.rows("SELECT kind FROM mail_refusals WHERE mailbox = %s", box[1])
    assert row["kind"] == "too_large"


async def test_the_task_takes_what_comes_while_it_runs_and_survives_a_server_that_is_away(
    desk: Desk, server: Server, desk_of, box, monkeypatch
):
    monkeypatch.setattr(imap, "_PAUSE_SECONDS_FIRST", 0.05)
    server.put(box[0])
    poll = await desk_of(*box)
    opening = imap._Session.open
    refused = []

    def once_away(self: Any) -> None:
        if not refused:
            refused.append(True)
            raise ConnectionRefusedError("not there yet")
        opening(self)

    monkeypatch.setattr(imap._Session, "open", once_away)
    task = asyncio.ensure_future(poll())
    sender = new_address()
    await asyncio.to_thread(server.put, box[0], a_mail(**{"from": sender}))

    async def is_there() -> bool:
        return await tickets_of(desk, sender) == [1]

    await eventually(is_there, what="the mail became a ticket")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert refused


async def test_a_poll_that_is_stopped_while_it_connects_says_goodbye(
    server: Server, desk_of, box, monkeypatch
):
    server.put(box[0])
    poll = await desk_of(*box)
    connecting, go_on, said = threading.Event(), threading.Event(), []
    opening, logout = imap._Session._open, imaplib.IMAP4.logout

    def slow(self: Any) -> None:
        connecting.set()
        assert go_on.wait(30)
        opening(self)

    def noted(self: imaplib.IMAP4) -> Any:
        said.append("goodbye")
        return logout(self)

    monkeypatch.setattr(imap._Session, "_open", slow)
    monkeypatch.setattr(imaplib.IMAP4, "logout", noted)
    task = asyncio.ensure_future(poll.poll())
    await asyncio.to_thread(connecting.wait, 30)
    task.cancel()
    asyncio.get_running_loop().call_later(0.1, go_on.set)  # the connection is there after the end
    await asyncio.gather(task, return_exceptions=True)
    assert said == ["goodbye"]
