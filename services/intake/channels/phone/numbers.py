"""Telephone numbers as people and exchanges write them, in the one form that can be compared (E.164)."""

import phonenumbers

from shared.errors import Invalid


def e164(said: str, region: str | None, *, field: str) -> str:
    """`+4930123456`.

    A number that no numbering plan knows is kept when it has its country's code: plans change, and test numbers exist.

    Raises:
        Invalid: it is none, or lacks the country's code while no region is configured.
    """
    try:
        parsed = phonenumbers.parse(said, region)
    except phonenumbers.NumberParseException as error:
        hint = "" if region else "; with its country's code, such as +49 30 123456"
        raise Invalid.of(field, f"is no telephone number{hint}") from error
    if not phonenumbers.is_possible_number(parsed):
        raise Invalid.of(field, "is no telephone number: too short or too long for its country")
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def for_people(number: str) -> str:
    """`+49 30 123456`."""
    parsed = phonenumbers.parse(number)
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL))
