"""What the sender wrote this time, in many programs' and languages' wordings."""

# ruff: noqa: RUF001 - letters of other alphabets are meant

import pytest

from services.intake.channels.mail.replies import reply_text
from tests.unit.intake_email.letters import parsed

NEW = "It works now."
QUOTED = "> Have you tried\n> to turn it off?"

INTRODUCTIONS = [
    "On Mon, Apr 2, 2012 at 6:26 PM, Ann Lee <ann@x.example> wrote:",
    "On Mon, Apr 2, 2012 at 6:26 PM, Ann Lee of the very long department name <\nann@x.example> wrote:",
    "On Apr 3, 2012, at 4:19 PM, Ann wrote:",
    "Am 02.04.2012 um 14:20 schrieb Ann Lee <ann@x.example>:",
    "Am 02.04.12 14:20, schrieb Ann Lee:",
    "Le 2 avr. 2012 à 14:20, Ann Lee <ann@x.example> a écrit :",
    "El lun, 2 abr 2012 a las 14:20, Ann Lee (<ann@x.example>) escribió:",
    "Em seg., 2 de abr. de 2012 às 14:20, Ann <ann@x.example> escreveu:",
    "Il giorno lun 2 apr 2012 alle ore 14:20 Ann Lee <ann@x.example> ha scritto:",
    "Op ma 2 apr. 2012 om 14:20 schreef Ann Lee <ann@x.example>:",
    "Den mån 2 apr. 2012 kl 14:20 skrev Ann Lee <ann@x.example>:",
    "pon., 2 kwi 2012 o 14:20 Ann Lee <ann@x.example> napisał(a):",
    "Dne 2. 4. 2012 v 14:20 Ann Lee napsal(a):",
    "ma 2. huhtik. 2012 klo 14.20 Ann Lee (ann@x.example) kirjoitti:",
    '02.04.2012 14:20 пользователь "ann@x.example" <\nann@x.example> написал:',
    "2 апреля 2012 г., 14:20, Ann Lee <ann@x.example> пишет:",
    "пн, 2 квіт. 2012 р. о 14:20 Ann Lee <ann@x.example> пише:",
    "Ann Lee <ann@x.example>, 2 Nis 2012 Pzt, 14:20 tarihinde şunu yazdı:",
    "2012年4月2日(月) 14:20 Ann Lee <ann@x.example>:",
    "Ann Lee <ann@x.example> 于2012年4月2日周一 14:20写道：",
    "2012년 4월 2일 (월) 오후 2:20, Ann Lee <ann@x.example>님이 작성:",
]


@pytest.mark.parametrize("introduction", INTRODUCTIONS)
def test_a_marked_quote_goes_with_its_introduction(introduction: str):
    assert reply_text(f"{NEW}\n\n{introduction}\n\n{QUOTED}\n") == NEW


@pytest.mark.parametrize("introduction", INTRODUCTIONS)
def test_an_unmarked_quote_goes_with_an_introduction_no_person_writes(introduction: str):
    assert reply_text(f"{NEW}\n\n{introduction}\nHave you tried to turn it off?\n") == NEW


@pytest.mark.parametrize(
    "head",
    [
        "-----Original Message-----\nFrom: Ann",
        "----- Original Message -----\nFrom: Ann",
        "-----Ursprüngliche Nachricht-----\nVon: Ann",
        "-----Message d'origine-----\nDe : Ann",
        "-------- Исходное сообщение --------\nОт: Ann",
        "From: Ann Lee [mailto:ann@x.example]\nSent: March-09-12 4:22 PM\nTo: Bo\nSubject: Printer",
        "________________________________\nFrom: Ann\nSent: Monday\nTo: Bo\nSubject: Printer",
        "________________________________\n\nVon: Ann\nGesendet: Montag\nAn: Bo\nBetreff: Drucker",
        "*From:* Ann Lee\n*Sent:* Monday\n*To:* Bo\n*Subject:* Printer",
        "De : Ann\nEnvoyé : lundi\nÀ : Bo\nObjet : Imprimante",
        "De: Ann\nEnviado el: lunes\nPara: Bo\nAsunto: Impresora",
        "Od: Ann\nWysłano: poniedziałek\nDo: Bo\nTemat: Drukarka",
        "От: Ann\nОтправлено: понедельник\nКому: Bo\nТема: Принтер",
        "发件人： Ann\n发送时间： 星期一\n收件人： Bo\n主题： 打印机",
    ],
)
def test_a_repeated_header_and_all_below_goes(head: str):
    assert reply_text(f"{NEW}\n\n{head}\n\nHave you tried to turn it off?\n") == NEW


def test_marked_header_fields_go():
    assert reply_text(f"{NEW}\n\n> Subject: Test\n> From: ann@x.example\n> \n> Hi\n") == NEW


def test_an_answer_below_the_quote_is_the_answer():
    assert reply_text(f"On 04/02/2012 06:26 PM, Ann wrote:\n{QUOTED}\n\n{NEW}\n") == NEW


def test_answers_between_quotes_keep_their_questions():
    text = f"On 04/02/2012 06:26 PM, Ann wrote:\n> Which one?\nThe red one.\n> Since when?\nToday.\n{QUOTED}\n"
    found = reply_text(text)
    assert "> Which one?\nThe red one.\n> Since when?\nToday." in found
    assert "turn it off" not in found


@pytest.mark.parametrize(
    "marker",
    [
        "---------- Forwarded message ---------",
        "Begin forwarded message:",
        "-------- Weitergeleitete Nachricht --------",
        "-------- Пересылаемое сообщение --------",
    ],
)
def test_a_forwarded_message_stays_whole(marker: str):
    text = f"See below\n\n{marker}\nFrom: Ann\nDate: Monday\nSubject: x\n\nthe point"
    assert reply_text(text) == text


def test_a_signature_above_a_forwarded_message_goes_alone():
    found = reply_text(
        "See\n-- \nBo\n\n---------- Forwarded message ---------\nFrom: Ann\n\nthe point"
    )
    assert "the point" in found
    assert "Bo" not in found.splitlines()


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nBo Ek\nHead of Everything",
        "--\nBo Ek",
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Отправлено с iPhone",
        "Get Outlook for iOS<https://x.example>",
        "Best regards,\nBo Ek\n+49 1234",
        "Mit freundlichen Grüßen\n\nBo Ek",
        "Cordialement,\nBo",
        "С уважением,\nБо",
    ],
)
def test_signatures_go(signature: str):
    assert reply_text(f"{NEW}\n\n{signature}\n") == NEW
    assert (
        reply_text(f"{NEW}\n\n{signature}\n\nOn Apr 3, 2012, at 4:19 PM, Ann wrote:\n\n{QUOTED}")
        == NEW
    )


@pytest.mark.parametrize(
    "text",
    [
        "Thanks, that worked! But now the other one is on fire.",
        "Thanks,\nBo",
        "Kind regards",
        "What I tried:\n- on\n- off\n- on again",
        "He wrote:\nit does not work",
        "It is broken.\nAnn wrote on 5.5.2012:\nplease call me back",
        "The log says:\n12:30 error\n12:31 error",
        "From: the office\nTo: the moon\nis what the ticket says",
        "a -- b",
        "> everything is marked",
        "On Apr 3, 2012, at 4:19 PM, Ann wrote:\n> only a quote",
        "5 > 3",
        "Best regards from the whole team, and one more question: when will it be repaired?",
        "Regards,\nBo\nOh, and could you also look at the other one?\n" + "x" * 200,
    ],
)
def test_what_a_person_wrote_stays(text: str):
    assert reply_text(text) == text


def test_many_blank_lines_are_one():
    assert reply_text("a\n\n\n\n\n\nb") == "a\n\nb"


def test_a_line_of_hyphens_in_a_long_text_is_no_signature():
    text = "part one\n--\n" + "\n".join(f"point {n} of part two" for n in range(40))
    assert reply_text(text) == text


def test_html_replies_without_plain_text_lose_what_their_program_marks():
    message = parsed(
        f'<div>{NEW}</div><div class="gmail_quote">On Monday Ann wrote:<blockquote>old</blockquote></div>',
        content_type="text/html",
    )
    assert message.reply_text == NEW
    assert message.text is not None
    assert "old" in message.text


def test_an_html_quote_alone_is_shown_as_it_is():
    message = parsed('<blockquote type="cite">old</blockquote>', content_type="text/html")
    assert message.reply_text is not None
    assert message.reply_text.strip() == "old"
