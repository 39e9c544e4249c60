"""Public holidays of a country or region, from the `holidays` package: proposed, never taken by themselves (C11)."""

from collections.abc import Iterable
from typing import Final

import holidays

from shared.calendar.entries import ClosedDay

DEFAULT_CATEGORIES: Final = ("public",)
"""Asked for by name: other sets bring days on which shops and offices are open."""
YEARS_MAX: Final = 50


class UnknownHolidays(ValueError):
    """There is no such country, region, category, language or year; the message says which there are."""


def public_holidays(
    place: str,
    years: Iterable[int],
    *,
    categories: Iterable[str] = DEFAULT_CATEGORIES,
    language: str | None = None,
) -> list[ClosedDay]:
    """The holidays of these years, by date.

    Args:
        place: ISO 3166 country or region, `DE`, `DE-BE`, `US-CA`.
        years: each from 1 on.
        categories: sets of the `holidays` package, `public`, `bank`, `catholic` …
        language: of the names, `en_US`; the country's own without it.

    Raises:
        UnknownHolidays: nothing is known for one of these.
    """
    wanted = sorted(set(years))
    if not wanted or len(wanted) > YEARS_MAX:
        raise UnknownHolidays(f"from 1 to {YEARS_MAX} years can be asked for")
    country, region = _known_place(place)
    try:
        known_days = holidays.country_holidays(
            country,
            subdiv=region,
            years=wanted,
            categories=tuple(categories),
            language=_known_language(country, language),
            expand=False,
        )
    except ValueError as error:
        raise UnknownHolidays(f"country {country}: {error}") from error
    found = [ClosedDay(day, name) for day, name in sorted(known_days.items()) if day.year in wanted]
    missing = [year for year in wanted if not any(day.date.year == year for day in found)]
    if missing:
        raise UnknownHolidays(
            f"no holidays are known for {place} in {', '.join(map(str, missing))}"
        )
    return found


def _known_place(place: str) -> tuple[str, str | None]:
    country, _, region = place.partition("-")
    country = country.upper()
    regions = holidays.list_supported_countries(include_aliases=True).get(country)
    if regions is None:
        raise UnknownHolidays(f"no holidays are known for country {country or '(none)'}")
    if not region:
        return country, None
    for known in regions:
        if known.upper() == region.upper():
            return country, known
    there = f"there are {', '.join(sorted(regions))}" if regions else "it has none"
    raise UnknownHolidays(f"country {country} has no region {region}; {there}")


def _known_language(country: str, language: str | None) -> str | None:
    """Chosen here, for the library would ask the machine's own language, and fall back in silence."""
    known = holidays.list_localized_countries().get(country, [])
    if language is None:
        return getattr(holidays.country_holidays(country), "default_language", None)
    if language not in known:
        there = ", ".join(known) or "only the country's own"
        raise UnknownHolidays(f"country {country} has no names in {language}; there are {there}")
    return language
