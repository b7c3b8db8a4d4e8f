"""Which browser sessions are still there."""

from __future__ import annotations

import ipaddress

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx


def session_id() -> str:
    """Return the unguessable id of the browser session that this script runs for; it survives a socket's blip."""
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context is not None else ""


def client_address() -> str:
    """Return the network address that this session's browser has, "" for this machine's own and where none is known.

    Of IPv6 it is the network of 64 bits, which one visitor has to themselves. A server trusts the header
    X-Forwarded-For of proxies on loopback alone, and of those that FORWARDED_ALLOW_IPS names; else it sees the proxy.
    """
    try:
        address = ipaddress.ip_address(str(st.context.ip_address or "").split("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None and not address.is_loopback:
            return str(ipaddress.ip_network((address, 64), strict=False))
        address = address.ipv4_mapped or address
    return "" if address.is_loopback else str(address)


def is_there(owner: str) -> bool:
    """Say whether a session's page is connected. Thread-safe."""
    return runtime.exists() and runtime.get_instance().is_active_session(owner)
