"""Mail leaves here: one way to a server, or into a folder, for whoever writes mails."""

from shared.mail.transport import (
    CatchFolder,
    Connection,
    Failure,
    Handed,
    Parcel,
    Security,
    ServerIsAway,
    SmtpServer,
    Transport,
)

__all__ = [
    "CatchFolder",
    "Connection",
    "Failure",
    "Handed",
    "Parcel",
    "Security",
    "ServerIsAway",
    "SmtpServer",
    "Transport",
]
