"""A policy may ask only for what tickets have."""

import pytest

from services.sla.promises.documents import check_conditions, read_policy
from shared.errors import Invalid


def a_policy(field: str, value: str = "x"):
    return read_policy(
        "standard",
        1,
        {
            "conditions": {"all": [{"field": field, "op": "is", "value": value}]},
            "targets": [{"metric": "first_reply", "seconds": 60}],
        },
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("channel", "email"),
        ("requester.organization", "x"),
        ("fields.product", "x"),
        ("hours.office", "open"),
    ],
)
def test_a_field_that_tickets_have_may_be_asked_for(field: str, value: str):
    check_conditions(a_policy(field, value), {"office"})


def test_a_word_or_a_calendar_that_does_not_exist_is_refused():
    for field, value, place in (("channel", "pigeon", "value"), ("hours.fair", "open", "field")):
        with pytest.raises(Invalid) as refused:
            check_conditions(a_policy(field, value), {"office"})
        assert refused.value.errors[0].field == f"conditions.all[0].{place}"


@pytest.mark.parametrize("field", ["chanel", "via", "fields.", "requester"])
def test_a_field_that_no_ticket_has_is_refused_by_name(field: str):
    with pytest.raises(Invalid) as refused:
        check_conditions(a_policy(field), ())
    assert refused.value.errors[0].field == "conditions.all[0].field"


def test_the_targets_own_conditions_are_looked_at_too():
    policy = read_policy(
        "standard",
        1,
        {
            "targets": [
                {
                    "metric": "first_reply",
                    "seconds": 60,
                    "when": [{"field": "tier", "op": "is", "value": "gold"}],
                }
            ]
        },
    )
    with pytest.raises(Invalid, match="what tickets do not have") as refused:
        check_conditions(policy, ())
    assert refused.value.errors[0].field == "targets[0].when[0].field"
