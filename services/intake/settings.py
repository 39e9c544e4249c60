"""What intake reads from the environment: what every service does, and how mail comes in."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of intake."""

    mailboxes_file: Path | None = Field(
        default=None,
        description="our mailboxes (YAML, see channels-email.md): addresses, what their tickets get, IMAP accounts",
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
