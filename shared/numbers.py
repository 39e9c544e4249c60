"""The numbers that a log gives its events: by its sequence, in the order of commits.

Whoever may write rows can give one a number of their own. A reader that followed it far ahead would never see what
the service stores next, with smaller numbers, so readers stop at the last number that was given.
"""

from psycopg.sql import SQL, Composed, Literal


def last_number(table: str) -> Composed:
    """The last number that the event table has given, as an expression of SQL; NULL before the first.

    A sequence is not part of a transaction: every row that is seen has a number up to it, also after a crash.
    """
    return SQL(
        "(SELECT pg_sequence_last_value(pg_get_serial_sequence({}, 'notification_id')))"
    ).format(Literal(table))
