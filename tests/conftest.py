"""What holds for every test: no connection leaves this machine, no setting leaks in."""

import ipaddress
import os
import socket
from pathlib import Path

import pytest

from app.settings import Settings, go_offline

go_offline()


class ConnectionRefusedByTestsError(Exception):
    """A test tried to reach another machine."""


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch):
    real_connect = socket.socket.connect

    def connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise ConnectionRefusedByTestsError(f"a test tried to connect to {address[0]}")
        return real_connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch, tmp_path_factory):
    for name in [name for name in os.environ if name.startswith("BINGLI_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Settings with a data folder of their own."""
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of example records."""
    return Path(__file__).parents[1] / "examples"
