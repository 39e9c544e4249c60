"""A real SMTP client against the listeners: `250` after the commit, `4xx` when we cannot, `550` for unknown boxes."""

import asyncio
import contextlib
import smtplib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from services.intake.channels.mail.smtp import CONNECTIONS_MAX, MailServer
from services.intake.main import build
from services.intake.settings import Settings
from shared.security.issuer import LocalIssuer
from shared.service import Service
from tests.integration.intake.desk import Desk
from tests.integration.intake_mail.post import Post, a_mail, new_address, open_post
from tests.support.database import Database
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

LISTENING = {
    "mail_smtp_listen": "127.0.0.1:0",
    "mail_lmtp_listen": "127.0.0.1:0",
    "mail_bytes_max": 2_000_000,
    "mail_hostname": "desk.example",
}


@contextlib.asynccontextmanager
async def listening(service: Service) -> AsyncIterator[dict[str, int]]:
    servers = [one for one in service._task_makers if isinstance(one, MailServer)]
    tasks = [asyncio.ensure_future(server()) for server in servers]
    try:
        for server in servers:
            await server.listening.wait()
        yield {server.__name__: server.port for server in servers}
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(scope="module")
async def ports(
    database: Database, issuer: LocalIssuer, mailboxes_file: Path, desk: Desk, tmp_path_factory
) -> AsyncIterator[dict[str, int]]:
    folder = tmp_path_factory.mktemp("smtp")
    async with (
        open_post(database, issuer, mailboxes_file, folder, **LISTENING) as opened,
        listening(opened.service) as found,
    ):
        yield found


def deliver(
    port: int, mail: Any, to: list[str], *, sender: str = "a@b.example", lmtp: bool = False
) -> dict[str, tuple[int, bytes]]:
    kind = smtplib.LMTP if lmtp else smtplib.SMTP
    with kind("127.0.0.1", port) as client:
        raw = mail if isinstance(mail, bytes) else mail.as_bytes()
        return client.sendmail(sender, to, raw)


async def found(desk: Desk, address: str) -> list[Any]:
    rows = await desk.rows("SELECT DISTINCT ticket_id FROM mail_ids WHERE sender = %s", address)
    return [event for row in rows for event in await desk.events(str(row["ticket_id"]))]


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
async def test_a_mail_is_stored_when_the_server_says_so(desk: Desk, ports, protocol: str):
    sender = new_address()
    mail = a_mail(**{"from": sender, "to": "list@elsewhere.example"})
    refused = await asyncio.to_thread(
        deliver, ports[protocol], mail, ["support+1@desk.example"], lmtp=protocol == "lmtp"
    )
    assert refused == {}
    (opened,) = await found(desk, sender)
    assert opened.fields["mailbox"] == "help"  # the envelope says so, the headers do not


async def test_an_unknown_recipient_is_refused_and_the_others_are_served(desk: Desk, ports):
    sender = new_address()
    mail = a_mail(**{"from": sender})
    to = ["nobody@desk.example", "help@desk.example"]
    refused = await asyncio.to_thread(deliver, ports["smtp"], mail, to)
    assert refused.keys() == {"nobody@desk.example"}
    assert refused["nobody@desk.example"][0] == 550
    assert len(await found(desk, sender)) == 1
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        await asyncio.to_thread(deliver, ports["smtp"], a_mail(), ["nobody@desk.example"])


async def test_two_mailboxes_of_ours_in_one_mail_are_one_ticket(desk: Desk, ports):
    sender = new_address()
    mail = a_mail(**{"from": sender})
    to = ["help@desk.example", "billing@desk.example"]
    for protocol, one in (("smtp", to), ("smtp", to[1:]), ("lmtp", to[:1]), ("lmtp", to[1:])):
        is_lmtp = protocol == "lmtp"
        refused = await asyncio.to_thread(deliver, ports[protocol], mail, one, lmtp=is_lmtp)
        assert refused == {}
    assert len(await found(desk, sender)) == 1


async def test_lmtp_answers_once_for_each_recipient(desk: Desk, ports):
    """RFC 2033, 4.2; the standard library's client reads one answer only."""
    sender = new_address()
    reader, writer = await asyncio.open_connection("127.0.0.1", ports["lmtp"])

    async def say(line: bytes, answers: int = 1) -> list[bytes]:
        writer.write(line + b"\r\n")
        got: list[bytes] = []
        while len(got) < answers:
            answer = await reader.readline()
            if answer[3:4] == b" ":  # the last line of an answer
                got.append(answer)
        return got

    await reader.readline()
    await say(b"LHLO x")
    await say(b"MAIL FROM:<a@b.example>")
    for box in (b"help", b"billing"):
        await say(b"RCPT TO:<" + box + b"@desk.example>")
    await say(b"DATA")
    raw = a_mail(**{"from": sender}).as_bytes().replace(b"\n", b"\r\n")
    answers = await say(raw + b"\r\n.", answers=2)
    assert [one[:4] for one in answers] == [b"250 ", b"250 "]
    assert [one[:4] for one in await say(b"QUIT")] == [b"221 "]
    writer.close()
    assert len(await found(desk, sender)) == 1


async def test_a_mail_past_the_limit_is_refused_before_it_is_sent_and_after(ports):
    with pytest.raises(smtplib.SMTPSenderRefused) as refusal:
        await asyncio.to_thread(deliver, ports["smtp"], b"x" * 2_000_001, ["help@desk.example"])
    assert refusal.value.smtp_code == 552

    def without_saying_so() -> int:
        with smtplib.SMTP("127.0.0.1", ports["smtp"]) as client:
            client.ehlo()
            client.mail("a@b.example")
            client.rcpt("help@desk.example")
            return client.data(b"y" * 900 + b"\r\n" + (b"x" * 900 + b"\r\n") * 2_500)[0]

    assert await asyncio.to_thread(without_saying_so) == 552


async def test_long_lines_and_dots_come_through(desk: Desk, ports):
    sender = new_address()
    said = b".dot\n" + b"x" * 50_000 + b"\n..\nend\n"
    raw = (f"From: {sender}\nSubject: odd\n\n".encode() + said).replace(b"\n", b"\r\n")
    assert await asyncio.to_thread(deliver, ports["smtp"], raw, ["help@desk.example"]) == {}
    (opened,) = await found(desk, sender)
    assert opened.body.splitlines() == [".dot", "x" * 50_000, "..", "end"]


async def test_a_mail_from_nobody_is_a_robots(desk: Desk, ports):
    sender = new_address()
    mail = a_mail("I am away.", **{"from": sender})
    await asyncio.to_thread(deliver, ports["smtp"], mail, ["help@desk.example"], sender="")
    (row,) = await desk.rows("SELECT kind, reason FROM mail_refusals WHERE sender = %s", sender)
    assert row == {"kind": "auto_reply", "reason": "Return-Path: <>"}


async def test_without_a_database_the_sender_is_asked_to_come_again(
    issuer: LocalIssuer, mailboxes_file: Path, tmp_path: Path
):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        nowhere = f"postgresql://u:p@127.0.0.1:{taken.getsockname()[1]}/x"
        settings = Settings(
            database_url=SecretStr(nowhere),
            kafka_bootstrap_servers="127.0.0.1:1",
            jwks_file=issuer.jwks_file,
            mailboxes_file=mailboxes_file,
            attachments_folder=tmp_path,
            **LISTENING,
        )
        service = build(settings)
        async with listening(service) as ports:
            with pytest.raises(smtplib.SMTPDataError) as refusal:
                await asyncio.to_thread(deliver, ports["smtp"], a_mail(), ["help@desk.example"])
        await service.stop()
    assert refusal.value.smtp_code == 451


async def test_a_store_of_files_that_is_away_is_no_reason_to_lose_the_mail(
    database: Database, issuer: LocalIssuer, mailboxes_file: Path, tmp_path: Path
):
    (tmp_path / "files").write_text("in the way")
    mail = a_mail()
    async with (
        open_post(database, issuer, mailboxes_file, tmp_path / "files", **LISTENING) as opened,
        listening(opened.service) as ports,
    ):
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            await asyncio.to_thread(deliver, ports["smtp"], mail, ["help@desk.example"])
        assert refusal.value.smtp_code == 451
        (tmp_path / "files").unlink()
        assert await asyncio.to_thread(deliver, ports["smtp"], mail, ["help@desk.example"]) == {}


async def test_connections_past_the_limit_are_told_to_come_later_and_room_is_given_back(ports):
    async def greeted() -> tuple[bytes, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", ports["smtp"])
        return await reader.readline(), writer

    kept = [await greeted() for _ in range(CONNECTIONS_MAX)]
    assert all(line.startswith(b"220") for line, _ in kept)
    line, late = await greeted()
    assert line.startswith(b"421")
    for _, writer in [*kept, (b"", late)]:
        writer.close()
        await writer.wait_closed()

    async def is_served() -> bool:
        line, writer = await greeted()
        writer.close()
        await writer.wait_closed()
        return line.startswith(b"220")

    await eventually(is_served, what="room for another connection")


async def test_a_line_without_an_end_does_not_fill_the_memory(ports):
    reader, writer = await asyncio.open_connection("127.0.0.1", ports["smtp"])
    for command in (b"EHLO x", b"MAIL FROM:<a@b.example>", b"RCPT TO:<help@desk.example>", b"DATA"):
        writer.write(command + b"\r\n")
        await writer.drain()

    async def endless() -> None:
        for _ in range(400):
            writer.write(b"x" * 100_000)
            await writer.drain()

    with pytest.raises(ConnectionError):
        await endless()
    writer.close()
    del reader


async def test_mails_brought_by_http_and_smtp_at_once_are_one_ticket(post: Post, ports):
    sender = new_address()
    mail = a_mail(**{"from": sender})
    await asyncio.gather(
        *(post.bring(mail) for _ in range(5)),
        *(asyncio.to_thread(deliver, ports["smtp"], mail, ["help@desk.example"]) for _ in range(5)),
    )
    assert len(await found(post.desk, sender)) == 1
