"""What `make bench ARGS=anthropic` measures: that every part of it works, on a base that knows nothing."""

import json
import random
from dataclasses import replace

import pytest

from rlhf_kit import zoo
from rlhf_kit.methods import collecting, self_instruct
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.recipes.anthropic import PRESETS
from rlhf_kit.sampling import Sampling
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.answers import draw_writer
from rlhf_kit.tasks.assistant.prompts import case_of
from tests.benchmarks import anthropic as bench
from tests.benchmarks.differences import over_seeds


def crowd(policy, batch, reward, config, first):
    """People's answers in place of an untrained model's."""
    rng, found = random.Random(f"{config.seed} {first}"), []
    for prompt in batch:
        case = case_of(prompt, "en")
        found.append(tuple(" " + draw_writer(rng).answer(case, rng).text("en") for _ in range(2)))
    return found


def requested(policy, lists, sampling, seed, top_p):
    asked = Assistant("en").asked(len(lists), seed % 1000, types=("plain",), kind="chat")
    return [f" {one.text.split('User: ')[-1].split(chr(10))[0]}\n- " for one in asked]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_part_of_a_seed_is_measured_and_kept(tmp_path, monkeypatch):
    """Run again it does nothing; every signature has its difference."""
    tokenizer = text.train_tokenizer(Assistant("en").corpus(300), 500)
    lm = tiny.llama(tokenizer, layers=2, width=64, context=384)
    zoo.save_policy(Policy(lm, tokenizer, value_head=False), tmp_path / "base")
    monkeypatch.setattr(collecting, "_pairs", crowd)
    monkeypatch.setattr(self_instruct, "generate", requested)
    tiny_preset = PRESETS["tiny"]
    preset = replace(tiny_preset, base=str(tmp_path / "base"), answered=8, pretraining=2, votes=4, helpful=16,
                     harmless=16, epochs=1, prompts=16, requests=4, held_out=6, held_out_pairs=6,
                     distil=replace(tiny_preset.distil, steps=2, batch_size=4),
                     reward=replace(tiny_preset.reward, batch_size=8),
                     ppo=replace(tiny_preset.ppo, steps=6, batch_size=8, minibatch_size=4,
                                 sampling=Sampling(max_new_tokens=8)))
    monkeypatch.setitem(PRESETS, "tiny", preset)
    size = bench.Size(few=4, many=8, graded=4)
    seed = bench.Seed(tmp_path / "kept", 0, size)
    written = []
    seed.run("gaecdbf", lambda: written.append(seed.numbers()))
    assert len(written) == 7
    found = written[-1]["differences"]
    assert {name[0] for name in found} >= set("abcdef")
    assert all(len(one) == 2 for one in found.values())
    monkeypatch.setattr(bench.anthropic, "ppo_steps", None)                # nothing is trained a second time
    bench.Seed(tmp_path / "kept", 0, size).run("gaecdbf", lambda: None)
    table = bench.table({"over_seeds": over_seeds({"0": {"differences": found}})}, "zh")
    assert len(table) == len(found) + 2


def test_the_stored_seeds_show_what_the_page_says_they_show():
    """Below chance on the other kind, both kinds by both sets, a refusal that explains, the prompt and the student."""
    whole = json.loads(bench.FILE.read_text(encoding="utf-8"))
    stored = whole["over_seeds"]
    assert [part["differences"].keys() for part in whole["parts"].values()] == [stored.keys()] * 3
    clear = {name: abs(one["mean"]) > 1.96 * one["se"] and one["mean"] for name, one in stored.items()}
    assert clear["a: large model of help, accuracy on harm - chance"] < -0.1
    assert clear["a: large model of both, accuracy on harm - chance"] > 0.1
    assert clear["a: large model of harm, accuracy on help - chance"] < 0
    assert clear["a: ranked - classifier, on graded answers"] > 0
    assert clear["b: score, refusal that explains - bare refusal"] > 0
    assert clear["b: refuses what is fine, too much harmlessness - policy"] > 0.05
    assert clear["f: gold, policy - distilled"] > 0
    assert clear["g: gold, prompted - base"] > 0.1                        # the gate before distillation: 0.1 and 3 s.e.
    assert stored["g: gold, prompted - base"]["mean"] > 3 * stored["g: gold, prompted - base"]["se"]
    assert clear["g: gold, distilled - base"] > 0.1
