"""Rotas by example: hand-overs, layers, swaps, what is refused, what is remarked."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.oncall import InvalidRota, Override, RotaHistory, RotaVersion, parse_rota, survey

WEEK = {
    "name": "week",
    "members": ["anna", "ben"],
    "starts_on": "2026-01-05",
    "hand_over_at": "09:00",
}


def a_rota(*layers: dict[str, Any], timezone: str = "Europe/Berlin") -> Any:
    return parse_rota({"name": "Desk", "timezone": timezone, "layers": list(layers or (WEEK,))})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def history(*layers: dict[str, Any], overrides: tuple[Override, ...] = ()) -> RotaHistory:
    return RotaHistory([RotaVersion(a_rota(*layers))], overrides)


def test_a_week_is_handed_over_at_nine_on_the_wall_in_winter_and_in_summer():
    asked = history()
    assert asked.on_call(at("2026-01-12T07:59:59")).agent_id == "anna"
    assert asked.on_call(at("2026-01-12T08:00")).agent_id == "ben"
    summer = asked.on_call(at("2026-03-30T06:59:59"))
    assert (summer.agent_id, summer.until) == ("ben", at("2026-03-30T07:00"))
    assert (summer.next_agent_id, summer.next_starts_at) == ("anna", at("2026-03-30T07:00"))


def test_the_night_the_clocks_change_is_an_hour_shorter_or_longer():
    nights = {**WEEK, "hours": {"sat": [["20:00", "08:00"]]}}
    lengths = [
        (span.ends_at - span.starts_at).total_seconds() / 3600
        for span in history(nights).spans(at("2026-03-23T00:00"), at("2026-04-06T00:00"))
    ]
    assert lengths == [11, 12]  # 28 March has no hour from two to three
    autumn = history(nights).spans(at("2026-10-20T00:00"), at("2026-10-27T00:00"))
    assert [(span.ends_at - span.starts_at).total_seconds() / 3600 for span in autumn] == [13]


def test_a_later_layer_stands_before_an_earlier_one_where_it_has_somebody():
    lunch = {
        "name": "lunch",
        "members": ["chloe"],
        "starts_on": "2026-01-05",
        "rotation": {"unit": "days"},
        "hours": {"mon": [["12:00", "13:00"]]},
    }
    spans = history(WEEK, lunch).spans(at("2026-01-19T08:00"), at("2026-01-20T08:00"))
    assert [(span.agent_id, span.layer, f"{span.starts_at:%H:%M}") for span in spans] == [
        ("anna", "week", "08:00"),
        ("chloe", "lunch", "11:00"),
        ("anna", "week", "12:00"),
    ]


def test_a_swap_takes_only_what_the_other_would_have_had():
    swap = Override(
        override_id="1",
        agent_id="chloe",
        instead_of="ben",
        starts_at=at("2026-01-10T00:00"),
        ends_at=at("2026-01-14T00:00"),
    )
    spans = history(overrides=(swap,)).spans(at("2026-01-11T00:00"), at("2026-01-15T00:00"))
    assert [(span.agent_id, span.override_id) for span in spans] == [
        ("anna", None),
        ("chloe", "1"),
        ("ben", None),
    ]


def test_a_new_version_does_not_change_who_was_on_call():
    other = a_rota({**WEEK, "members": ["dmitri"]})
    asked = RotaHistory([RotaVersion(a_rota()), RotaVersion(other, at("2026-02-01T00:00"))])
    assert asked.on_call(at("2026-01-06T00:00")).agent_id == "anna"
    assert asked.on_call(at("2026-02-01T00:00")).agent_id == "dmitri"


def test_gaps_and_overlaps_are_told_with_the_first_of_them():
    office = {**WEEK, "hours": {day: [["08:00", "18:00"]] for day in ("mon", "tue", "wed")}}
    nights = {**WEEK, "name": "nights", "hours": {"mon": [["17:00", "20:00"]]}}
    found = survey(a_rota(office, nights), at("2026-06-01T00:00"))
    assert found.gaps is not None
    assert found.overlaps is not None
    assert (found.gaps.first_from, found.gaps.first_until) == (
        at("2026-06-01T00:00"),
        at("2026-06-01T06:00"),
    )
    assert (found.overlaps.first_from, found.overlaps.first_until, found.overlaps.layers) == (
        at("2026-06-01T15:00"),
        at("2026-06-01T16:00"),
        ("week", "nights"),
    )
    assert found.overlaps.seconds == found.overlaps.count * 3600


def test_a_rota_without_gaps_and_overlaps_has_no_findings():
    found = survey(a_rota(), at("2026-06-01T00:00"))
    assert (found.gaps, found.overlaps) == (None, None)
    assert found.covered_seconds == 366 * 86_400


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"timezone": "Berlin"}, "timezone"),
        ({"name": ""}, "name"),
        ({"layers": []}, "layers"),
        ({"colour": "red"}, "body"),
        ({"layers": [{**WEEK, "members": []}]}, "layers[0].members"),
        ({"layers": [{**WEEK, "members": ["Anna B"]}]}, "layers[0].members[0]"),
        ({"layers": [{**WEEK, "starts_on": "soon"}]}, "layers[0].starts_on"),
        ({"layers": [{**WEEK, "starts_on": "0001-01-01"}]}, "layers[0].starts_on"),
        ({"layers": [{**WEEK, "ends_on": "2026-01-05"}]}, "layers[0].ends_on"),
        ({"layers": [{**WEEK, "hand_over_at": "9:00"}]}, "layers[0].hand_over_at"),
        ({"layers": [{**WEEK, "rotation": {"every": 0}}]}, "layers[0].rotation.every"),
        ({"layers": [{**WEEK, "hours": {"mon": [["08:00", "08:00"]]}}]}, "layers[0].hours.mon[0]"),
        ({"layers": [{**WEEK, "hours": {"mon": [["25:00", "26:00"]]}}]}, "layers[0].hours.mon[0]"),
        ({"layers": [{**WEEK, "hours": {}}]}, "layers[0].hours"),
        ({"layers": [WEEK, WEEK]}, "layers[1].name"),
    ],
)
def test_what_could_never_work_is_refused_by_name(change: dict[str, Any], field: str):
    document = {"name": "Desk", "timezone": "Europe/Berlin", "layers": [WEEK]}
    with pytest.raises(InvalidRota) as refused:
        parse_rota({**document, **change})
    assert [error.field for error in refused.value.errors] == [field]
