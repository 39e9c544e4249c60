"""HTML as text: what a person sees, nothing loaded, quotes left out where programs mark them."""

import socket
import time

import pytest

from services.intake.channels.mail.html import content_ids, reply_to_text, to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("one<br>two", "one\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("<ul><li>one<li>two</ul>", "one"),
        ("a&nbsp;&amp;&nbsp;b", "a & b"),
        ("<script>x()</script><style>p{}</style><title>t</title>words<!-- no -->", "words"),
        ('<a href="http://x.example/">link</a>', "link"),
        ("<b>unclosed <i>tags", "unclosed tags"),
        ("plain", "plain"),
        ("", ""),
        ("<!-- only -->", ""),
        ('<?xml version="1.0" encoding="utf-16"?><p>x</p>', "x"),
        ('<meta charset="koi8-r"><p>grün</p>', "grün"),
        ("a\x00b", "ab"),
        ("<o:p>office</o:p>", "office"),
    ],
)
def test_text_is_what_people_see(html: str, text: str):
    assert text in to_text(html)
    assert "x()" not in to_text(html)


@pytest.mark.parametrize("control", ["\x01", "&#1;", "&#x1f;", "\ufffe", "&#xd800;", "\x7f"])
def test_control_characters_do_no_harm(control: str):
    quote = f'<blockquote type="cite">old</blockquote>{control}<!-- -->{control}'
    html = f"<p>new{control}<script></script>{control}</p>{quote}"
    assert "new" in to_text(html)
    assert reply_to_text(html).startswith("new")
    to_text(html).encode()


def test_many_blank_lines_are_one():
    assert to_text("a" + "<p>&nbsp;</p>" * 20 + "b") == "a\n\nb"


def test_nothing_is_loaded(monkeypatch):
    def no_network(*_args: object, **_more: object) -> None:
        raise AssertionError("somebody connects")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "create_connection", no_network)
    html = (
        '<!DOCTYPE html [<!ENTITY e SYSTEM "http://127.0.0.1:9/e">]><link rel=stylesheet href="http://127.0.0.1:9/">'
        '<img src="http://127.0.0.1:9/pixel" alt="a"><iframe src="http://127.0.0.1:9/"></iframe>&e;words'
    )
    assert "words" in to_text(html)


@pytest.mark.parametrize(
    "quoted",
    [
        '<blockquote type="cite">old</blockquote>',
        '<div class="gmail_quote">On Monday Bo wrote:<blockquote>old</blockquote></div>',
        '<div class="gmail_quote gmail_quote_container">old</div>',
        '<div class="moz-cite-prefix">On Monday Bo wrote:</div><blockquote type="cite">old</blockquote>',
        '<div class="yahoo_quoted">old</div>',
        '<div class="protonmail_quote">old</div>',
        '<div id="appendonsend"></div><hr><div id="divRplyFwdMsg">From: Bo</div><p>old</p>',
        '<div><div id="appendonsend"></div></div><p>old</p>',
        '<div style="border:none;border-top:solid #E1E1E1 1.0pt">From: Bo</div><p>old</p>',
        '<hr id="zwchr"><b>From:</b> Bo<br>old',
        '<div class="gmail_signature">old</div>',
        '<div id="Signature">old</div>',
    ],
)
def test_marked_quotes_and_signatures_are_left_out(quoted: str):
    html = f"<html><body><p>new</p>{quoted}</body></html>"
    assert "old" in to_text(html)
    assert reply_to_text(html).strip() == "new"


def test_words_after_a_quote_stay():
    assert reply_to_text('<blockquote type="cite">old</blockquote>new').strip() == "new"


def test_a_forwarded_message_stays():
    html = 'see <div class="gmail_quote">---------- Forwarded message ---------<br>old</div>'
    assert "old" in reply_to_text(html)


def test_a_quote_alone_leaves_nothing():
    assert reply_to_text('<blockquote type="cite">old</blockquote>') == ""


def test_the_ids_shown_are_found():
    html = "<img src=\"cid:A@x\"><img src='cid:b@x'><td background=cid:c@x>"
    assert content_ids(html) == {"a@x", "b@x", "c@x"}


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 100_000 + "words",
        "<table><tr><td>" * 10_000 + "words",
        "<p>x" * 100_000 + "words",
        "<ul>" * 5_000 + "<li>words",
        '<td colspan="999999999" style="padding-left:99999999em">words</td>',
    ],
)
def test_hostile_nesting_and_size_are_bounded(html: str):
    assert len(to_text(html)) < 2_000_000


@pytest.mark.parametrize(
    "opening",
    ["<p {}>", "<p a='\"' {}>", '<p a=">" {}>', '<p a" {}>', "<p a='>' {}", '<p a=b"c {}>'],
)
def test_an_element_with_a_hundred_thousand_attributes_costs_no_minutes(opening: str):
    many = " ".join(f"a{at}=1" for at in range(100_000))
    before = time.process_time()
    said = to_text(f"<b>first</b> {opening.format(many)}last</p>")
    assert time.process_time() - before < 10  # seconds; it was minutes
    assert said.startswith("first")


@pytest.mark.parametrize("depth", [100, 260, 1_000])
def test_nothing_is_lost_behind_deep_nesting(depth: int):
    html = f"<p>before</p>{'<div>' * depth}hello{'</div>' * depth}<p>after</p>"
    assert to_text(html).split() == ["before", "hello", "after"]
    assert reply_to_text(html).split() == ["before", "hello", "after"]


def test_a_picture_inside_a_tag_and_a_long_style_are_laid_out_as_ever():
    picture = "data:image/png;base64," + "iVBORw0KGgo/" * 50_000
    style = "; ".join(f"margin-{at}: 0" for at in range(400))
    html = f"<p style=\"{style}\">one</p><img src='{picture}'><p>two</p>"
    assert to_text(html).split("\n\n") == ["one", "two"]
