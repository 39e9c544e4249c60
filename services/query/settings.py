"""Settings of this service, from the environment (prefix `TICKETING_`)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from shared.sensitivity import SensitivitySettings


class Settings(SensitivitySettings):
    """Addresses and limits of the reading side."""

    # Projections gain from large batches: a ticket whose events come in one is written once; 6,000 are some 20 MB.
    consumer_batch_max: Annotated[int, Field(ge=1, le=10_000)] = 6_000
    consumer_lanes: Annotated[int, Field(ge=1, le=16)] = Field(
        default=2,
        description="transactions side by side while much lies behind, each for its own partitions; as many as the"
        " machine has cores for them",
    )
    catch_up_processes: Annotated[int, Field(ge=1, le=16)] = Field(
        default=2,
        description="processes that work off what lies far behind (more than 100,000 events), beside the service's own"
        " and only for that time, some 200 MB each; 1: the service works it off by itself",
    )
    rebuild_processes: Annotated[int, Field(ge=1, le=16)] = Field(
        default=2,
        description="processes of `ticketing projections rebuild` that read side by side, each its own partitions; as"
        " many as the machine has cores for them",
    )
    min_version_seconds_max: Annotated[float, Field(gt=0, le=30)] = Field(
        default=5.0,
        description="how long `min_version` waits for the projection; longer than any healthy lag, shorter than a"
        " client's patience",
    )
    board_seconds_min: Annotated[float, Field(ge=0.1, le=60)] = Field(
        default=1.0,
        description="the live board is computed at most this often, however much happens",
    )
    board_seconds_max: Annotated[float, Field(ge=0.5, le=60)] = Field(
        default=5.0,
        description="and at least this often while somebody watches, because clocks tick",
    )
    board_viewers_max: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=2_000,
        description="open live boards of one process; each is a connection and a few kB",
    )
    exports_at_once_max: Annotated[int, Field(ge=1, le=64)] = Field(
        default=2,
        description="exports that one process answers at a time; each holds a database connection while it is read",
    )

    front_door_url: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="the front door as this service reaches it: the other services are asked there for the proofs of an"
        " exported history, by the right of whoever asks for it",
    )
    public_url: str | None = Field(
        default=None, description="address of the front door, for links in reports by mail"
    )
    report_mail_host: str | None = Field(
        default=None,
        min_length=1,
        description="the SMTP server that takes reports; not set: none leave by mail",
    )
    report_mail_port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="its port; not set: 587 with starttls, 465 with tls, 25 with none",
    )
    report_mail_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="how the connection is encrypted; a server that cannot prove its name gets no mail",
    )
    report_mail_ca_file: Path | None = Field(
        default=None,
        description="PEM file with the authority that signed the server's certificate, if the system does not know it",
    )
    report_mail_user: str | None = Field(
        default=None, description="login at the server, if it wants one"
    )
    report_mail_password_file: Path | None = Field(
        default=None, description="file with the password of the login; read for each connection"
    )
    report_mail_sender: str | None = Field(
        default=None, description="the address that reports come from"
    )
    report_mail_domains: str = Field(
        default="",
        description="domains that reports may be sent to (separated by commas); empty: any",
    )
    report_mail_seconds: Annotated[float, Field(ge=0.1, le=3_600)] = Field(
        default=15.0, description="how often is looked for reports that are due"
    )

    @field_validator("report_mail_sender")
    @classmethod
    def _plain_address(cls, address: str | None) -> str | None:
        if address is not None and (address.count("@") != 1 or not address.isprintable()):
            raise ValueError("a plain address like reports@example.com")
        return address
