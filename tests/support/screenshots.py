"""Takes the pictures in docs/screenshots from a product that runs with its demo.

`python -m tests.support.screenshots --url http://127.0.0.1:8080 --token …` in the project's folder, with Chromium
installed; give the demo ten minutes first, so that there is something to see. All pictures are made anew, or those
that are named; where pngquant is installed they become a third of the size.
"""

import argparse
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, Page, sync_playwright

TARGET: Final = Path(__file__).parents[2] / "docs" / "screenshots"
DESKTOP: Final = (1440, 900)
PHONE: Final = (390, 844)
_SETTLE_MS: Final = 1_500
"""Plots are drawn and the first words of the stream have come."""

_BUSIEST: Final = "/tickets?status=open&sort=-priority"
"""In this state the customer has answered an answer: there is something to read."""


@dataclass(frozen=True)
class Picture:
    """One file: its name, the address (`ticket…`: the most urgent one in conversation), and how it is looked at."""

    name: str
    path: str
    size: tuple[int, int] = DESKTOP
    scheme: Literal["light", "dark"] = "light"


PICTURES: Final = (
    Picture("wall-light", "/"),
    Picture("wall-dark", "/", scheme="dark"),
    Picture("wall-phone", "/", size=PHONE),
    Picture("desk-light", "/desk"),
    Picture("desk-phone", "/desk", size=PHONE, scheme="dark"),
    Picture("tickets-light", "/tickets?is_open=true&sort=due"),
    Picture("tickets-phone", "/tickets?is_open=true&sort=due", size=PHONE),
    Picture("ticket-light", "ticket"),
    Picture("ticket-dark", "ticket", scheme="dark"),
    Picture("ticket-phone", "ticket", size=PHONE),
    Picture("past-light", "ticket/past"),
    Picture("new-ticket-light", "/tickets/new"),
    Picture("agents-dark", "/agents", scheme="dark"),
    Picture("group-light", "/groups/technical"),
    Picture("group-phone", "/groups/technical", size=PHONE),
    Picture("oncall-light", "/oncall"),
    Picture("promises-light", "/promises"),
    Picture("tasks-light", "/tasks"),
    Picture("articles-light", "/articles"),
    Picture("audit-light", "/audit"),
    Picture("reports-light", "/reports/volume?by=group"),
    Picture("api-light", "/api"),
)


def take(browser: Browser, url: str, token: str, picture: Picture) -> Path:
    """Sign in, go there, wait until it stands still, and keep what is seen."""
    width, height = picture.size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=picture.scheme, locale="en-GB"
    )
    page = context.new_page()
    page.goto(f"{url}/login")
    page.fill("#token", token)
    page.press("#token", "Enter")
    page.wait_for_url(lambda address: "/login" not in address)
    page.goto(url + _address(page, url, picture.path))
    page.wait_for_timeout(_SETTLE_MS)
    page.wait_for_selector("#fresh:not(.unknown, .old)")
    file = TARGET / f"{picture.name}.png"
    page.screenshot(path=file)
    context.close()
    if pngquant := shutil.which("pngquant"):
        subprocess.run(
            [pngquant, "--force", "--skip-if-larger", "--output", file, file], check=False
        )
    return file


def _address(page: Page, url: str, path: str) -> str:
    if not path.startswith("ticket"):
        return path
    page.goto(url + _BUSIEST)
    first = page.locator("a[data-open]").first.get_attribute("href")
    if first is None:
        raise SystemExit(
            "no ticket is in conversation: start the product with its demo and wait a little"
        )
    return first + path.removeprefix("ticket")


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument(
        "--token", required=True, help="ticketing token --role admin --subject anna"
    )
    parser.add_argument("names", nargs="*", help="pictures; all without")
    asked = parser.parse_args(arguments)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.stderr.write("no Chromium on this machine (on Debian: the package chromium)\n")
        return 1
    known = {picture.name for picture in PICTURES}
    if unknown := set(asked.names) - known:
        sys.stderr.write(
            f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}\n"
        )
        return 2
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--lang=en-GB"]
        )
        for picture in PICTURES:
            if not asked.names or picture.name in asked.names:
                file = take(browser, asked.url, asked.token, picture)
                sys.stdout.write(f"{file.relative_to(TARGET.parents[1])}\n")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
