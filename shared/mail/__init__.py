"""Mail leaves here: one way to a server, for whoever writes mails."""

from shared.mail.transport import (
    Connection,
    Failure,
    Handed,
    Parcel,
    Security,
    ServerIsAway,
    SmtpServer,
)

__all__ = [
    "Connection",
    "Failure",
    "Handed",
    "Parcel",
    "Security",
    "ServerIsAway",
    "SmtpServer",
]
