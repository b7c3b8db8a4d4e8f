"""Where a session comes from."""

from types import SimpleNamespace

import pytest

from components import presence


@pytest.mark.parametrize(
    ("told", "address"),
    [
        (None, ""),  # Streamlit's word for 127.0.0.1 and ::1
        ("127.0.0.2", ""),
        ("::ffff:127.0.0.1", ""),
        ("testclient", ""),
        ("", ""),
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:a:b:c:d", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),  # the same visitor with another address
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_the_address_of_a_client(monkeypatch, told, address):
    monkeypatch.setattr(presence, "st", SimpleNamespace(context=SimpleNamespace(ip_address=told)))
    assert presence.client_address() == address
