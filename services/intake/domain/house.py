"""The rules of the house: everything an installation has configured, as one immutable whole."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from services.intake.domain.commands import OpenTicket
from services.intake.domain.definitions import Definitions
from services.intake.domain.forms import FormDefinition
from services.intake.domain.life_policy import EVERYBODY, NO_TERMS, LifePolicy, Terms
from services.intake.domain.rules import RuleBook
from services.intake.domain.survey_policy import NO_SURVEY, SurveyPolicy, SurveyTerms
from shared.calendar import Calendar
from shared.errors import Invalid


class House(msgspec.Struct, frozen=True):
    """What is configured. `life`, `surveys`: group → (policy, version of its document).

    `calendars_version`: of all calendars together; it grows with each change of one.
    """

    definitions: Definitions = Definitions()
    forms: Mapping[str, FormDefinition] = {}
    life: Mapping[str, tuple[LifePolicy, int]] = {}
    surveys: Mapping[str, tuple[SurveyPolicy, int]] = {}
    calendars: Mapping[str, Calendar] = {}
    calendars_version: int = 0
    rules: RuleBook | None = None

    def terms(self, group_id: str | None) -> Terms:
        """The life policy in force for a ticket of this group."""
        group = group_id if group_id in self.life else EVERYBODY
        found = self.life.get(group or EVERYBODY)
        if found is None:
            return NO_TERMS
        policy, version = found
        calendar = self.calendars.get(policy.calendar) if policy.calendar else None
        return Terms(policy, group, version, calendar)

    def survey(self, group_id: str | None) -> SurveyTerms:
        """The survey policy in force for a ticket of this group."""
        group = group_id if group_id in self.surveys else EVERYBODY
        found = self.surveys.get(group or EVERYBODY)
        return NO_SURVEY if found is None else SurveyTerms(found[0], group, found[1])

    def filled(self, command: OpenTicket, *, by_customer: bool) -> OpenTicket:
        """The opening as its form wants it; without a form, as it is.

        Raises:
            Invalid: there is no such form, or an answer is missing or was not asked for.
            Forbidden: a customer sets a field, or names a type, that is not for customers.
        """
        if by_customer:
            self.definitions.check_customer(command.ticket_type, command.fields)
        if command.form is None:
            return command
        form = self.form(command.form)
        if by_customer and not form.is_public:
            raise Invalid.of("form", f"there is no form {command.form!r}")
        form.check_answers(command.fields)
        return replace(
            command,
            ticket_type=form.ticket_type or command.ticket_type,
            priority=form.priority or command.priority,
            tags=(*command.tags, *form.tags),
        )

    def form(self, name: str) -> FormDefinition:
        """The form of this name.

        Raises:
            Invalid: there is none, or it has been retired.
        """
        found = self.forms.get(name)
        if found is None or not found.is_active:
            raise Invalid.of("form", f"there is no form {name!r}")
        return found


EMPTY: Final = House()
"""Nothing is configured: every field is free, and solved tickets stay until somebody acts."""
