"""Asking a server: a judge with an OpenAI-compatible API, which gives each response a mark by a rubric, and the asking
itself, with patience, which whoever else talks to a server uses too."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from rlhf_kit.storage import write_text

ASKED = ("Below are a prompt and a response to it. Judge the response by the rubric. Reason as much as you need, then "
         "write the mark, a number from {lowest:g} to {highest:g}, alone on the last line.\n\nRubric: {rubric}\n\n"
         "Prompt:\n{prompt}\n\nResponse:\n{response}")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
RANGE = r"\d+(?:\.\d+)?(?:\s*(?:-|–|to)\s*\d+)"
OUT_OF = re.compile(rf"(?:/|\b(?:out )?of\b|满分)\s*(?:{RANGE}|\d+(?:\.\d+)?)|\b{RANGE}\b")     # a scale, no mark
WAIT = 0.5                          # seconds before the first new try, twice as many before each further one
PASSING = (408, 425, 429, 500, 502, 503, 504)       # answers of a server that may be others a moment later

Answer = TypeVar("Answer")


class Unusable(ValueError):
    """A server's answer is not what was asked for; another try may bring one that is."""


def ask(url: str, body: Any = None, *, key: str | None = None, timeout: float = 60.0) -> bytes:
    """What a server answers to one request: POST of `body` as JSON, or GET without one.

    Args:
        key: the environment variable that holds the key, if one is needed.
        timeout: seconds.

    An address on this machine is asked without a proxy. Raises: HTTPError, URLError, TimeoutError, ConnectionError.
    """
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {os.environ[key]}"
    request = Request(url, None if body is None else json.dumps(body).encode(), headers)
    opener = build_opener(ProxyHandler({})) if _here(url) else build_opener()
    with opener.open(request, timeout=timeout) as reply:
        return reply.read()


def tried(once: Callable[[], Answer], retries: int, *, why: bool = False) -> Answer:
    """What `once` returns; it is called again after no answer, from a busy server, and after an `Unusable`.

    Args:
        why: whether the error repeats what a server said to its refusal.

    Raises: OSError, one line, if the server refuses or does not answer after all tries; the last `Unusable`.
    """
    for number in range(retries + 1):
        last = number == retries
        try:
            return once()
        except Unusable:
            if last:
                raise
        except HTTPError as error:
            if last or error.code not in PASSING:
                said = _said(error) if why else ""
                raise OSError(f"the server answered {error.code} {error.reason}{said and f': {said}'}") from error
        except (URLError, TimeoutError, ConnectionError) as error:
            if last:
                raise OSError(f"no answer ({getattr(error, 'reason', error) or type(error).__name__})") from error
        time.sleep(WAIT * 2**number)
    raise AssertionError("the last try returns or raises")


def check_address(address: str, example: str) -> None:
    """Raises ValueError for what is no address of a server."""
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).netloc:
        raise ValueError(f"address is {address!r}; expected one such as {example}.")


@dataclass(frozen=True)
class RemoteJudge:
    """Who is asked, and how.

    Args:
        address: of the API, up to and with /v1: POST address/chat/completions is what is asked.
        model: its name there.
        rubric: what a good response is, in words.
        lowest, highest: marks lie between; a number outside is no mark.
        key: the environment variable that holds the key, if one is needed; the key itself is written nowhere.
        timeout: seconds for an answer.
        retries: how often a question is asked again after no answer, a busy server or an answer without a mark.
        at_once: questions on the way at the same time.
        cache: a folder that keeps answers, so that nothing is paid for twice; None = nothing is kept.
    """

    address: str
    model: str
    rubric: str
    lowest: float = 1.0
    highest: float = 10.0
    key: str | None = None
    timeout: float = 60.0
    retries: int = 3
    at_once: int = 4
    cache: str | Path | None = None

    def __post_init__(self) -> None:
        check_address(self.address, "http://127.0.0.1:8000/v1")
        if not self.lowest < self.highest:
            raise ValueError(f"lowest is {self.lowest} and highest {self.highest}; lowest must be the smaller.")
        if self.key is not None and not os.environ.get(self.key):
            raise ValueError(f"key is {self.key!r}, and no environment variable of that name is set. Set it to the "
                             f"key, or leave key= out where none is needed.")

    def marks(self, prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
        """A mark for each response. Raises: OSError, ValueError if one cannot be had after all tries."""
        with ThreadPoolExecutor(self.at_once) as pool:
            return list(pool.map(self.mark, prompts, responses))

    def mark(self, prompt: str, response: str) -> float:
        """The mark of one response, from the cache if it was given before."""
        question = ASKED.format(lowest=self.lowest, highest=self.highest, rubric=self.rubric, prompt=prompt,
                                response=response)
        kept = self._kept(question)
        if kept is not None and kept.is_file() and (mark := self._read(kept)) is not None:
            return mark
        answer, mark = self._tried(question)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_text(kept, json.dumps({"question": question, "answer": answer, "mark": mark}, ensure_ascii=False))
        return mark

    def _tried(self, question: str) -> tuple[str, float]:
        def once() -> tuple[str, float]:
            answer = self._ask(question)
            if (mark := self._in(answer)) is None:
                raise Unusable(f"the last line is no number from {self.lowest:g} to {self.highest:g}: "
                               f"{' '.join(answer.split())[-80:]!r}")
            return answer, mark
        return tried(once, self.retries)

    def _ask(self, question: str) -> str:
        body = {"model": self.model, "temperature": 0, "messages": [{"role": "user", "content": question}]}
        said = json.loads(ask(f"{self.address.rstrip('/')}/chat/completions", body, key=self.key,
                              timeout=self.timeout))
        try:
            return str(said["choices"][0]["message"]["content"] or "")
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError("the answer is none of a chat API (no choices[0].message.content)") from error

    def _in(self, answer: str) -> float | None:
        """The one number of the last line, if it is a mark; of "7/10" and "7 out of 10" it is 7.

        Of several nobody knows which is meant, and the largest mark of a scale is no praise: that is none.
        """
        found = {float(number) for number in NUMBER.findall(OUT_OF.sub("", (answer.strip().splitlines() or [""])[-1]))}
        mark = found.pop() if len(found) == 1 else None
        return mark if mark is not None and self.lowest <= mark <= self.highest else None

    def _kept(self, question: str) -> Path | None:
        if self.cache is None:
            return None
        of = hashlib.sha256(json.dumps([self.address, self.model, question]).encode()).hexdigest()
        return Path(self.cache).expanduser() / f"{of[:32]}.json"

    def _read(self, kept: Path) -> float | None:
        try:
            return self._in(json.loads(kept.read_text(encoding="utf-8"))["answer"])
        except (ValueError, KeyError, TypeError, AttributeError):       # damaged: it is asked again
            return None


def _said(error: HTTPError) -> str:
    """What a server wrote to its refusal: the message of an OpenAI-compatible one, or the beginning of its text."""
    text = error.read().decode("utf-8", "replace")
    try:
        found = json.loads(text)
        found = found.get("error", found)
        text = str(found.get("message") or found.get("detail") or text) if isinstance(found, dict) else text
    except (ValueError, AttributeError):
        pass
    return " ".join(text.split())[:300]


def _here(address: str) -> bool:
    """True of an address on this machine, which no proxy is asked for."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
