"""What the tests of all recipes share: a base that knows words alone, people in its place, a run, what is refused."""

import json
import random
import re
from pathlib import Path

from rlhf_kit import cli, zoo
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.answers import draw_writer
from rlhf_kit.tasks.assistant.prompts import case_of


def blank_base(folder: Path, layers: int = 1, context: int = 384) -> Path:
    """A LLaMA that knows the assistant's words and nothing else."""
    tokenizer = text.train_tokenizer(Assistant("en").corpus(300), 500)
    lm = tiny.llama(tokenizer, layers=layers, width=64, context=context)
    zoo.save_policy(Policy(lm, tokenizer, value_head=False), folder)
    return folder


def people(prompt: str, n: int, rng: random.Random) -> tuple[str, ...]:
    """In place of what an untrained model answers, which is all worth nothing: answers of people of every kind."""
    case = case_of(prompt, "en")
    return tuple(" " + draw_writer(rng).answer(case, rng).text("en") for _ in range(n))


def run(job, folder: Path, **options) -> list:
    return list(job.run(folder, **options))


def result(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def refused(recipe: str, data: Path, output: Path, says: str, capsys) -> None:
    """The command says why in one line, exits with 2, and writes nothing."""
    assert cli.main(["train", recipe, "--data", str(data), "--output", str(output)]) == 2
    said = capsys.readouterr().err.strip()
    assert re.search(says, said), said
    assert len(said.splitlines()) == 1
    assert not output.exists()
