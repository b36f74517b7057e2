"""A refusal names what was typed: no `name=value` of Python, no None, no setting without its option."""

import argparse
import dataclasses
import re
from functools import cache

import pytest

from rlhf_kit import cli
from rlhf_kit.commands.refusals import in_options
from rlhf_kit.methods import classifier, distil, dpo, grpo, kto, ppo, rest, reward_model, sft

CONFIGS = {"sft": sft, "ppo": ppo, "grpo": grpo, "dpo": dpo, "kto": kto, "rest": rest, "distil": distil,
           "reward-model": reward_model, "judge": classifier, "rule-model": classifier}


@cache
def parser_of(method: str) -> argparse.ArgumentParser:
    parser = cli._parser()
    for word in ("train", method):
        [action] = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
        parser = action.choices[word]
    return parser


def refused(method: str) -> list[tuple[str, str]]:
    """The option of every setting that a method's options reach, and what its Config says of a value that is none."""
    found, config = [], CONFIGS[method].Config
    records = {"": config, **{field.name: type(getattr(config(), field.name)) for field in dataclasses.fields(config)
                              if dataclasses.is_dataclass(getattr(config(), field.name))}}
    options = {action.dest: action.option_strings[0] for action in parser_of(method)._actions if action.nargs != 0}
    for record in records.values():
        for name in {field.name for field in dataclasses.fields(record)} & options.keys():
            for value in (-1, float("nan"), "nonsense"):
                if name == "thresholds" and value == "nonsense":         # the parser makes numbers of it
                    continue
                try:
                    record(**{name: (value,) if name == "thresholds" else value})
                except (ValueError, TypeError) as error:
                    found.append((options[name], str(error)))
    return found


@pytest.mark.parametrize("method", CONFIGS)
def test_whatever_a_config_refuses_is_said_by_the_options_name(method):
    said = refused(method)
    assert len(said) > 10
    for option, message in said:
        line = in_options(message, parser_of(method))
        also = {"--kl": "KL coefficient", "--kl-target": "KL target"}.get(option, option)
        assert option in line or also in line, line
        assert not re.search(r"(?<!')\b[a-z]+(_[a-z]+)+\b|\w=|\bNone\b|\bTrue\b|\bFalse\b|generate\(", line), line


@pytest.mark.parametrize(("method", "message", "line"), [
    ("rest", "Give lower thresholds, or kind='percentile'.", "Give lower thresholds, or --threshold-kind percentile."),
    ("rest", "the thresholds are (0.9, 0.7); they must rise, such as (0.7, 0.8).",
     "--thresholds are 0.9,0.7; they must rise, such as 0.7,0.8."),
    ("rest", "pairs that people wrote, or set original_share=0.",
     "pairs that people wrote, or set --original-share 0."),
    ("ppo", "batch_size 12 is not a multiple of minibatch_size 8; try minibatch_size 4.",
     "--batch-size 12 is not a multiple of --minibatch-size 8; try --minibatch-size 4."),
    ("grpo", "give a divisor of it, or None for the whole batch.", "give a divisor of it."),
    ("grpo", "train all the same with checks=False (--no-checks).", "train all the same with --no-checks."),
    ("dpo", "label_smoothing is 0.1 and the loss 'ipo', which has none; leave it out.",
     "--label-smoothing is 0.1 and --loss 'ipo', which has none; leave it out."),
    ("ppo", "Try 1 (in Python, generate with greedy=True writes the likeliest text).", "Try 1."),
    # what is a word, a column, a file or a name in somebody's code stays as it is
    ("ppo", "the steps of a run, and its seed, are settings.", "the steps of a run, and its seed, are settings."),
    ("ppo", "it has 'batch_size', 'label'. my/batch_size.py line 3: NameError.",
     "it has 'batch_size', 'label'. my/batch_size.py line 3: NameError.")])
def test_by_hand(method, message, line):
    assert in_options(message, parser_of(method)) == line


@pytest.mark.parametrize(("words", "line"), [
    (["--stop-kl", "0"], "rlhf-kit: --stop-kl is 0.0; it must be above 0.\n"),
    (["--temperature", "0"], "rlhf-kit: --temperature is 0.0; it must be above 0, from 0.001 to 1000. Try 1, the model "
                             "as it is.\n")])
def test_the_command_line_says_it_so(words, line, tmp_path, policy, capsys, monkeypatch):
    from rlhf_kit import zoo
    monkeypatch.chdir(tmp_path)
    zoo.save_policy(policy, "lm")
    (tmp_path / "mine.py").write_text("def reward(prompts, responses):\n    return [len(r) for r in responses]\n")
    assert cli.main(["train", "ppo", "--model", "lm", "--reward", "mine.py:reward", "--output", "out", "--lang", "en",
                     *words]) == 2
    assert capsys.readouterr().err == line
