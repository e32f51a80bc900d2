from __future__ import annotations

import pytest

from taller_cnn.lab.opening import access_for, is_loopback, page_address


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("192.168.1.2", False), ("my-pc", False)],
)  # fmt: skip
def test_only_this_machine_gets_in_without_a_token(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
    assert (access_for(host).token is None) is loopback


def test_thepage_address_carries_the_token_and_can_be_opened() -> None:
    access = access_for("192.168.1.2")
    assert page_address("192.168.1.2", 8000, access.token) == (
        f"http://192.168.1.2:8000/?token={access.token}"
    )
    assert page_address("::1", 8001) == "http://[::1]:8001/"
    assert "0.0.0.0" not in page_address("0.0.0.0", 8000)
