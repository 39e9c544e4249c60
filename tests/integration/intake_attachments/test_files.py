"""Files in and out by HTTP: who sends, who fetches, and how a browser gets them."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_mail.post import Post, a_mail

pytestmark = pytest.mark.integration

PNG = b"\x89PNG\r\n\x1a\n not really"
HTML = b"<script>alert(1)</script>"


@pytest.fixture
def caller(desk: Desk, issuer: LocalIssuer) -> Callable[[str, Role], Caller]:
    return lambda subject, role: Caller(desk, issuer.issue(subject, role))


async def upload(
    caller: Caller, content: bytes = PNG, name: str = "a.png", kind: str = "image/png"
):
    answer = await caller.post(f"/v1/attachments?name={name}", content, content_type=kind)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def listed(caller: Caller, ticket_id: str) -> list[dict]:
    answer = await caller.send("GET", f"/v1/tickets/{ticket_id}/attachments")
    assert answer.status_code == 200, answer.text
    return answer.json()["attachments"]


async def test_a_file_goes_ahead_of_its_ticket_and_the_customer_fetches_it(caller):
    ben = caller("ben", Role.CUSTOMER)
    ticket = await ben.open(attachments=[await upload(ben)])
    (file,) = await listed(ben, ticket["ticket_id"])
    got = await ben.send("GET", file["url"])
    assert got.content == PNG
    assert got.headers["content-disposition"].startswith("attachment;")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in got.headers["content-security-policy"]


async def test_a_link_works_without_a_token_and_only_unchanged(caller, desk: Desk):
    ben = caller("ben", Role.CUSTOMER)
    ticket = await ben.open(attachments=[await upload(ben)])
    (file,) = await listed(ben, ticket["ticket_id"])
    assert (await desk.http.get(file["url"])).content == PNG
    assert (await desk.http.get(urlsplit(file["url"]).path)).status_code == 401
    forged = file["url"].replace("expires=", "expires=9")
    assert (await desk.http.get(forged)).status_code == 403
    assert (
        (await desk.http.get(f"{file['url']}&inline=true"))
        .headers["content-disposition"]
        .startswith("inline;")
    )


async def test_another_customer_sees_neither_list_nor_file(caller):
    ben, eve = caller("ben", Role.CUSTOMER), caller("eve", Role.CUSTOMER)
    ticket = await ben.open(attachments=[await upload(ben)])
    (file,) = await listed(ben, ticket["ticket_id"])
    path = urlsplit(file["url"]).path
    for asked in (path, path.rpartition("/")[0]):
        assert (await eve.send("GET", asked)).status_code == 404


async def test_a_notes_file_never_reaches_a_customer(caller, desk: Desk):
    ben, anna = caller("ben", Role.CUSTOMER), caller("anna", Role.AGENT)
    ticket = await ben.open()
    note = await anna.post(
        f"/v1/tickets/{ticket['ticket_id']}/notes",
        {"body": "See file", "attachments": [await upload(anna)]},
    )
    assert note.status_code == 201
    (file,) = await listed(anna, ticket["ticket_id"])
    assert file["is_internal"]
    assert "signature" not in file["url"]
    assert await listed(ben, ticket["ticket_id"]) == []
    assert (await ben.send("GET", file["url"])).status_code == 404
    assert (await desk.http.get(file["url"])).status_code == 401
    assert (await anna.send("GET", file["url"])).content == PNG


async def test_the_same_upload_in_a_note_and_a_reply_is_two_files_apart(caller):
    ben, anna = caller("ben", Role.CUSTOMER), caller("anna", Role.AGENT)
    ticket = await ben.open()
    one = await upload(anna)
    for verb in ("notes", "replies"):
        answer = await anna.post(
            f"/v1/tickets/{ticket['ticket_id']}/{verb}", {"body": "x", "attachments": [one]}
        )
        assert answer.status_code == 201
    assert len(await listed(anna, ticket["ticket_id"])) == 2
    assert len(await listed(ben, ticket["ticket_id"])) == 1


async def test_somebody_elses_upload_cannot_be_taken(caller):
    ben, eve = caller("ben", Role.CUSTOMER), caller("eve", Role.CUSTOMER)
    stolen = await upload(ben)
    answer = await eve.post("/v1/tickets", {"subject": "x", "body": "y", "attachments": [stolen]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "attachments[0]"


@pytest.mark.parametrize(
    ("name", "body", "status", "field"),
    [
        ("virus.exe", b"MZ", 415, "query name"),
        ("a.txt", b"", 422, "body"),
        ("a.bin", b"x" * 52_428_801, 413, "body"),
        ("", b"x", 422, "query.name"),
    ],
    ids=["a program", "empty", "too large", "no name"],
)
async def test_what_is_not_kept_is_refused_with_its_field(caller, name, body, status, field):
    answer = await caller("ben", Role.CUSTOMER).post(
        f"/v1/attachments?name={name}", body, content_type="application/octet-stream"
    )
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["field"].replace(" ", ".") == field.replace(" ", ".")


async def test_a_page_that_was_attached_is_never_run(caller):
    ben = caller("ben", Role.CUSTOMER)
    ticket = await ben.open(attachments=[await upload(ben, HTML, "a.html", "text/html")])
    (file,) = await listed(ben, ticket["ticket_id"])
    got = await ben.send("GET", f"{file['url']}&inline=true")
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"].startswith("attachment;")


async def test_the_files_of_a_mail_and_the_mail_itself_are_kept(post: Post, caller, issuer):
    mail = a_mail("See the picture.")
    mail.add_attachment(PNG, maintype="image", subtype="png", filename="fire.png")
    mail.add_attachment(b"MZ", maintype="application", subtype="x-msdownload", filename="x.exe")
    done = await post.bring(mail)
    (opened,) = await post.desk.events(done["ticket_id"])
    assert [(one.name, one.withheld) for one in opened.attachments] == [
        ("fire.png", None),
        ("x.exe", "files of type .exe are not kept"),
        ("original.eml", None),
    ]
    files = {one["name"]: one for one in await listed(post.caller, done["ticket_id"])}
    assert files.keys() == {"fire.png", "original.eml"}
    assert (await post.caller.send("GET", files["fire.png"]["url"])).content == PNG
    original = await post.caller.send("GET", files["original.eml"]["url"])
    assert original.content == mail.as_bytes()
    requester = Caller(post.desk, issuer.issue(opened.requester.id, Role.CUSTOMER))
    assert [one["name"] for one in await listed(requester, done["ticket_id"])] == ["fire.png"]
    assert (await requester.send("GET", files["original.eml"]["url"])).status_code == 404


async def test_a_refused_mail_can_be_fetched_as_it_came(post: Post):
    robot = a_mail("Away.", **{"Auto-Submitted": "auto-replied"})
    done = await post.bring(robot)
    path = f"/v1/channels/email/refused/{done['refusal_id']}/original"
    assert (await post.caller.send("GET", path)).content == robot.as_bytes()
