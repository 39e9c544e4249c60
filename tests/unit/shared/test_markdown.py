"""Markdown in pages of ours: own pictures are shown, nothing is loaded from elsewhere, nothing runs."""

import pytest

from shared.markdown import PICTURES_AT, to_html

HASH = "ab" * 32


def test_a_picture_of_ours_is_shown_with_its_words():
    assert to_html(f'![the *door*](picture:{HASH} "Front")') == (
        f'<p><img src="{PICTURES_AT}{HASH}" alt="the door" title="Front" loading="lazy"></p>\n'
    )


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/x.png",
        "//evil.example/x.png",
        f"{PICTURES_AT}{HASH}",
        f"picture:{HASH[:-1]}",
        f"picture:{HASH}/../../v1/tickets",
        f"picture:{HASH.upper()}",
    ],
)
def test_of_every_other_one_only_the_words_are_left(address: str):
    assert to_html(f"![the door]({address})") == "<p>the door</p>\n"


@pytest.mark.parametrize(
    "text", ['<img src="/v1/x" onerror="x()">', "![x](data:image/png;base64,AAAA)"]
)
def test_what_only_looks_like_a_picture_is_text(text: str):
    assert "<img" not in to_html(text)
