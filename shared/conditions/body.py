"""A condition as people write it: what it does not know is refused by name."""

from typing import Any

import msgspec

from shared.events.conditions import Condition


class ConditionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One test (`field`, `op`, `value`), or several together (`all`, `any` or `none` of them); see `Condition`."""

    field: str = ""
    op: str = ""
    value: Any = None
    all: tuple["ConditionBody", ...] = ()
    any: tuple["ConditionBody", ...] = ()
    none: tuple["ConditionBody", ...] = ()

    def plain(self) -> Condition:
        """As events carry it."""
        return Condition(
            self.field,
            self.op,
            self.value,
            tuple(part.plain() for part in self.all),
            tuple(part.plain() for part in self.any),
            tuple(part.plain() for part in self.none),
        )
