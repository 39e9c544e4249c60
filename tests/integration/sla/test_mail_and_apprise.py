"""E-mail to a real SMTP server, and `apprise` in its own process to a real HTTP server."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.sla.alerts import addresses
from services.sla.alerts.documents import read_sink
from services.sla.alerts.kind import Parts
from services.sla.alerts.notice import Action, Called, Opening
from services.sla.alerts.secrets import Secrets
from services.sla.alerts.sink import NotDelivered, Rejected, Sink
from shared.identifiers import new_id
from tests.integration.sla.receivers import Receiver, receiver
from tests.integration.sla.test_vendor_sinks import a_summary, about, an_alert

pytestmark = pytest.mark.integration
PASSWORD = "open-sesame-of-the-tests"


class Postbox:
    """What arrived, and what the server says instead of yes."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.answer: str | None = None
        self.refused: set[str] = set()

    async def handle_RCPT(  # noqa: N802  # named by the library
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address in self.refused:
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  # named by the library
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        if self.answer:
            return self.answer
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 taken"


@pytest.fixture
def postbox() -> Postbox:
    return Postbox()


@pytest.fixture
def mail_server(postbox: Postbox) -> Iterator[Controller]:
    controller = Controller(postbox, hostname="127.0.0.1", port=_free_port())
    controller.start()
    yield controller
    controller.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def mail_sink(port: int, *, private: bool = True, timeout: float = 5.0, **changes: Any) -> Sink:
    document = {
        "kind": "email",
        "host": "localhost",
        "port": port,
        "security": "none",
        "sender": "sla@desk.example.com",
        "recipients": ["oncall@example.com", "lead@example.com"],
    }
    return read_sink(document | changes).build("mail", parts(private=private, timeout=timeout))


def parts(*, private: bool = True, timeout: float = 5.0, **environment: str) -> Parts:
    return Parts(
        secrets=Secrets({"TICKETING_SINK_MAIL": PASSWORD, **environment}, None),
        timeout_seconds=timeout,
        private_addresses_allowed=private,
        public_url="https://desk.example.com",
    )


async def test_the_end_answers_the_beginning(mail_server: Controller, postbox: Postbox) -> None:
    sink = mail_sink(mail_server.port)
    begun = about(Action.TRIGGER)
    await sink.send([begun])
    await sink.send([begun])
    opening = Opening(delivery_id=begun.delivery_id)
    over = an_alert(resolution="met")
    await sink.send([about(Action.RESOLVE, over, opening=opening)])
    first, again, end = postbox.letters
    assert first["message-id"] == again["message-id"], "a repetition is the same letter"
    assert end["in-reply-to"] == end["references"] == first["message-id"]
    assert end["subject"] == f"Re: {first['subject']}"
    assert first["subject"] == "#42: first reply is overdue (urgent)"
    assert first["to"] == "oncall@example.com, lead@example.com"
    assert first["auto-submitted"] == "auto-generated"
    assert f"https://desk.example.com/tickets/{an_alert().ticket_id}" in first.get_content()


async def test_the_end_of_a_grouped_alert_answers_the_summary(
    mail_server: Controller, postbox: Postbox
) -> None:
    sink = mail_sink(mail_server.port)
    summary = a_summary()
    await sink.send([summary])
    opening = Opening(delivery_id=new_id(), summary_id=summary.delivery_id)
    await sink.send([about(Action.RESOLVE, opening=opening)])
    first, end = postbox.letters
    assert first["subject"].startswith("300 more breaches in 7 groups")
    assert "… and 290 more" in first.get_content()
    assert end["in-reply-to"] == first["message-id"]


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ("451 try later", NotDelivered),
        ("421 too busy", NotDelivered),
        ("550 we do not want this", Rejected),
        ("554 never", Rejected),
    ],
)
async def test_what_the_server_answers_decides_whether_it_is_tried_again(
    mail_server: Controller, postbox: Postbox, answer: str, failure: type[NotDelivered]
) -> None:
    sink = mail_sink(mail_server.port)
    postbox.answer = answer
    with pytest.raises(NotDelivered) as found:
        await sink.send([about(Action.TRIGGER)])
    assert type(found.value) is failure
    assert answer[:3] in found.value.reason
    assert "want" not in found.value.reason, "the server's words may hold addresses"
    postbox.answer = None
    await sink.send([about(Action.TRIGGER)])
    assert len(postbox.letters) == 1


async def test_one_recipient_who_is_gone_does_not_silence_the_others(
    mail_server: Controller, postbox: Postbox
) -> None:
    sink = mail_sink(mail_server.port)
    postbox.refused = {"lead@example.com"}
    await sink.send([about(Action.TRIGGER)])
    assert len(postbox.letters) == 1
    postbox.refused = {"lead@example.com", "oncall@example.com"}
    with pytest.raises(Rejected, match="every recipient"):
        await sink.send([about(Action.TRIGGER)])


async def test_a_closed_door_silence_and_a_private_address_are_tried_again() -> None:
    with pytest.raises(NotDelivered, match="no answer"):
        await mail_sink(_free_port()).send([about(Action.TRIGGER)])
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(NotDelivered, match="no answer") as failure:
            await mail_sink(port, timeout=0.3).send([about(Action.TRIGGER)])
        assert not failure.value.is_final
        with pytest.raises(NotDelivered, match="private"):
            await mail_sink(port, private=False).send([about(Action.TRIGGER)])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that signs itself, for `localhost`, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
async def tls_port(postbox: Postbox, certificate: Path) -> AsyncIterator[int]:
    """A submission server: STARTTLS first, then a password."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    def authenticate(server: Any, session: Any, envelope: Any, how: Any, data: Any) -> AuthResult:
        is_right = data.password == PASSWORD.encode()
        return AuthResult(success=is_right, handled=is_right)

    def protocol() -> SMTP:
        return SMTP(
            postbox,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=authenticate,
            hostname="localhost",
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def test_the_password_goes_only_through_tls_that_was_verified(
    tls_port: int, certificate: Path, postbox: Postbox
) -> None:
    account = {
        "security": "starttls",
        "username": "sla",
        "password": "env:TICKETING_SINK_MAIL",
    }
    sink = mail_sink(tls_port, **account)
    with pytest.raises(NotDelivered, match="no answer"):
        await sink.send([about(Action.TRIGGER)])
    assert postbox.letters == [], "nobody vouches for this certificate"
    sink._tls.load_verify_locations(certificate)  # type: ignore[attr-defined]
    await sink.send([about(Action.TRIGGER)])
    assert len(postbox.letters) == 1
    sink._password = "wrong"  # type: ignore[attr-defined]
    with pytest.raises(NotDelivered, match="535") as failure:
        await sink.send([about(Action.TRIGGER)])
    assert not failure.value.is_final, "somebody mends the account, and the alert is still there"


ANNA = Called(target="agent:anna", email="anna@example.com", phone="+4930123456", slack="U012AB3CD")
BEN = Called(target="agent:ben", phone="+4930999999")


async def test_mail_goes_to_those_who_are_called_at_their_own_addresses(
    mail_server: Controller, postbox: Postbox
) -> None:
    sink = mail_sink(mail_server.port, to_called=True, recipients=["log@example.com"])
    await sink.send([about(Action.TRIGGER, called=(ANNA, BEN))])
    (letter,) = postbox.letters
    assert letter["to"] == "anna@example.com, log@example.com"
    with pytest.raises(Rejected, match="nobody who is called has an e-mail address"):
        await sink.send([about(Action.TRIGGER, called=(BEN,))])


@pytest.fixture
def service() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def apprise_sink(url: str, *, private: bool = True, timeout: float = 20.0, **changes: Any) -> Sink:
    document = {"kind": "apprise", "url": "env:TICKETING_SINK_APPRISE"}
    return read_sink(document | changes).build(
        "other", parts(private=private, timeout=timeout, TICKETING_SINK_APPRISE=url)
    )


async def test_apprise_sends_what_its_url_says(service: Receiver) -> None:
    sink = apprise_sink(service.url.replace("http://", "json://") + "/hook?format=text")
    await sink.send([about(Action.TRIGGER)])
    await sink.send([about(Action.RESOLVE)])
    first, end = (sent.json for sent in service.got)
    assert (first["title"], first["type"]) == ("#42: first reply is overdue (urgent)", "failure")
    assert (end["title"], end["type"]) == (
        "over: #42: first reply is overdue (urgent)",
        "success",
    )
    assert "Priority: urgent" in first["message"]


async def test_apprise_reaches_each_one_who_is_called_once_by_an_url_of_their_own(
    service: Receiver,
) -> None:
    url = service.url.replace("http://", "json://")
    sink = apprise_sink(url + "/sms/{phone}", to_called=True)
    notice = about(Action.TRIGGER, called=(ANNA, BEN))
    service.answers = [(200, {}), (500, {})]
    with pytest.raises(NotDelivered):
        await sink.send([notice])
    await sink.send([notice])
    said = [sent.path for sent in service.got]
    assert said == ["/sms/+4930123456", "/sms/+4930999999", "/sms/+4930999999"], "anna only once"
    with pytest.raises(Rejected, match="nobody who is called has said a slack"):
        await apprise_sink(url + "/{slack}", to_called=True).send(
            [about(Action.TRIGGER, called=(BEN,))]
        )
    with pytest.raises(ValueError, match="needs one of"):
        apprise_sink(url, to_called=True)


async def test_apprise_reaches_no_private_address_whatever_its_url_says(service: Receiver) -> None:
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
        url = service.url.replace("http://127.0.0.1", f"json://{host}")
        with pytest.raises(NotDelivered) as failure:
            await apprise_sink(url, private=False).send([about(Action.TRIGGER)])
        assert host == "[::ffff:127.0.0.1]" or "private" in failure.value.reason
    assert service.got == []


async def test_apprise_follows_no_redirect_and_turns_no_tls_check_off(service: Receiver) -> None:
    service.answers = [(302, {"location": f"{service.url}/elsewhere"})]
    url = service.url.replace("http://", "json://")
    with pytest.raises(NotDelivered, match="did not take it"):
        await apprise_sink(url).send([about(Action.TRIGGER)])
    assert len(service.got) == 1
    with pytest.raises(NotDelivered, match="verification"):
        await apprise_sink("jsons://example.com/?verify=no", private=False).send(
            [about(Action.TRIGGER)]
        )


async def test_an_url_that_apprise_does_not_know_is_told_without_repeating_it() -> None:
    with pytest.raises(NotDelivered) as failure:
        await apprise_sink("pigeon://secret-token").send([about(Action.TRIGGER)])
    assert "secret-token" not in failure.value.reason


@pytest.mark.parametrize(
    ("found", "is_fine"),
    [
        (["93.184.216.34"], True),
        (["93.184.216.34", "10.0.0.8"], False),
        (["169.254.169.254"], False),
        (["::1"], False),
        (["fe80::1%eth0"], False),
        (["::ffff:192.168.1.1"], False),
        (["64:ff9b::7f00:1"], False),
        (["2002:7f00:1::"], False),
        (["100.64.0.1"], False),
        (["0.0.0.0"], False),
        (["224.0.0.1"], False),
    ],
)
async def test_every_address_of_a_name_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, found: list[str], is_fine: bool
) -> None:
    async def answer(host: str, port: int, **_: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answer, raising=False)
    if is_fine:
        assert await addresses.checked("name", 443, private_allowed=False) == found
    else:
        with pytest.raises(addresses.AddressRefused):
            await addresses.checked("name", 443, private_allowed=False)
    assert await addresses.checked("name", 443, private_allowed=True) == found
