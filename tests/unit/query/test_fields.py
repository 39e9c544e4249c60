"""Which custom fields a page asks for, and how."""

from services.query.views.definitions import Definitions
from services.query.web import fields

HOUSE = Definitions(
    fields={
        "model": {"label": "Model", "type": "choice", "options": ["small", "big"]},
        "count": {"label": "How many", "type": "integer", "min": 1, "ticket_types": ["laptop"]},
        "site": {"label": "Site", "type": "text", "required_on": "open", "ticket_types": ["move"]},
        "vip": {"label": "VIP", "type": "boolean", "required_on": "solve"},
    },
    types={"laptop": {"label": "Laptop", "required_on_solve": ["model"]}},
    forms={
        "new-laptop": {
            "title": "A new laptop",
            "fields": [
                {"field": "model", "required": True},
                {"field": "count", "visible_if": {"field": "model", "one_of": ["big"]}},
                {"field": "gone"},
            ],
        }
    },
)


def asked(found):
    return [(one.name, one.needed) for one in found]


def test_what_the_type_needs_or_the_ticket_has_comes_first():
    found = fields.of_ticket(HOUSE, "laptop", {"count": 2})
    assert asked(found) == [
        ("model", "needed to solve"),
        ("count", ""),
        ("vip", "needed to solve"),
    ]
    assert asked(fields.of_ticket(HOUSE, None, {})) == [("vip", "needed to solve"), ("model", "")]


def test_a_field_of_another_type_is_shown_while_the_ticket_has_it():
    assert ("site", "") in asked(fields.of_ticket(HOUSE, "laptop", {"site": "Bonn"}))
    assert ("site", "needed") in asked(fields.of_ticket(HOUSE, "move", {}))


def test_a_form_asks_for_its_own_fields_and_without_one_for_what_the_type_needs_at_once():
    found = fields.of_opening(HOUSE, "laptop", "new-laptop")
    assert asked(found) == [("model", "needed"), ("count", "")]
    assert found[1].visible_if == {"field": "model", "one_of": ["big"]}
    assert asked(fields.of_opening(HOUSE, "move", None)) == [("site", "needed")]
    assert asked(fields.of_opening(HOUSE, None, None)) == []


def test_a_boolean_is_a_choice_between_yes_and_no():
    (vip, *_) = fields.of_ticket(HOUSE, None, {"vip": False})
    assert (vip.choices, vip.chosen) == ((("true", "yes"), ("false", "no")), "false")
