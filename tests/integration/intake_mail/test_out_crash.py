"""Mails out when things break: a sender killed in the middle, two senders, a server that is away, TLS and login."""

import asyncio
import datetime as dt
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.intake.channels.mail.out.outbox import claim
from services.intake.channels.mail.out.sender import IN_DOUBT
from shared.events.tickets import MessageNotDelivered, MessageSent
from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_mail.outside import Outside, a_sender, drained, parsed
from tests.integration.intake_mail.post import Post, a_mail, new_address, open_post
from tests.support.database import Database
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

MAILBOXES = "mailboxes: [{name: help, addresses: [help@desk.example]}]"

SENDER_PROCESS = """
import asyncio, sys
from pathlib import Path
from services.intake.main import build
from services.intake.settings import Settings
from services.intake.channels.mail.out.sender import MailSender

service = build(Settings())
service.store.open()
service.store.migrate("shared.messaging", "services.intake")
(run,) = [one for one in service._task_makers if isinstance(getattr(one, "__self__", None), MailSender)]
asyncio.run(run())
"""


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    file = tmp_path / "mailboxes.yaml"
    file.write_text(MAILBOXES, encoding="utf-8")
    return file


@pytest.fixture
async def house(
    database: Database, issuer: LocalIssuer, boxes: Path, tmp_path: Path
) -> AsyncIterator[Desk]:
    async with open_post(
        database, issuer, boxes, tmp_path / "files", mail_out_host="127.0.0.1"
    ) as opened:
        pool = await opened.store.pool()
        async with pool.connection() as connection:
            # What other tests left on its way is none of ours.
            await connection.execute(
                "UPDATE mail_outbox SET state = 'discarded' WHERE state IN ('waiting', 'claimed')"
            )
        yield opened


@pytest.fixture
def anna(house: Desk, issuer: LocalIssuer) -> Caller:
    return Caller(house, issuer.issue("anna", Role.AGENT, name="Anna Berg"))


@pytest.fixture
def lena(house: Desk, issuer: LocalIssuer) -> Caller:
    return Caller(house, issuer.issue("lena", Role.SUPERVISOR, name="Lena Roth"))


async def a_replied_ticket(house: Desk, anna: Caller, to: str) -> str:
    done = await Post(house, anna).bring(a_mail(**{"from": to}))
    answer = await anna.post(f"/v1/tickets/{done['ticket_id']}/replies", {"body": "We look at it."})
    assert answer.status_code in {200, 201}, answer.text
    return done["ticket_id"]


async def sent(house: Desk, ticket: str) -> list[Any]:
    return [one for one in await house.events(ticket) if isinstance(one, MessageSent)]


def start_process(database: Database, issuer: LocalIssuer, boxes: Path, port: int, folder: Path):
    environment = {
        **os.environ,
        "TICKETING_DATABASE_URL": database.url("intake"),
        "TICKETING_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "TICKETING_JWKS_FILE": str(issuer.jwks_file),
        "TICKETING_MAILBOXES_FILE": str(boxes),
        "TICKETING_ATTACHMENTS_FOLDER": str(folder),
        "TICKETING_MAIL_OUT_HOST": "127.0.0.1",
        "TICKETING_MAIL_OUT_PORT": str(port),
        "TICKETING_MAIL_OUT_SECURITY": "none",
        "TICKETING_MAIL_OUT_LEASE_SECONDS": "2",
    }
    return subprocess.Popen([sys.executable, "-c", SENDER_PROCESS], env=environment)


async def test_killed_after_the_server_took_it_and_before_the_mark_nothing_is_sent_twice_by_itself(
    house: Desk,
    anna: Caller,
    lena: Caller,
    database: Database,
    issuer: LocalIssuer,
    boxes: Path,
    tmp_path: Path,
):
    ann = new_address()
    outside = Outside()
    with outside.serving() as port:
        process: list[subprocess.Popen[bytes]] = []

        def kill(_raw: bytes) -> None:
            if process:  # the server has the mail, and its `250` finds nobody
                process.pop().send_signal(signal.SIGKILL)

        outside.on_data = kill
        ticket = await a_replied_ticket(house, anna, ann)
        victim = start_process(database, issuer, boxes, port, tmp_path / "files")
        process.append(victim)
        await eventually(lambda: victim.poll() is not None, what="the death of the sender")
        assert victim.returncode == -signal.SIGKILL
        await eventually(lambda: len(outside.taken) == 1, what="the first copy")
        rows = await house.rows("SELECT state FROM mail_outbox WHERE ticket_id = %s", ticket)
        assert rows == [{"state": "claimed"}]
        assert await sent(house, ticket) == []
        second = a_sender(house, port, tmp_path / "files", boxes)

        async def told() -> bool:
            await drained(second)
            return any(isinstance(one, MessageNotDelivered) for one in await house.events(ticket))

        await eventually(told, what="the lease of the dead sender to end")
        await drained(second)
        assert len(outside.taken) == 1
        (row,) = await house.rows(
            "SELECT id, state, last_error FROM mail_outbox WHERE ticket_id = %s", ticket
        )
        assert (row["state"], row["last_error"]) == ("dead", IN_DOUBT)
        (doubt,) = [
            one for one in await house.events(ticket) if isinstance(one, MessageNotDelivered)
        ]
        assert (doubt.cause, doubt.recipients) == ("in_doubt", (ann,))
        again = await lena.post(f"/v1/channels/email/outbox/{row['id']}/retry", {})
        assert again.status_code == 200, again.text
        await drained(second)
    (_, first_to, first), (_, second_to, copy) = outside.taken
    assert (first, first_to) == (copy, second_to)
    assert parsed(first)["Message-ID"] == parsed(copy)["Message-ID"]
    assert len(await sent(house, ticket)) == 1


async def test_a_mail_that_had_not_begun_to_leave_is_sent_by_the_next_sender(
    house: Desk, anna: Caller, boxes: Path, tmp_path: Path
):
    ann = new_address()
    await a_replied_ticket(house, anna, ann)
    dead = {"count_max": 20, "per_domain_max": 20, "lease": timedelta(0)}
    taken = await asyncio.to_thread(house.store.transact, lambda tx: claim(tx, **dead))
    assert [one.recipient for one in taken] == [ann]
    outside = Outside()
    with outside.serving() as port:
        await drained(a_sender(house, port, tmp_path, boxes))
    assert len(outside.mails(ann)) == 1


async def test_many_senders_at_once_send_each_mail_once(
    house: Desk, anna: Caller, boxes: Path, tmp_path: Path
):
    outside = Outside()
    people = [new_address() for _ in range(30)]
    tickets = [await a_replied_ticket(house, anna, one) for one in people]
    with outside.serving() as port:
        senders = [a_sender(house, port, tmp_path, boxes) for _ in range(4)]

        async def all_sent() -> bool:
            await asyncio.gather(*(drained(one) for one in senders))
            return len(outside.taken) >= len(people)

        await eventually(all_sent, what="all mails")
        await asyncio.gather(*(drained(one) for one in senders))
    assert sorted(to for _, to, _ in outside.taken) == sorted([one] for one in people)
    for ticket in tickets:
        assert len(await sent(house, ticket)) == 1


async def test_a_domain_is_never_hurried_by_all_senders_together(
    house: Desk, anna: Caller, boxes: Path, tmp_path: Path, database: Database
):
    people = [new_address() for _ in range(6)]
    for one in people:
        await a_replied_ticket(house, anna, one)
    outside = Outside()
    at_once: list[int] = []

    def count(_raw: bytes) -> None:
        with psycopg.connect(database.url("intake")) as connection:
            found = connection.execute(
                "SELECT count(*) FROM intake.mail_outbox WHERE state = 'claimed'"
            ).fetchone()
            assert found is not None
            at_once.append(found[0])

    outside.on_data = count
    with outside.serving() as port:
        senders = [
            a_sender(house, port, tmp_path, boxes, mail_out_per_domain_max=2) for _ in range(3)
        ]

        async def all_sent() -> bool:
            await asyncio.gather(*(one.send_due() for one in senders))
            return len(outside.taken) == len(people)

        await eventually(all_sent, what="all mails, two at a time")
    assert len(at_once) == len(people)
    assert max(at_once) == 2


async def test_replies_of_a_ticket_leave_in_their_order_and_wait_for_each_other(
    house: Desk, anna: Caller, boxes: Path, tmp_path: Path
):
    ann = new_address()
    outside = Outside()
    outside.rcpt[ann] = "450 4.2.1 later"
    ticket = await a_replied_ticket(house, anna, ann)
    await anna.post(f"/v1/tickets/{ticket}/replies", {"body": "One more thing."})
    with outside.serving() as port:
        sender = a_sender(house, port, tmp_path, boxes)
        await drained(sender)
        rows = await house.rows(
            "SELECT attempts FROM mail_outbox WHERE ticket_id = %s ORDER BY version", ticket
        )
        assert rows[0]["attempts"] >= 1
        assert rows[1]["attempts"] == 0
        outside.rcpt.clear()

        async def both() -> bool:
            await drained(sender)
            return len(outside.taken) == 2

        await eventually(both, what="both mails")
    first, second = (raw.partition(b"\r\n\r\n")[2] for _, _, raw in outside.taken)
    assert b"We look at it." in first
    assert b"One more thing." in second


async def test_a_server_that_is_away_costs_no_mail_and_no_attempt(
    house: Desk, anna: Caller, boxes: Path, tmp_path: Path
):
    ann = new_address()
    ticket = await a_replied_ticket(house, anna, ann)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        away = a_sender(house, taken.getsockname()[1], tmp_path, boxes)
        for _ in range(3):
            assert await away.send_due() > 0
    (row,) = await house.rows(
        "SELECT state, attempts, last_error FROM mail_outbox WHERE ticket_id = %s", ticket
    )
    assert (row["state"], row["attempts"]) == ("waiting", 0)
    assert "no way to the mail server" in row["last_error"]
    outside = Outside()
    with outside.serving() as port:
        await drained(a_sender(house, port, tmp_path, boxes))
    assert len(outside.mails(ann)) == 1


class Certificate:
    """Of `127.0.0.1`, signed by itself."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        now = dt.datetime.now(dt.UTC)
        import ipaddress

        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.file = folder / "server.pem"
        self.file.write_bytes(
            made.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.authority = folder / "authority.pem"
        self.authority.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.file)
        return context


@pytest.fixture
def certificate(tmp_path: Path) -> Iterator[Certificate]:
    return Certificate(tmp_path)


async def test_starttls_proves_the_server_and_the_password_comes_from_its_file(
    house: Desk, anna: Caller, boxes: Path, tmp_path: Path, certificate: Certificate, caplog
):
    ann = new_address()
    ticket = await a_replied_ticket(house, anna, ann)
    secret = tmp_path / "password"
    secret.write_text("wrong\n", encoding="utf-8")
    login = {"mail_out_user": "desk", "mail_out_password_file": secret}
    outside = Outside()
    with outside.serving(certificate.context(), logs_in=True) as port:
        stranger = a_sender(house, port, tmp_path, boxes, mail_out_security="starttls", **login)
        assert await stranger.send_due() > 0  # nobody that we know has signed for this server
        assert outside.logins == []
        sender = a_sender(
            house,
            port,
            tmp_path,
            boxes,
            mail_out_security="starttls",
            mail_out_ca_file=certificate.authority,
            **login,
        )
        assert await sender.send_due() > 0
        assert outside.logins[-1] == ("desk", "wrong")
        (row,) = await house.rows(
            "SELECT state, attempts, last_error FROM mail_outbox WHERE ticket_id = %s", ticket
        )
        assert (row["state"], row["attempts"]) == ("waiting", 0)
        assert "535" in row["last_error"]
        assert "wrong" not in caplog.text + row["last_error"]
        secret.write_text("sesame\n", encoding="utf-8")
        await drained(sender)
    assert len(outside.mails(ann)) == 1


async def test_a_server_without_tls_gets_nothing(
    house: Desk, anna: Caller, boxes: Path, tmp_path: Path
):
    await a_replied_ticket(house, anna, new_address())
    outside = Outside()
    with outside.serving() as port:
        sender = a_sender(house, port, tmp_path, boxes, mail_out_security="starttls")
        assert await sender.send_due() > 0
    assert outside.taken == []


async def test_a_folder_catches_each_mail_as_one_file(
    house: Desk, anna: Caller, boxes: Path, tmp_path: Path
):
    ann = new_address()
    ticket = await a_replied_ticket(house, anna, ann)
    caught = tmp_path / "caught"
    sender = a_sender(house, 1, tmp_path, boxes, mail_out_host=None, mail_out_folder=caught)
    await drained(sender)
    (file,) = caught.iterdir()
    assert parsed(file.read_bytes())["To"] == f"Ann Lee <{ann}>" or ann in file.read_text()
    assert len(await sent(house, ticket)) == 1
