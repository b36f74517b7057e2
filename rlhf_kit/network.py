"""Whether the Hugging Face hub can be asked at all, found out before its client tries again and again."""

from __future__ import annotations

import os
import socket
from functools import cache
from urllib.parse import urlsplit

PROXIES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY")


@cache
def no_way_to_hub() -> str:
    """Why the hub cannot be asked, where its name leads nowhere from here; else "". Then only its cache is looked at.

    Its own client would try six times for every file, half a minute and a dozen lines each. Behind a proxy, which looks
    names up itself, nothing is found out.
    """
    from huggingface_hub import constants
    host = urlsplit(constants.ENDPOINT).hostname
    if constants.HF_HUB_OFFLINE or host is None or proxies():
        return ""
    try:
        socket.getaddrinfo(host, None)
    except (socket.gaierror, UnicodeError):
        constants.HF_HUB_OFFLINE = True                     # its client and transformers ask this, at every file
        return f"there is no network: nobody here knows the address of {host}"
    return ""


def proxies() -> list[str]:
    """The names of a person's own settings that send what is asked through a proxy."""
    return [name for name in PROXIES if os.environ.get(name) or os.environ.get(name.lower())]
