"""The parameters that say which tickets a list has, as text, and the same for the views."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from services.query.api.answers import Several, Text, check_range
from services.query.facets import FIELD
from services.query.views.customer_state import CustomerState
from services.query.views.fields import FieldWish
from services.query.views.list_filter import TicketFilter
from services.query.views.search_words import narrowed
from shared.events import Channel, Priority, StatusCategory
from shared.security import Principal

_VALUES_MAX = 50

_WEEK_MINUTES = 7 * 24 * 60

MY_GROUPS = "mine"
"""As a group: those that the caller is in."""

FIELDS_MAX = 10
"""Custom fields of one filter; each is another look into an index."""


class ListFilter(BaseModel):
    """Which tickets, in which order. Those with several values take them repeated or separated by commas.

    `assignee=me` is the caller, `group=mine` the caller's groups. `due_within`: minutes until a clock ends.
    `…_from` is inclusive, `…_before` exclusive.
    `field.NAME`: values of a custom field, or a range of numbers or dates (`10..20`, `2026-01-01..`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Annotated[list[StatusCategory], Several, Field(max_length=_VALUES_MAX)] = []
    customer_state: Annotated[list[CustomerState], Several, Field(max_length=_VALUES_MAX)] = []
    group: Annotated[list[Text], Several, Field(max_length=_VALUES_MAX)] = []
    assignee: Annotated[list[Text], Several, Field(max_length=_VALUES_MAX)] = []
    priority: Annotated[list[Priority], Several, Field(max_length=_VALUES_MAX)] = []
    channel: Annotated[list[Channel], Several, Field(max_length=_VALUES_MAX)] = []
    tag: Annotated[list[Text], Several, Field(max_length=_VALUES_MAX)] = []
    type: Annotated[list[Text], Several, Field(max_length=_VALUES_MAX)] = []
    language: Annotated[list[Text], Several, Field(max_length=_VALUES_MAX)] = []
    organization: Annotated[list[Text], Several, Field(max_length=_VALUES_MAX)] = []
    due_within: Annotated[int, Field(ge=1, le=_WEEK_MINUTES)] | None = None
    requester: Text | None = None
    external_id: Text | None = None
    created_from: AwareDatetime | None = None
    created_before: AwareDatetime | None = None
    updated_from: AwareDatetime | None = None
    updated_before: AwareDatetime | None = None
    is_open: bool | None = None
    breached: bool | None = None
    at_risk: bool | None = None
    q: Text | None = None
    fields: Annotated[dict[Text, Annotated[list[Text], Several]], Field(max_length=FIELDS_MAX)] = {}
    sort: Text = "-updated"

    @model_validator(mode="before")
    @classmethod
    def _gather_fields(cls, given: Any) -> Any:
        """Parameters `field.NAME` are one dictionary; it cannot be given under its own name."""
        if not isinstance(given, dict):
            return given
        fields = {
            name.removeprefix(FIELD): value
            for name, value in given.items()
            if name.startswith(FIELD)
        }
        rest = {name: value for name, value in given.items() if not name.startswith(FIELD)}
        return {**rest, "fields": fields} if fields else rest

    def filter(self, principal: Principal) -> TicketFilter:
        """The same for the view; assignee `me` is the caller, operators in `q` narrow it.

        Raises:
            Invalid: a range ends before it begins; an empty list would look like an answer.
        """
        for field in ("created", "updated"):
            begin, end = f"{field}_from", f"{field}_before"
            check_range((begin, getattr(self, begin)), (end, getattr(self, end)))
        assignees = (principal.id if value == "me" else value for value in self.assignee)
        wanted = TicketFilter(
            status=tuple(self.status),
            customer_state=tuple(self.customer_state),
            group=tuple(value for value in self.group if value != MY_GROUPS),
            group_of=principal.id if MY_GROUPS in self.group else None,
            due_within=self.due_within,
            assignee=tuple(assignees),
            priority=tuple(self.priority),
            channel=tuple(self.channel),
            tag=tuple(self.tag),
            fields=tuple(FieldWish(name, tuple(wanted)) for name, wanted in self.fields.items()),
            requester=self.requester,
            external_id=self.external_id,
            type=tuple(self.type),
            language=tuple(self.language),
            organization=tuple(self.organization),
            created_from=self.created_from,
            created_before=self.created_before,
            updated_from=self.updated_from,
            updated_before=self.updated_before,
            is_open=self.is_open,
            breached=self.breached,
            at_risk=self.at_risk,
            q=self.q,
        )
        return narrowed(wanted, caller=principal.id)
