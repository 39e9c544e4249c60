"""`python -m services.intake` runs the service with settings from the environment."""

import sys

from services.intake.channels.mail.mailboxes import MailboxesAreWrong
from services.intake.main import build
from services.intake.settings import Settings
from shared.entry import run_service

_EXIT_MISCONFIGURED = 78
"""EX_CONFIG of sysexits.h: starting again will not help."""

if __name__ == "__main__":
    try:
        run_service("intake", Settings, build)
    except MailboxesAreWrong as error:
        sys.stderr.write(f"intake: TICKETING_MAILBOXES_FILE: {error}\n")
        sys.exit(_EXIT_MISCONFIGURED)
