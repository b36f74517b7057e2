"""A server that is killed while a class saves: what it had acknowledged is in the file, once; slow."""

import asyncio
import math
import os
import random
import signal

import pytest

from rlhf_kit.labels import Labels
from tests.benchmarks import class_load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PORT = 7897
ENOUGH = 60                         # saves before the server is killed


@pytest.fixture
def server(tmp_path, monkeypatch):
    """server() starts a studio on the same folder; the last one is killed at the end."""
    monkeypatch.setattr(class_load, "THINKING", 0.3)
    class_load.fill(tmp_path / "studio", 200)
    running = []

    def start():
        running.append(class_load.started(tmp_path / "studio", PORT, *class_load.CLASS))
        return running[-1]
    yield start
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()


async def killed_in_the_middle(process, people: int) -> list[class_load.User]:
    """Some people rank; after some saves the server is killed, in the middle of whatever it is doing."""
    address = f"http://127.0.0.1:{PORT}/"
    users = [await class_load.enter(address, f"user {i}") for i in range(people)]
    lesson = [asyncio.create_task(user.rank(math.inf)) for user in users]
    while sum(len(user.saved) for user in users) < ENOUGH:
        await asyncio.sleep(0.01 * random.random())
    os.killpg(process.pid, signal.SIGKILL)
    await asyncio.wait(lesson, timeout=1)                           # what was acknowledged and is on its way
    for one in lesson:
        one.cancel()
    await asyncio.gather(*lesson, return_exceptions=True)
    for user in users:
        await user.web.aclose()
    return users


def test_no_acknowledged_label_is_lost_and_none_is_there_twice(server, tmp_path):
    process = server()
    users = asyncio.run(killed_in_the_middle(process, 12))
    said = [(user.name, *one) for user in users for one in user.saved]
    with Labels(tmp_path / "studio" / "labels.db") as labels:
        there = [(j.annotator, j.task_id, j.repeat) for j in labels.judgements()]
    print(f"{len(said)} saves were acknowledged, {len(there)} are in the file")
    assert len(said) >= ENOUGH
    assert set(said) <= set(there)
    assert len(set(there)) == len(there)

    server()
    async def goes_on():
        user = await class_load.enter(f"http://127.0.0.1:{PORT}/", "user 0")
        cards, _ = await user.call("rank_show_en", "user 0", 4, "one", False, "")
        await user.web.aclose()
        return cards["task"]
    assert asyncio.run(goes_on()) not in {task for name, task, _ in there if name == "user 0"}
