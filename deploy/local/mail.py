"""Mail of the embedded stack: a mailbox to try, a listener on a loopback port, a folder that catches what leaves."""

import os
from collections.abc import Mapping
from typing import Final

from deploy.local import ports
from deploy.local.folder import StateFolder

MAILBOXES: Final = """\
# The mailbox of `make run`; yours to change, it is never written again. See docs/channels-email.md.
mailboxes:
  - name: help
    addresses: [help@desk.example]
    brand: Demo Desk
    tags: [mail]
    sender_name: "{{agent}} at {{brand}}"
    signature: "{{brand}}, ticket {{ticket}}"
    acknowledgement:
      text: |
        Hello {{requester}},

        your message has arrived and is ticket {{ticket}}.
"""

_OWN_WAY_OUT: Final = ("TICKETING_MAIL_OUT_HOST", "TICKETING_MAIL_OUT_FOLDER")


def mail_environment(folder: StateFolder) -> Mapping[str, str]:
    """The variables of intake that switch mail on; what the caller's environment says itself is left alone."""
    said = {
        "TICKETING_MAILBOXES_FILE": str(folder.keep_private("mail/mailboxes.yaml", MAILBOXES)),
        "TICKETING_MAIL_SMTP_LISTEN": f"{ports.LOOPBACK}:{folder.port('mail')}",
    }
    if not any(os.environ.get(name) for name in _OWN_WAY_OUT):
        said["TICKETING_MAIL_OUT_FOLDER"] = str(folder.path / "mail" / "out")
    return {name: value for name, value in said.items() if not os.environ.get(name)}
