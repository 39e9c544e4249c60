"""Channels of the embedded stack beside mail: web forms, the live chat and a telephone line, on from the start."""

import os
from collections.abc import Mapping
from typing import Final

from deploy.local.folder import StateFolder

CHANNELS: Final = """\
# The channels of `make run` beside mail; yours to change, it is never written again. See docs/channels.md.
forms:
  seconds_min: 1
chat:
  title: Demo Desk
  greeting: How can we help?
phone:
  region: DE
  lines:
    - {number: "+49 30 1000", name: Service desk, tags: [phone]}
"""


def channels_environment(folder: StateFolder) -> Mapping[str, str]:
    """The variable of intake that switches them on; what the caller's environment says itself is left alone."""
    name = "TICKETING_CHANNELS_FILE"
    if os.environ.get(name):
        return {}
    return {name: str(folder.keep_private("channels/channels.yaml", CHANNELS))}
