"""Which tickets are sensitive: one meaning for every service that records who read them."""

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from shared.settings import ServiceSettings


class SensitivitySettings(ServiceSettings):
    """Settings of services that show tickets or their files. They must be the same for all of them."""

    sensitive_tags: str = Field(
        default="",
        description="reading a ticket with one of these tags (separated by commas) is recorded in the audit; the same"
        " value for `intake` (files) and `query` (everything else)",
    )
    sensitive_types: str = Field(default="", description="the same for ticket types")
    sensitive_fields: str = Field(
        default="", description="the same for tickets on which one of these custom fields is set"
    )
    sensitive_internal: bool = Field(
        default=True, description="the same for internal tickets, which no customer sees"
    )


class Sensitivity:
    """Which tickets are sensitive.

    Args:
        settings: tags, types and custom fields by name, and whether internal tickets are.

    Attributes:
        is_possible: whether any ticket can be.
    """

    def __init__(self, settings: SensitivitySettings) -> None:
        self._tags = _names(settings.sensitive_tags)
        self._types = _names(settings.sensitive_types)
        self._fields = _names(settings.sensitive_fields)
        self._internal = settings.sensitive_internal
        self.is_possible = bool(self._tags or self._types or self._fields or self._internal)

    def withhold(self, tickets: Iterable[dict[str, Any]]) -> None:
        """Take the values of sensitive fields out of tickets that are listed: who wants them opens the ticket.

        Args:
            tickets: `fields` as people see them; what is taken out is named in `withheld_fields`.
        """
        if not self._fields:
            return
        for ticket in tickets:
            found = sorted(self._fields & ticket["fields"].keys())
            ticket["fields"] = {k: v for k, v in ticket["fields"].items() if k not in found}
            ticket["withheld_fields"] = found

    def reasons(
        self,
        *,
        tags: Iterable[str],
        ticket_type: str | None,
        fields: Iterable[str],
        is_internal: bool,
    ) -> tuple[str, ...]:
        """Why a ticket with these is sensitive; empty when it is not.

        Args:
            tags: all of the ticket.
            ticket_type: its type, if it has one.
            fields: names of the custom fields that are set.
            is_internal: whether no customer sees it.
        """
        found = [f"tag:{tag}" for tag in tags if tag in self._tags]
        if ticket_type in self._types:
            found.append(f"type:{ticket_type}")
        found += [f"field:{name}" for name in fields if name in self._fields]
        if self._internal and is_internal:
            found.append("internal")
        return tuple(sorted(found))


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())
