"""How fast a dump is read: both passes over a made-up Posts.xml of 300 MB, beside what expat alone takes; memory."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any
from xml.parsers import expat

from rlhf_kit.datasets.stack_exchange.posts import Texts, choose, finished

MEGABYTES = int(os.environ.get("MEGABYTES", "300"))
LIMIT = 4000                            # questions whose texts are converted; all would take minutes


def write_large(path: Path, megabytes: int) -> None:
    """Posts of random words, about 1 kB each, three in ten a question."""
    rng, words = random.Random(0), [f"w{number}" for number in range(3000)]
    bodies = [escape(_body(rng, words)).replace("\n", "&#xA;") for _ in range(2000)]
    common = 'CreationDate="2012-01-02T03:04:05.678" ContentLicense="CC BY-SA 3.0"'
    with open(path, "w", encoding="utf-8-sig") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<posts>\n')
        questions, number, size = [], 0, 0
        while size < megabytes * 2**20:
            number += 1
            about = f'Score="{rng.randint(-2, 30)}" OwnerUserId="{rng.randint(1, 999)}" {common}'
            if not questions or rng.random() < 0.3:
                questions.append(number)
                about += f' PostTypeId="1" AcceptedAnswerId="{number + 2}" Title="Title {number}" Tags="|a|b|"'
            else:
                parent = questions[-1] if rng.random() < 0.8 else rng.choice(questions)
                about += f' PostTypeId="2" ParentId="{parent}"'
            size += file.write(f'  <row Id="{number}" {about} Body="{rng.choice(bodies)}" />\n')
        file.write("</posts>\n")


def _body(rng: random.Random, words: list[str]) -> str:
    paragraphs = "".join(f"<p>{' '.join(rng.choices(words, k=rng.randint(20, 60)))} &amp; <code>x_1</code></p>\n\n"
                         for _ in range(rng.randint(1, 4)))
    code = f'<pre class="lang-py"><code>{" = ".join(rng.choices(words, k=8))}\n    y &lt; 1\n</code></pre>\n'
    return paragraphs + code * (rng.random() < 0.5)


def _bare(path: Path) -> None:
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: None
    with open(path, "rb") as file:
        parser.ParseFile(file)


def _timed(what: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    return what(), time.process_time() - start


def _held() -> float:
    """Anonymous memory, MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def main() -> None:
    """Three rounds of expat alone and of the first pass in turn; then the second pass; MEGABYTES sets the size."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Posts.xml"
        write_large(path, MEGABYTES)
        size, before, rounds = path.stat().st_size / 2**20, _held(), []
        for _ in range(3):
            rounds.append((_timed(lambda: _bare(path))[1], _timed(lambda: finished(choose(path)))[1]))
        bare, first = (sorted(times)[1] for times in zip(*rounds, strict=True))
        print(f"{size:.0f} MB; first pass {size / first:.0f} MB a CPU second, expat alone {size / bare:.0f}",
              flush=True)
        choice = finished(choose(path, limit=LIMIT))
        with Texts(Path(folder) / "texts.jsonl", choice) as texts:
            _, second = _timed(lambda: finished(texts.gather(path)))
            pairs, third = _timed(lambda: sum(1 for _ in texts.pairs(None, choice.left_out)))
            print(f"second pass {texts.done / second:.0f} posts a CPU second; {pairs / third:.0f} pairs a second "
                  f"put together; memory grew by {_held() - before:.0f} MiB")
