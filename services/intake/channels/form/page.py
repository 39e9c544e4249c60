"""The form as HTML: the page, the page after it, and the headers that say who may embed them."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec
from starlette.responses import HTMLResponse, Response

from services.intake.channels.form.answers import PREFIX
from services.intake.channels.installed import Forms
from services.intake.channels.templates import templates_of
from services.intake.domain import limits
from services.intake.domain.definitions import FieldDefinition
from services.intake.domain.forms import FormDefinition
from shared.errors import FieldError, NotFound

TEXTS: Final[Mapping[str, str]] = {
    "name": "Your name",
    "email": "Your e-mail address",
    "subject": "Subject",
    "body": "How can we help?",
    "files": "Files",
    "send": "Send",
    "required": "required",
    "choose": "Please choose",
    "only_if": "Only if “{label}” is {values}",
    "errors": "Please look at this again:",
    "thanks": "Thank you. We have your message.",
    "number": "Your number is {number}. You will hear from us by e-mail.",
    "again": "Send another one",
    "trap": "Leave this empty",
    "articles": "Perhaps this answers it already:",
    "needs_script": "This form needs JavaScript, to keep programs out.",
}
"""Our own words on the page; `forms.texts` of the channels' file replaces any of them."""

_STATIC: Final[Mapping[str, str]] = {
    "form.css": "text/css; charset=utf-8",
    "form.js": "text/javascript; charset=utf-8",
    "embed.js": "text/javascript; charset=utf-8",
}
_TEMPLATES: Final = templates_of("services.intake.channels.form")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One custom field as the template wants it."""

    name: str
    input: str
    definition: FieldDefinition
    required: bool
    depends_on: str | None = None
    depends_values: tuple[str, ...] = ()
    hint: str | None = None


def form_page(
    name: str,
    form: FormDefinition,
    fields: Mapping[str, FieldDefinition],
    settings: Forms,
    *,
    stamp: str,
    said: Mapping[str, Sequence[str]],
    errors: Sequence[FieldError] = (),
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The page with what was said already, and what is wrong with it."""
    texts = _texts(settings)
    html = _TEMPLATES.get_template("form.html").render(
        name=name,
        form=form,
        asked=_asked(form, fields, texts),
        settings=settings,
        texts=texts,
        stamp=stamp,
        said=said,
        errors=[_placed(one) for one in errors],
        wrong={_placed(one).field for one in errors},
        limits=limits,
    )
    return HTMLResponse(html, status, headers={**_headers(settings), **(headers or {})})


def done_page(name: str, form: FormDefinition, settings: Forms, *, number: int) -> Response:
    """The page after it: the ticket's number."""
    html = _TEMPLATES.get_template("done.html").render(
        name=name, form=form, texts=_texts(settings), number=number
    )
    return HTMLResponse(html, headers=_headers(settings))


@cache
def static_file(name: str) -> Response:
    """A file of the pages. Raises NotFound."""
    if name not in _STATIC:
        raise NotFound(f"there is no file {name}")
    content = resources.files("services.intake.channels.form").joinpath("static", name)
    headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
    if name == "embed.js":  # for pages of other sites
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return Response(content.read_bytes(), media_type=_STATIC[name], headers=headers)


def _texts(settings: Forms) -> dict[str, str]:
    own: Mapping[str, str] = {str(name): text for name, text in settings.texts.items()}
    return {**TEXTS, **own}


def _headers(settings: Forms) -> dict[str, str]:
    ancestors = " ".join(settings.frame_ancestors) or "'none'"
    return {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self';"
            f" form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
        ),
        "Cache-Control": "private, no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _asked(
    form: FormDefinition, fields: Mapping[str, FieldDefinition], texts: Mapping[str, str]
) -> list[Asked]:
    found = []
    for one in form.fields:
        definition = fields.get(one.field)
        if definition is None:
            continue
        condition = one.visible_if
        values = () if condition is None else tuple(map(_word, condition.one_of))
        hint = None
        if condition is not None and condition.field in fields:
            label = fields[condition.field].label
            hint = texts["only_if"].format(label=label, values=", ".join(values))
        found.append(
            Asked(
                name=one.field,
                input=PREFIX + one.field,
                definition=definition,
                required=one.required or definition.required_on == "open",
                depends_on=None if condition is None else PREFIX + condition.field,
                depends_values=values,
                hint=hint,
            )
        )
    return found


def _word(value: Any) -> str:
    """As an input sends it: a box that is ticked is `on`, one that is not is nothing."""
    if isinstance(value, bool):
        return "on" if value else ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _placed(error: FieldError) -> FieldError:
    """A fault under the name of its input."""
    place = error.field
    if place.startswith("fields."):
        place = PREFIX + place.removeprefix("fields.").partition("[")[0]
    return FieldError(place, error.message)
