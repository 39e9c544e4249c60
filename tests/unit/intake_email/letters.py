"""Raw messages by hand: `a_letter()` is a plain good one, arguments say what is different."""

import base64

from services.intake.channels.email_message import EmailMessage, parse

HEAD = {
    "From": "Ann Lee <ann@customer.example>",
    "To": "help@desk.example",
    "Subject": "Printer",
    "Date": "Wed, 13 Sep 2017 13:05:45 +0200",
    "Message-ID": "<m1@customer.example>",
}


def a_letter(
    body: bytes | str = "It is on fire.\n", **fields: bytes | str | list[bytes | str] | None
) -> bytes:
    """A message; `content_type="…"` is the field Content-Type, None leaves a field out, a list repeats it."""
    head: dict[str, object] = dict(HEAD)
    for name, value in fields.items():
        wire = next(
            (known for known in HEAD if known.lower() == name.replace("_", "-").lower()),
            name.replace("_", "-"),
        )
        head[wire] = value
    lines = [
        name.encode() + b": " + as_bytes(one) + b"\n"
        for name, value in head.items()
        for one in (value if isinstance(value, list) else [value])
        if one is not None
    ]
    return b"".join(lines) + b"\n" + as_bytes(body)


def of_parts(*parts: bytes, kind: str = "mixed", boundary: str = "b", **fields: str) -> bytes:
    """A multipart message of raw parts, each with its own header."""
    content_type = f'multipart/{kind}; boundary="{boundary}"'
    return a_letter(joined(*parts, boundary=boundary), content_type=content_type, **fields)


def nested(*parts: bytes, kind: str, boundary: str) -> bytes:
    """A multipart as part of another."""
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\n'.encode()
    return head + joined(*parts, boundary=boundary)


def joined(*parts: bytes, boundary: str = "b") -> bytes:
    sign = b"--" + boundary.encode()
    return b"".join(sign + b"\n" + part + b"\n" for part in parts) + sign + b"--\n"


def a_part(content_type: str, body: bytes | str, *more: str) -> bytes:
    """A part as it is; `more` are whole fields."""
    head = "".join(f"{line}\n" for line in (f"Content-Type: {content_type}", *more))
    return head.encode() + b"\n" + as_bytes(body)


def a_file(name: str, content: bytes, content_type: str = "application/pdf") -> bytes:
    """An attachment in base64."""
    return a_part(
        content_type,
        base64.encodebytes(content),
        "Content-Transfer-Encoding: base64",
        f'Content-Disposition: attachment; filename="{name}"',
    )


def parsed(body: bytes | str = "It is on fire.\n", **fields: object) -> EmailMessage:
    return parse(a_letter(body, **fields))


def as_bytes(text: object) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode()
