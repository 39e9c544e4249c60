"""A desk with files; the mail channel's fixtures serve here too."""

from tests.integration.intake_mail.conftest import (  # noqa: F401
    agent,
    desk,
    issuer,
    mailboxes_file,
    post,
)
