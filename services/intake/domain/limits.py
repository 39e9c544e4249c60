"""How much a ticket may hold. Each number has a reason; the entrance and the rules both read them here."""

from datetime import timedelta
from typing import Final

SUBJECT_CHARS_MAX: Final = 300
"""A subject is one line of a list; mail clients cut at 255, RFC 5322 advises 78."""

BODY_BYTES_MAX: Final = 262_144
"""A message stays under a quarter of Kafka's 1 MiB record even when JSON escapes some of it; longer text is a file."""

SUMMARY_CHARS_MAX: Final = 10_000
"""A summary of what was done is a page or two, and it is kept in the cached state of a solved ticket."""

REASON_CHARS_MAX: Final = 500
"""A reason is a sentence or two."""

WORD_CHARS_MAX: Final = 64
"""Labels, ticket types, tags, resolution codes: words that people pick from a list and metrics group by."""

TAGS_MAX: Final = 50
"""Every tag event carries the whole set, and a list of tickets shows it."""

FIELDS_MAX: Final = 100
"""Routing and policies look at fields on each event; more than this is a document, not a ticket."""

FIELD_TEXT_CHARS_MAX: Final = 4_000
"""A paragraph; longer text belongs in a message."""

FIELD_LIST_MAX: Final = 100
"""A multi-select; longer lists are data of another system."""

LINKS_MAX: Final = 100
"""All links are shown with the ticket, and each lives in the cached state."""

ARTICLE_CHARS_MAX: Final = 50_000
"""Some twenty pages; each version is kept with the one before it, and both fit into one event."""

SOURCES_MAX: Final = 20
"""Prepared texts and articles in one reply; nobody reads more."""

SURVEY_ANSWERS_MAX: Final = 20
"""Whoever has the link may change their mind, and no program may fill the ticket's history with it."""

SURVEY_COMMENT_CHARS_MAX: Final = 5_000
"""A page; whoever has more to say writes to the ticket."""

FILES_MAX: Final = 50
"""Files of one message: the event that names them stays far below what Kafka takes."""

TASKS_MAX: Final = 100
"""A checklist that somebody goes through; more is a project, with tickets of its own. All live in the cached state."""

PARTICIPANTS_MAX: Final = 50
"""Everybody in copy gets every answer; more is a mailing list, which has an address of its own."""

SPLITS_MAX: Final = 20
"""A thread that was twenty matters at once has been taken apart."""

SPLIT_MESSAGES_MAX: Final = 100
"""All are written again in one transaction, and each may be a quarter of a megabyte."""

NAME_CHARS_MAX: Final = 200
"""Longer than any name a directory holds (X.520 says 64 for most), short enough for a list."""

EMAIL_CHARS_MAX: Final = 320
"""64 for the local part, `@`, 255 for the domain (RFC 5321)."""

IDENTITY_CHARS_MAX: Final = 255
"""OpenID Connect limits a subject to 255 characters; ids of other systems are held to the same."""

LANGUAGE_CHARS_MAX: Final = 35
"""What RFC 5646 recommends to provide for a language tag."""

FAMILY_DEPTH_MAX: Final = 20
"""Parents of parents: projects nest a handful deep; the walk up must end."""

POSTPONED_FOR_MAX: Final = timedelta(days=366)
"""A ticket that nobody will look at for over a year is not postponed, it is forgotten."""

BATCH_LINES_MAX: Final = 10_000
"""One batch answers within seconds, and its answers fit into memory beside it."""

BATCH_BYTES_MAX: Final = 16 * 1_048_576
"""10,000 lines of ordinary tickets; the whole batch is held in memory while it is worked on."""

BATCH_LINE_BYTES_MAX: Final = 1_048_576
"""The same as the body of a single command."""
