# ruff: noqa: E501 - mail programs want their styles in each element
"""A report as a mail: plain text, and HTML or CSV; nothing in it runs, loads or breaks out of its place."""

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final

import msgspec
from jinja2 import Environment

from services.query.api.reports_by_name import as_csv
from services.query.subscriptions import Subscription
from services.query.web.words import duration

_POLICY: Final = SMTP.clone(max_line_length=998)
_ROWS_MAX: Final = 100
"""Of a mail's table; the CSV has all."""

_HTML: Final = Environment(autoescape=True, trim_blocks=True).from_string(
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title></head>
<body style="font:14px/1.5 sans-serif;color:#17202c;background:#fff">
<h1 style="font-size:18px">{{ title }}</h1>
<p>{{ period }}</p>
{% if rows %}
<table style="border-collapse:collapse"><thead><tr><th scope="col" style="text-align:left;padding:4px 8px">{{ by }}</th>
{% for name in heads %}<th scope="col" style="text-align:right;padding:4px 8px">{{ name }}</th>{% endfor %}</tr></thead><tbody>
{% for label, cells in rows %}<tr><th scope="row" style="text-align:left;font-weight:normal;padding:4px 8px;border-top:1px solid #ccd3dc">{{ label }}</th>
{% for cell in cells %}<td style="text-align:right;padding:4px 8px;border-top:1px solid #ccd3dc">{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table>
{% else %}<p>Nothing was counted in this period.</p>{% endif %}
{% for line in notes %}<p style="color:#536071">{{ line }}</p>
{% endfor %}<dl style="color:#536071">{% for name, meaning in meanings %}<dt><b>{{ name }}</b></dt><dd>{{ meaning }}</dd>{% endfor %}</dl>
<p style="color:#536071">{% if link %}<a href="{{ link }}">Open the report</a> · {% endif %}<a href="{{ unsubscribe }}">Unsubscribe</a></p>
</body></html>
"""
)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail tells.

    Attributes:
        content: as the API answers it.
        labels: what the rows are called.
        period: in words.
        notes: what a reader should know of these figures, how old they are first.
        link: to the page of the report; None: there is no public address.
    """

    subscription: Subscription
    content: dict[str, Any]
    labels: tuple[str, ...]
    period: str
    notes: tuple[str, ...]
    link: str | None


def compose(
    report: Report, *, sender: str, recipient: str, mail_id: str, unsubscribe: str, at: datetime
) -> bytes:
    """The mail.

    Args:
        report: what it tells.
        sender: our address.
        recipient: one address: each gets a link of their own.
        mail_id: Message-ID without its brackets.
        unsubscribe: the address that ends these mails for this recipient.
        at: its date.
    """
    title = report.subscription.title or report.content["title"]
    mail = EmailMessage(policy=_POLICY)
    mail["Date"] = format_datetime(at)
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = f"{title}: {report.period}"
    mail["Message-ID"] = f"<{mail_id}>"
    # No robot answers a robot (RFC 3834); one press ends it (RFC 8058).
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["List-Unsubscribe"] = f"<{unsubscribe}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    heads, rows = _table(report)
    shown = rows[:_ROWS_MAX]
    notes = list(report.notes)
    if report.subscription.format == "csv":
        shown = []
        notes.insert(0, "The figures are attached.")
    elif len(rows) > len(shown):
        notes.insert(0, f"These are the first {len(shown)} of {len(rows)} rows.")
    lines = [title, report.period, ""]
    lines += [f"{label}: " + ", ".join(map(" ".join, zip(heads, cells, strict=True))) for label, cells in shown]  # fmt: skip
    if not rows:
        lines.append("Nothing was counted in this period.")
    lines += ["", *notes]
    lines += [f"{name}: {meaning}" for name, meaning in _meanings(report)]
    lines += ["", *([f"The report: {report.link}"] if report.link else [])]
    lines += [f"Unsubscribe: {unsubscribe}", ""]
    mail.set_content("\n".join(lines), charset="utf-8", cte="quoted-printable")
    if report.subscription.format == "csv":
        name = f"{report.content['report']}.csv"
        mail.add_attachment(
            as_csv(report.content).encode(), maintype="text", subtype="csv", filename=name
        )
    else:
        html = _HTML.render(
            title=title,
            period=report.period,
            by=report.content["by"],
            heads=heads,
            rows=shown,
            notes=notes,
            meanings=_meanings(report),
            link=report.link,
            unsubscribe=unsubscribe,
        )
        mail.add_alternative(html, subtype="html", charset="utf-8", cte="quoted-printable")
    return mail.as_bytes()


def _meanings(report: Report) -> list[tuple[str, str]]:
    if "metrics" in report.content:
        return [(one.title, one.meaning) for one in report.content["metrics"]]
    return [("Expected tickets", report.content["method"])]


def _table(report: Report) -> tuple[list[str], list[tuple[str, list[str]]]]:
    columns = (
        [(one.name, one.title, one.unit) for one in report.content["metrics"]]
        if "metrics" in report.content
        else [("expected", "Expected tickets", "count")]
    )
    rows = [
        (label, [_said(row[name], unit) for name, _, unit in columns])
        for label, row in zip(report.labels, report.content["rows"], strict=True)
    ]
    return [title for _, title, _ in columns], rows


def _said(value: Any, unit: str) -> str:
    if value is None:
        return "-"
    match unit:
        case "share":
            return f"{value * 100:.1f} %"
        case "seconds":
            return duration(float(value))
        case _:
            return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
