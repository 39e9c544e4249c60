"""What intake reads from the environment: what every service does, and how mail comes in and goes out."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from shared.sensitivity import SensitivitySettings

_LISTEN = r"^[^\s:]+:\d{1,5}$|^\[[0-9a-fA-F:.]+\]:\d{1,5}$"
"""host:port; an IPv6 address in brackets."""


class Settings(SensitivitySettings):
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

    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+.*$",
        description="address of the front door as customers reach it, for links to surveys and files; not set: none",
    )
    help_per_address_max: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=240,
        description="how often one network address may ask the public knowledge base within a minute",
    )
    channels_file: Path | None = Field(
        default=None,
        description="which channels beside mail are on (YAML, see channels.md); not set: none",
    )

    mail_out_host: str | None = Field(
        default=None,
        min_length=1,
        description="the SMTP server that takes our mails; not set (and no folder): none leave",
    )
    mail_out_port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="its port; not set: 587 with starttls, 465 with tls, 25 with none",
    )
    mail_out_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="how the connection is encrypted; a server that cannot prove its name gets no mail",
    )
    mail_out_ca_file: Path | None = Field(
        default=None,
        description="PEM file with the authority that signed the server's certificate, if the system does not know it",
    )
    mail_out_user: str | None = Field(
        default=None, description="login at the server, if it wants one"
    )
    mail_out_password_file: Path | None = Field(
        default=None, description="file with the password of the login; read for each connection"
    )
    mail_out_folder: Path | None = Field(
        default=None,
        description="a folder that catches mails instead of a server, one .eml each: for trying out",
    )
    mail_out_domain: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$",
        description="what stands behind the @ of our Message-IDs; not set: the domain of the first mailbox",
    )
    mail_out_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = Field(
        default=30.0, description="how long the server may take for one answer"
    )
    mail_out_lease_seconds: Annotated[float, Field(gt=0, le=3_600)] = Field(
        default=300.0,
        description="after this time another process takes over the mails of one that has died",
    )
    mail_out_pause_seconds: Annotated[float, Field(gt=0, le=3_600)] = Field(
        default=30.0, description="pause before the second attempt; each further one doubles"
    )
    mail_out_pause_seconds_max: Annotated[float, Field(gt=0, le=86_400)] = Field(
        default=3_600.0, description="longest pause between two attempts"
    )
    mail_out_give_up_seconds: Annotated[float, Field(gt=0, le=2_592_000)] = Field(
        default=172_800.0,
        description="a mail that could not be handed over for so long is dead, and its ticket says so: 2 days",
    )
    mail_out_per_domain_max: Annotated[int, Field(ge=1, le=100)] = Field(
        default=4, description="mails under way to one domain at once, over all processes"
    )
    mail_out_bytes_max: Annotated[int, Field(ge=0, le=268_435_456)] = Field(
        default=18_000_000,
        description="files of one mail: 18 MB become the 25 MB that big providers take; larger ones are only named",
    )
    mail_acknowledge_max: Annotated[int, Field(ge=0, le=1_000)] = Field(
        default=3, description="acknowledgements to one address within `mail_acknowledge_seconds`"
    )
    mail_acknowledge_seconds: Annotated[float, Field(gt=0, le=2_592_000)] = Field(
        default=3_600.0, description="the stretch of time in which acknowledgements are counted"
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
