"""`rlhf-kit data`: every world can be read in, in its language, with the truth beside it."""

import json

import pytest

from rlhf_kit import cli, tasks


@pytest.mark.parametrize("name", [*tasks.OWN, "assistant"])
def test_every_world_can_be_read_in_best_first(name, capsys):
    assert cli.main(["data", "--task", name, "--n", "3", "--responses", "3", "--lang", "zh", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    task = tasks.find(tasks.in_language(name, "zh"))
    assert len(found) == 3
    for one in found:
        gold = [response["gold"] for response in one["responses"]]
        assert gold == [round(task.gold(one["prompt"], response["text"]), 3) for response in one["responses"]]
        if hasattr(task, "rankings"):                       # a forum's answers are in the order of their votes
            assert gold == sorted(gold, reverse=True)


@pytest.mark.parametrize(("lang", "words"), [("en", ["User:", "Assistant:", "[gold 1.00]", "helpful", "asked: "]),
                                             ("zh", ["用户：", "助手：", "[真值 1.00]", "有用", "所问："])])
def test_it_is_printed_with_the_reasons_in_the_language(lang, words, capsys):
    assert cli.main(["data", "--task", "assistant", "--n", "6", "--lang", lang, "--explain", "--heldout"]) == 0
    printed = capsys.readouterr().out
    assert [word for word in words if word not in printed] == []


def test_without_a_task_it_is_the_reviews_and_another_seed_gives_others(capsys):
    printed = []
    for seed in ("0", "0", "1"):
        assert cli.main(["data", "--n", "1", "--lang", "en", "--seed", seed]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != printed[2]


@pytest.mark.parametrize("options", [["--n", "0"], ["--responses", "1"], ["--task", "no-such-world"]])
def test_bad_input_is_refused_in_one_line(options, capsys):
    assert cli.main(["data", "--lang", "en", *options]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "Traceback" not in said
