"""Where there is no network, that is said at once and in one line, whatever was asked of the hub."""

import socket
import time

import pytest
from huggingface_hub import constants

from rlhf_kit import cli, network


@pytest.fixture
def cut_off(monkeypatch):
    """The hub's client may go online, and nobody knows an address."""
    def nobody_knows(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "getaddrinfo", nobody_knows)
    for name in network.PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    network.no_way_to_hub.cache_clear()
    yield
    network.no_way_to_hub.cache_clear()


@pytest.mark.parametrize("command", [
    ["train", "sft", "--model", "no-such-owner/no-such-model"],
    ["train", "sft", "--model", "tiny-lm-en", "--data", "no-such-owner/no-such-set"],
    ["memory", "--model", "no-such-owner/no-such-model"]])
def test_no_network_is_one_line_at_once(cut_off, command, capfd, tmp_path):
    began = time.monotonic()
    options = ["--output", str(tmp_path / "out")] if command[0] == "train" else []
    assert cli.main([*command, *options]) == 2
    said = capfd.readouterr().err
    assert "there is no network: nobody here knows the address of huggingface.co" in said
    assert "Retry" not in said
    assert time.monotonic() - began < 20                    # the hub's client alone waits 23 seconds between its tries


def test_behind_a_proxy_nothing_is_looked_up(cut_off, monkeypatch):
    """A proxy knows addresses that this machine does not."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert network.no_way_to_hub() == ""
    assert constants.HF_HUB_OFFLINE is False


def test_where_the_hub_is_known_nothing_changes(cut_off, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port: [host])
    assert network.no_way_to_hub() == ""
    assert constants.HF_HUB_OFFLINE is False


def test_a_tiny_model_needs_no_planning(capsys):
    assert cli.main(["memory", "--model", "tiny-lm-en"]) == 2
    assert "some ten megabytes, which fit anywhere" in capsys.readouterr().err
