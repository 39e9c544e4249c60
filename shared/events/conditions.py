"""A condition as it stands in documents and in the events that publish them."""

from typing import Any

import msgspec


class Condition(msgspec.Struct, frozen=True, omit_defaults=True):
    """One test on a ticket, or several together; exactly one of the two forms.

    A test: `field` (`channel`, `priority`, `tags`, `subject`, `fields.product` …), `op`, `value`. Together: `all`,
    `any` or `none` of these conditions hold; they may be nested.
    """

    field: str = ""
    op: str = ""
    value: Any = None
    all: tuple["Condition", ...] = ()
    any: tuple["Condition", ...] = ()
    none: tuple["Condition", ...] = ()
