"""A class of forty ranks for two minutes, while one of them generates and one training runs: how long a save takes.

    make bench ARGS=class_load                   SECONDS=120 USERS=40 THINKING=5 change it

The server is a process of its own, `rlhf-kit studio` with a class code; the class is this process, which speaks the
page's own protocol. Each user logs in, opens the Rank panel, thinks (5 s on average, exponentially distributed), saves
an order, has the reward model asked for its opinion, as the page does, and goes on with the list that came back. A
quarter of them has the Train panel open in a second tab. At the end every save that was answered is looked for in the
file.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from rlhf_kit.labels import Labels

CODE = "three green pears"
USERS, THINKING, SECONDS = (int(os.environ.get(name, default))
                            for name, default in (("USERS", 40), ("THINKING", 5), ("SECONDS", 120)))
K = 4
CLASS = ("--host", "0.0.0.0", "--class-code", CODE)


@dataclass
class User:
    """One browser: a name, a session, and what it has seen."""

    address: str
    name: str
    endpoints: dict[str, int]
    web: httpx.AsyncClient
    waits: list[float] = field(default_factory=list)            # seconds from the press to the answer, of saves
    saved: list[tuple[int, int]] = field(default_factory=list)  # (task, repeat) of every save that was answered
    errors: list[str] = field(default_factory=list)
    session: str = field(default_factory=lambda: f"{random.getrandbits(48):012x}")

    async def call(self, endpoint: str, *data: Any, event: Any = None) -> list[Any]:
        """Press: join the queue and read its events until the answer is there."""
        job = {"data": list(data), "fn_index": self.endpoints[endpoint], "session_hash": self.session,
               "event_data": event}
        (await self.web.post(f"{self.address}gradio_api/queue/join", json=job)).raise_for_status()
        last: list[Any] = []
        async with self.web.stream("GET", f"{self.address}gradio_api/queue/data",
                                   params={"session_hash": self.session}) as events:
            async for line in events.aiter_lines():
                said = json.loads(line[5:]) if line.startswith("data:") else {}
                if said.get("msg") in ("process_generating", "process_completed"):
                    if not said.get("success", True):
                        raise RuntimeError(str(said.get("output"))[:200])
                    last = said["output"].get("data", last)
                if said.get("msg") == "process_completed":
                    return last
        raise RuntimeError(f"{endpoint}: the connection ended without an answer")

    async def rank(self, until: float) -> None:
        """Think, order, save, until time is up."""
        cards, _ = await self.call("rank_show_en", self.name, K, "one", False, "")
        while time.monotonic() < until and "task" in cards:
            await asyncio.sleep(random.expovariate(1 / THINKING))
            order = random.sample(range(K), K)
            sent = {**{key: cards[key] for key in ("annotator", "task", "repeat", "question")},
                    "groups": [[i] for i in order], "touched": True, "seconds": float(THINKING)}
            began = time.monotonic()
            try:
                after, notice, *_ = await self.call("rank_save_en", self.name, sent, K, "one", False, "")
                if not isinstance(after, dict) or "Saved" not in str(notice):
                    raise RuntimeError(f"not saved: {notice}")
            except (httpx.HTTPError, RuntimeError) as error:
                self.errors.append(str(error) or type(error).__name__)
                continue
            self.waits.append(time.monotonic() - began)
            self.saved.append((cards["task"], cards["repeat"]))
            cards = after
            await self.tried("after_save", None, "tiny-rm-en")          # what the reward model says, as a page asks

    async def tried(self, endpoint: str, *data: Any, event: Any = None) -> list[Any]:
        """The same, and what goes wrong is noted."""
        try:
            return await self.call(endpoint, *data, event=event)
        except (httpx.HTTPError, RuntimeError) as error:
            self.errors.append(f"{endpoint}: {error}")
            return []

    async def look(self, until: float) -> None:
        """Look on while something trains: the Train panel asks for news every second and a half."""
        while time.monotonic() < until:
            await self.tried("tick", self.name, "all", None, "*", event={})
            await asyncio.sleep(1.5)

    async def generate(self, until: float) -> int:
        """Let the tiny model write lists, one after another; how many came."""
        written = 0
        while time.monotonic() < until:
            try:
                await self.call("rank_wait_en", self.name)
                notice, _ = await self.call("rank_more_en", None, self.name, {"empty": ""}, K, "one", False)
                written += "A new list" in str(notice)
            except (httpx.HTTPError, RuntimeError) as error:
                self.errors.append(f"generate: {error}")
            await asyncio.sleep(2)
        return written


async def enter(address: str, name: str) -> User:
    """Log in, and learn which number each of the page's functions has."""
    rest = httpx.Limits(keepalive_expiry=2)                 # the server hangs up after five; a browser would ask again
    web = httpx.AsyncClient(timeout=60, follow_redirects=True, limits=rest)
    answer = await web.post(f"{address}login", data={"username": name, "password": CODE})
    answer.raise_for_status()
    config = (await web.get(f"{address}config")).json()
    numbers = {one["api_name"]: one["id"] for one in config["dependencies"] if one.get("api_name")}
    for one in config["dependencies"]:                      # what a page does by itself has no name
        if one.get("trigger_after") == numbers["rank_save_en"]:
            numbers["after_save"] = one["id"]
        if any(event == "tick" for _, event in one["targets"]):
            numbers.setdefault("tick", one["id"])           # of the page at /
    return User(address, name, numbers, web)


async def lesson(address: str) -> tuple[list[User], int]:
    """The whole class at once; the users, and how many lists the model wrote meanwhile."""
    users = [await enter(address, f"user {i:02d}") for i in range(USERS)]
    teacher = await enter(address, "teacher")
    watching = [await enter(address, f"user {i:02d}") for i in range(USERS // 4)]           # a second tab of theirs
    until = time.monotonic() + SECONDS
    *_, written = await asyncio.gather(*(user.rank(until) for user in users), *(
        user.look(until) for user in watching), teacher.generate(until))
    everybody = [*users, *watching, teacher]
    for user in everybody:
        await user.web.aclose()
    return everybody, written


def started(folder: Path, port: int, *options: str) -> subprocess.Popen:
    """The server, once it answers."""
    command = [sys.executable, "-m", "rlhf_kit.cli", "studio", "--data", str(folder), "--port", str(port),
               "--lang", "en", *options]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              start_new_session=True)
    for _ in range(240):
        if server.poll() is not None:
            raise SystemExit(server.stderr.read())
        try:
            httpx.get(f"http://127.0.0.1:{port}/", timeout=1)
            return server
        except httpx.HTTPError:
            time.sleep(0.25)
    raise SystemExit("the studio did not open within a minute")


def training(folder: Path) -> subprocess.Popen:
    """A PPO run that lasts longer than the lesson, as the Train panel starts one: nice, in a process of its own."""
    command = [sys.executable, "-m", "rlhf_kit.cli", "train", "ppo", "--model", "tiny-lm-en", "--judge", "tiny-rm-en",
               "--steps", "100000", "--output", str(folder / "ppo"), "--json"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                            preexec_fn=lambda: os.nice(10))


def fill(folder: Path, lists: int = 3 * SECONDS // THINKING + 20) -> None:
    """Lists enough for everybody to have work for the whole time."""
    folder.mkdir(parents=True, exist_ok=True)
    with Labels(folder / "labels.db") as labels:
        for i in range(lists):
            labels.add_task("It", [f" is list {i}, card {card}." for card in range(K)], kind="rank")


def percentile(values: list[float], p: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(p * len(ordered)), len(ordered) - 1)]


def main() -> None:
    """One line: saves, how long they took, and whether each is there once."""
    from rlhf_kit import zoo
    for name in ("tiny-lm-en", "tiny-rm-en"):
        zoo.cached(name)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "studio"
        fill(folder)
        server = started(folder, 7899, *CLASS)
        trainer = training(Path(place))
        try:
            users, written = asyncio.run(lesson("http://127.0.0.1:7899/"))
        finally:
            for process in (server, trainer):
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        with Labels(folder / "labels.db", read_only=True) as labels:
            there = [(j.annotator, j.task_id, j.repeat) for j in labels.judgements()]
    said = [(user.name, *one) for user in users for one in user.saved]
    waits = [wait for user in users for wait in user.waits]
    errors = [error for user in users for error in user.errors]
    print("| users | thinking, s | seconds | saves | answered and there once | median, ms | p95, ms | worst, ms | "
          "lists written meanwhile | errors |\n|---|---|---|---|---|---|---|---|---|---|")
    once = sum(there.count(one) == 1 for one in set(said))
    print(f"| {USERS} | {THINKING} | {SECONDS} | {len(waits)} | {once} of {len(set(said))} | "
          f"{1000 * percentile(waits, 0.5):.0f} | {1000 * percentile(waits, 0.95):.0f} | {1000 * max(waits):.0f} | "
          f"{written} | {len(errors)} |")
    for error in sorted(set(errors))[:5]:
        print(error, file=sys.stderr)
