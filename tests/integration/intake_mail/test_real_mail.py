"""Real odd mails, and mails broken on purpose, through the whole way in: a ticket or a kept refusal, never an error."""

import os
import random
import resource
import zipfile
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.events import Event
from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_mail.post import Post, a_mail, open_post

pytestmark = pytest.mark.integration

VARIABLE: Final = "TICKETING_TEST_EMAILS"
FOLDER: Final = Path(os.environ.get(VARIABLE) or Path(__file__).parents[4] / "shared/data/emails")


@pytest.fixture(scope="module")
def raws() -> dict[str, bytes]:
    found = {
        f"{path.parents[1].name}/{path.name}": path.read_bytes()
        for path in sorted(FOLDER.glob("*/raw/*"))
    }
    if not found:
        pytest.skip(
            f"the messages are not here: name their folder with {VARIABLE}, or put it at {FOLDER}"
        )
    return found


@pytest.fixture(scope="module")
async def roomy(database, issuer: LocalIssuer, desk: Desk, tmp_path_factory) -> Any:
    """A desk that takes any number of mails from one sender: these tests are about something else."""
    folder = tmp_path_factory.mktemp("roomy")
    context = open_post(database, issuer, None, folder, mail_per_sender_max=100_000)
    async with context as opened:
        yield Post(opened, Caller(opened, issuer.issue("anna", Role.AGENT)))


async def test_every_real_mail_is_a_ticket_or_a_kept_refusal_and_once(
    roomy: Post, raws: dict[str, bytes]
):
    assert len(raws) >= 114
    done = {name: await roomy.bring(raw) for name, raw in raws.items()}
    again = {name: await roomy.bring(raw) for name, raw in raws.items()}
    assert again == done
    kinds = Counter(one["done"] for one in done.values())
    assert set(kinds) <= {"opened", "replied", "recorded", "refused"}
    assert kinds["opened"] >= 80, kinds  # most are what people wrote
    for name, one in done.items():
        if one["done"] == "refused":
            path = f"/v1/channels/email/refused/{one['refusal_id']}/original"
            same = [raws[other] for other in done if done[other] == one]  # some were sent twice
            assert (await roomy.caller.send("GET", path)).content in same, name
        else:
            events = await roomy.desk.events(one["ticket_id"])
            assert originals(events), name


def originals(events: list[Event]) -> list[str]:
    return [
        file.sha256
        for event in events
        for file in getattr(event, "attachments", ())
        if file.is_original
    ]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), cuts=st.integers(0, 12), source=st.integers(0, 10_000))
async def test_a_mail_that_was_damaged_on_the_way_is_still_taken(
    roomy: Post, seed: int, cuts: int, source: int
):
    seeds = sorted(FOLDER.glob("*/raw/*"))
    raw = bytearray(
        seeds[source % len(seeds)].read_bytes() if seeds else a_mail("Damaged.").as_bytes()
    )
    dice = random.Random(seed)
    for _ in range(cuts):
        at = dice.randrange(len(raw) + 1)
        match dice.randrange(4):
            case 0:
                del raw[at : at + dice.randrange(400)]
            case 1:
                raw[at:at] = dice.randbytes(dice.randrange(40))
            case 2:
                raw[at:at] = raw[at : at + dice.randrange(2_000)]
            case _:
                raw[at:at] = dice.choice(
                    [b"\r\n", b"\0", b"\xff\xfe", b"=?x?b?", b"<", b'"', b"\r\nBcc: x@y\r\n\r\n"]
                )
    answer = await roomy.send(bytes(raw))
    assert answer.status_code in {200, 201, 422}, answer.text
    if answer.status_code == 422:
        assert answer.json()["errors"][0]["field"] == "body"
        assert not bytes(raw).strip()


def a_bomb() -> bytes:
    """10 KB that unpack to 10 MB."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * 10_000_000)
    return packed.getvalue()


async def test_an_archive_is_kept_and_never_unpacked(roomy: Post):
    bomb = a_bomb()
    mail = a_mail("See the archive.")
    mail.add_attachment(bomb, maintype="application", subtype="zip", filename="bomb.zip")
    done = await roomy.bring(mail)
    (opened,) = await roomy.desk.events(done["ticket_id"])
    assert opened.attachments[0].size == len(bomb)


async def test_ten_thousand_headers_are_one_ticket(roomy: Post):
    head = b"".join(f"X-Field-{at}: {'v' * 100}\r\n".encode() for at in range(10_000))
    many = ", ".join(f"p{at}@customer.example" for at in range(5_000)).encode()
    raw = (
        head
        + f"From: ann@{uuid4().hex}.example\r\nSubject: Many\r\nTo: ".encode()
        + many
        + b"\r\nReferences: "
        + b" ".join(f"<{at}@x.example>".encode() for at in range(5_000))
        + b"\r\n\r\nHello"
    )
    done = await roomy.bring(raw)
    (opened,) = await roomy.desk.events(done["ticket_id"])
    assert opened.category.value == "new"


async def test_a_thousand_attachments_are_named_up_to_the_limit_and_all_in_the_original(
    roomy: Post,
):
    mail = a_mail("Many files.")
    for at in range(200):
        mail.add_attachment(f"{at}".encode(), maintype="text", subtype="csv", filename=f"{at}.csv")
    done = await roomy.bring(mail)
    (opened,) = await roomy.desk.events(done["ticket_id"])
    assert len(opened.attachments) == 50
    assert opened.attachments[-1].is_original


async def test_a_body_of_control_characters_and_quotes_still_fits_into_an_event(roomy: Post):
    raw = a_mail().as_bytes().partition(b"\n\n")[0] + b"\n\n" + b'\x01"\\' * 2_000_000
    done = await roomy.bring(raw)
    (opened,) = await roomy.desk.events(done["ticket_id"])
    assert opened.body.endswith("[The rest of this message is in the original mail.]")


async def test_a_hundred_megabytes_are_refused_without_being_read(post: Post):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pieces = 0

    async def endless():
        nonlocal pieces
        for _ in range(1_600):
            pieces += 1
            yield b"x" * 65_536

    answer = await post.desk.http.post(
        "/v1/channels/email",
        content=endless(),
        headers={**post.caller._headers, "content-type": "message/rfc822"},
    )
    assert answer.status_code == 413
    assert pieces < 1_000  # the rest was not asked for
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb < 200_000


async def test_headers_cannot_be_smuggled_into_what_we_store(roomy: Post):
    raw = (
        b"From: =?utf-8?q?Ann=0D=0ABcc=3A_x=40y?= <ann@customer.example>\n"
        b"Subject: =?utf-8?q?Hello=0D=0AX-Evil=3A_1?=\n\nHello"
    )
    done = await roomy.bring(raw)
    (opened,) = await roomy.desk.events(done["ticket_id"])
    assert "\n" not in opened.subject + (opened.requester.name or "")
    assert "\r" not in opened.subject + (opened.requester.name or "")
