"""Events of intake about its own configuration: one document a stream, every version kept."""

from typing import Any, ClassVar
from uuid import UUID

from shared.events.base import Event, Owner
from shared.identifiers import derived_id


class ConfigurationDefined(Event, frozen=True, kw_only=True, tag="configuration.defined.v1"):
    """A document of the configuration has a new version, the version of the stream.

    Attributes:
        kind: `life`, `field`, `ticket_type`, `form`, `macro`, `answer`, `survey`, `view`, `rules`, `article`.
        name: the document's own id: a group for `life` and `survey` (`*`: all others), else a slug (`rules` has one).
        definition: as accepted; `null`: taken away.
        previous: the definition before; `null`: there was none.
    """

    OWNER: ClassVar[Owner] = Owner.INTAKE

    kind: str
    name: str
    definition: dict[str, Any] | None
    previous: dict[str, Any] | None = None

    @property
    def stream_id(self) -> UUID:
        return configuration_stream(self.kind, self.name)


def configuration_stream(kind: str, name: str) -> UUID:
    """The stream of one document."""
    return derived_id("configuration", kind, name)


ConfigurationEvent = ConfigurationDefined
