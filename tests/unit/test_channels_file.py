"""The file of channels: what the documentation shows is one, and a mistake is named."""

import re
from pathlib import Path

import pytest

from services.intake.channels.installed import Channels, ChannelsAreWrong, SecretIn
from services.intake.channels.messengers.parts import adapters

PAGE = Path(__file__).parents[2] / "docs" / "channels.md"


def read(folder: Path, text: str) -> Channels:
    file = folder / "channels.yaml"
    file.write_text(text, encoding="utf-8")
    return Channels.read(file)


def test_the_example_of_the_documentation_is_a_file_of_channels(tmp_path: Path):
    (example,) = re.findall(r"```yaml channels\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    channels = read(tmp_path, example)
    assert channels.phone is not None
    assert channels.phone.lines[1].opens == "missed"
    assert channels.messengers.whatsapp["main"].template == "support_reply"
    assert channels.chat is not None


def test_without_a_file_everything_is_off():
    channels = Channels.read(None)
    assert (channels.phone, channels.forms, channels.chat) == (None, None, None)
    assert adapters(channels.messengers) == {}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("phones: {}", "phones"),
        ("phone: {region: Germany}", r"phone\.region"),
        ("phone: {lines: [{number: '1', opens: often}]}", r"phone\.lines\[0\]\.opens"),
        ("forms: {frame_ancestors: ['*; script-src *']}", r"frame_ancestors\[0\]"),
        ("messengers: {telegram: {a: {}}}", "token"),
        ("chat: {idle_minutes: 0}", "idle_minutes"),
        ("a: [", "channels.yaml"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, named: str):
    with pytest.raises(ChannelsAreWrong, match=named):
        read(tmp_path, text)


def test_a_secret_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHANNELS_TEST_EMPTY", " ")
    for secret in (
        SecretIn(),
        SecretIn(file=str(tmp_path / "absent")),
        SecretIn(env="CHANNELS_TEST_NONE"),
        SecretIn(env="CHANNELS_TEST_EMPTY"),
    ):
        with pytest.raises(ChannelsAreWrong, match="the secret of"):
            secret.read("the secret of a bot")
