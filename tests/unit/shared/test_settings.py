"""Processes of one service are told apart without anybody having to name them."""

import socket

from shared.settings import ServiceSettings


def settings(**given: str) -> ServiceSettings:
    return ServiceSettings(
        database_url="postgresql://x", kafka_bootstrap_servers="127.0.0.1:1", **given
    )


def test_a_process_is_named_after_its_machine():
    assert settings().instance == socket.gethostname()


def test_a_given_name_stands():
    assert settings(instance="7").instance == "7"
