"""After the login people land on a page of ours and nowhere else."""

import pytest

from services.query.web.entrance import HOME, place_after_login


@pytest.mark.parametrize("wanted", ["/tickets/7", "/tickets?q=a%20b&sort=due", "/agents#x"])
def test_an_address_of_ours_is_kept(wanted: str) -> None:
    assert place_after_login(wanted) == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        None,
        "",
        "https://evil.example/",
        "//evil.example/x",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "tickets",
        "/login?next=/login",
        "/logout",
        "/" + "a" * 2_000,
    ],
)
def test_anything_else_leads_home(wanted: str | None) -> None:
    assert place_after_login(wanted) == HOME
