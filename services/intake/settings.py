"""What intake reads from the environment: what every service does, and how mail comes in."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings

_LISTEN = r"^[^\s:]+:\d{1,5}$|^\[[0-9a-fA-F:.]+\]:\d{1,5}$"
"""host:port; an IPv6 address in brackets."""


class Settings(ServiceSettings):
    """Settings of intake."""

    mailboxes_file: Path | None = Field(
        default=None,
        description="our mailboxes (YAML, see channels-email.md): addresses, what their tickets get, IMAP accounts",
    )
    mail_smtp_listen: str | None = Field(
        default=None,
        pattern=_LISTEN,
        description="host:port to take mail at by SMTP; not set: no listener",
    )
    mail_lmtp_listen: str | None = Field(
        default=None,
        pattern=_LISTEN,
        description="host:port to take mail at by LMTP, from a mail server beside us",
    )
    mail_hostname: str | None = Field(
        default=None, description="what the listeners call themselves; not set: the machine's name"
    )
    mail_certificate: Path | None = Field(
        default=None,
        description="PEM file with certificate and chain: the listeners offer STARTTLS",
    )
    mail_key: Path | None = Field(
        default=None,
        description="PEM file with the certificate's private key, if it is not in the same file",
    )
    mail_bytes_max: Annotated[int, Field(ge=1_024, le=268_435_456)] = Field(
        default=41_943_040,
        description="largest raw mail: 40 MiB is what 25 MB of files come to, the most that the big providers send",
    )
    mail_per_sender_max: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=30,
        description="mails of one sender within `mail_per_sender_seconds` that are a person's; more are recorded",
    )
    mail_per_sender_seconds: Annotated[float, Field(gt=0, le=86_400)] = Field(
        default=600.0, description="the stretch of time in which a sender's mails are counted"
    )

    channels_file: Path | None = Field(
        default=None,
        description="which channels beside mail are on (YAML, see channels.md); not set: none",
    )

    attachments_folder: Path = Field(
        default=Path("attachments"),
        description="where files are kept when no bucket is named; processes on one database share it",
    )
    attachments_bucket: str | None = Field(
        default=None,
        description="bucket of S3, MinIO, Ceph … that keeps files instead of the folder",
    )
    attachments_endpoint: str | None = Field(
        default=None, description="URL of the service that has the bucket; not set: AWS's own"
    )
    attachments_region: str | None = Field(default=None, description="region of the bucket")
    attachments_key_id: str | None = Field(
        default=None, description="access key; not set: from the environment or the machine's role"
    )
    attachments_secret: SecretStr | None = Field(
        default=None, description="secret of the access key"
    )
    attachment_bytes_max: Annotated[int, Field(ge=1, le=268_435_456)] = Field(
        default=52_428_800, description="largest file that may be uploaded: 50 MiB"
    )
