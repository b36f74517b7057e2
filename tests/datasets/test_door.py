"""Everybody's files, made here with the columns that the public sets have: what is read, left out, and said."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub import serving

from rlhf_kit.datasets.door import (
    Account,
    Binary,
    Pairs,
    Prompts,
    Rankings,
    ScoredAnswers,
    as_rankings,
    bring,
    columns_in,
    dialogues,
    for_people,
)
from rlhf_kit.datasets.reading import FileError
from rlhf_kit.formulas.records import Comparison, Ranking, Turn

ASK, GOOD, BAD = "How do I fix it?", "Unplug it first.", "No idea."
USER, SAID, WORSE = Turn("user", ASK), Turn("assistant", GOOD), Turn("assistant", BAD)
MESSAGES = [{"role": "user", "content": ASK}, {"role": "assistant", "content": GOOD}]
REFUSED = [MESSAGES[0], {"role": "assistant", "content": BAD}]
HUMAN = f"\n\nHuman: {ASK}\n\nAssistant:"
PAIR, CHATS = Comparison(ASK, GOOD, BAD), Comparison((USER,), (SAID,), (WORSE,))


def notes(brought) -> list[str]:
    return [key for key, _ in brought.account.notes]


# Pairs, however they are called

PAIRS = {
    "TRL, explicit": {"prompt": ASK, "chosen": GOOD, "rejected": BAD},
    "orca_dpo_pairs, no system turn": {"system": "", "question": ASK, "chosen": GOOD, "rejected": BAD},
    "LLaMA-Factory": {"instruction": ASK, "input": "", "chosen": GOOD, "rejected": BAD},
    "LLaMA-Factory, older": {"instruction": ASK, "input": "", "output": [GOOD, BAD]},
    "distilabel": {"input": ASK, "chosen": GOOD, "rejected": BAD},
    "Argilla's ultrafeedback": {"source": "x", "instruction": ASK, "chosen_response": GOOD, "rejected_response": BAD,
                                "chosen_avg_rating": 5.0, "rejected_avg_rating": 3.0},
    "CValues": {"prompt": ASK, "pos_resp": GOOD, "neg_resp": BAD, "pos_type": "a", "neg_type": "b"},
    "stack-exchange-paired": {"qid": 3, "question": ASK, "date": "2", "metadata": ["a"], "response_j": GOOD,
                              "response_k": BAD},
    "PKU-SafeRLHF": {"prompt": ASK, "response_0": BAD, "response_1": GOOD, "is_response_0_safe": True,
                     "is_response_1_safe": True, "better_response_id": 1, "safer_response_id": 0},
    "SHP": {"post_id": "x", "domain": "d", "upvote_ratio": 0.9, "history": ASK, "human_ref_A": GOOD,
            "human_ref_B": BAD, "labels": 1, "score_A": 30, "score_B": 8},
    "AlpacaFarm": {"instruction": ASK, "input": "", "output_1": BAD, "output_2": GOOD, "preference": 2},
    "HelpSteer2 preference": {"prompt": ASK, "response_1": GOOD, "response_2": BAD, "preference_strength": -2},
    "A or B": {"prompt": ASK, "response_a": BAD, "response_b": GOOD, "winner": "B"},
    "by the column's name": {"prompt": ASK, "answer_a": GOOD, "answer_b": BAD, "preferred": "answer_a"},
    "one-hot": {"prompt": ASK, "response_a": BAD, "response_b": GOOD, "winner_model_a": 0, "winner_model_b": 1,
                "winner_tie": 0},
    "Label Studio's short JSON": {"id": 1, "prompt": ASK, "answer1": BAD, "answer2": GOOD, "annotator": 1,
                                  "comparison": {"selected": "right", "type": "pairwise"}},
    "Label Studio's CSV": {"annotation_id": "1", "answer1": GOOD, "answer2": BAD, "prompt": ASK,
                           "mine": '{"selected": "left"}', "comparison": '{"selected": "left"}'},
    "rm-static": {"prompt": ASK, "response": GOOD, "chosen": GOOD, "rejected": BAD},
    "answers that begin with the prompt": {"prompt": ASK, "chosen": ASK + GOOD, "rejected": ASK + BAD},
}


@pytest.mark.parametrize("row", PAIRS.values(), ids=PAIRS)
def test_pairs_of_texts(row):
    found = bring([row] * 5, "preferences")
    assert isinstance(found, Pairs)
    assert found.items == [PAIR] * 5
    assert found.account.items == found.account.rows == 5


CONVERSATIONS = {
    "UltraFeedback, binarised": {"prompt": ASK, "prompt_id": "x", "chosen": MESSAGES, "rejected": REFUSED,
                                 "messages": MESSAGES, "score_chosen": 8.0, "score_rejected": 3.0},
    "TRL, explicit": {"prompt": MESSAGES[:1], "chosen": MESSAGES[1:], "rejected": REFUSED[1:]},
    "implicit": {"chosen": MESSAGES, "rejected": REFUSED},
    "only the answers are messages": {"prompt": ASK, "chosen": MESSAGES[1:], "rejected": REFUSED[1:]},
    "LLaMA-Factory's ShareGPT": {"conversations": [{"from": "human", "value": ASK}],
                                 "chosen": {"from": "gpt", "value": GOOD}, "rejected": {"from": "gpt", "value": BAD}},
    "hh-rlhf-cn": {"context": [{"role": "human", "text": ASK}], "chosen": {"role": "assistant", "text": GOOD},
                   "rejected": {"role": "assistant", "text": BAD}},
    "chatbot arena": {"question_id": "x", "model_a": "m", "model_b": "n", "winner": "model_b",
                      "conversation_a": REFUSED, "conversation_b": MESSAGES},
    "HelpSteer3": {"context": MESSAGES[:1], "response1": GOOD, "response2": BAD, "overall_preference": -3},
    "parts of text": {"chosen": [MESSAGES[0], {"role": "assistant", "content": [{"type": "text", "text": GOOD}]}],
                      "rejected": REFUSED},
}


@pytest.mark.parametrize("row", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_pairs_of_conversations(row):
    assert bring([row] * 5, "preferences").items == [CHATS] * 5


def test_a_system_turn_and_turns_before_belong_to_the_prompt():
    told = Turn("system", "Be brief.")
    row = {"system": "Be brief.", "question": ASK, "chosen": GOOD, "rejected": BAD}
    assert bring([row] * 5, "preferences").items[0] == Comparison((told, USER), (SAID,), (WORSE,))
    row = {"instruction": "And then?", "input": "", "history": [[ASK, GOOD]], "chosen": "Wait.", "rejected": "Run."}
    assert bring([row] * 5, "preferences").items[0].prompt == (USER, SAID, Turn("user", "And then?"))
    longer = [*MESSAGES, {"role": "user", "content": "And?"}]
    row = {"chosen": [*longer, MESSAGES[1]], "rejected": [*longer, REFUSED[1]]}
    assert bring([row] * 5, "preferences").items[0] == Comparison((USER, SAID, Turn("user", "And?")), (SAID,), (WORSE,))


def test_dialogues_are_cut_where_the_answers_part_and_can_become_conversations():
    row = {"chosen": f"{HUMAN} {GOOD}", "rejected": f"{HUMAN} {BAD}"}
    found = bring([row] * 5, "preferences")
    assert found.items[0] == Comparison(HUMAN, f" {GOOD}", f" {BAD}")
    assert notes(found) == ["read_pairs_again"]
    assert dialogues(found.items)[0] == CHATS
    assert dialogues([ASK, (ASK, GOOD)]) == [(USER,), (USER, SAID)]


# Rankings and scores

RANKED = {
    "the kit's own": {"prompt": ASK, "responses": [BAD, GOOD], "ranks": [2, 1]},
    "Nectar": {"prompt": ASK, "answers": [{"answer": BAD, "model": "m", "rank": 5.0},
                                          {"answer": GOOD, "model": "n", "rank": 1.0}]},
    "the number of the best": {"prompt": ASK, "responses": [BAD, GOOD], "chosen": 1},
    "the best itself": {"prompt": ASK, "responses": [BAD, GOOD], "best": GOOD},
    "rank_0 and rank_1": {"prompt": ASK, "response_0": BAD, "response_1": GOOD, "rank_0": 2, "rank_1": 1},
    "scores": {"prompt": ASK, "responses": [BAD, GOOD], "scores": [1.0, 5.0]},
    "rewards": {"prompt": ASK, "responses": [BAD, GOOD], "rewards": [-1.0, 0.5]},
    "UltraFeedback": {"source": "x", "instruction": ASK, "models": ["m", "n"], "completions": [
        {"model": "m", "response": BAD, "overall_score": 3.5, "fine-grained_score": 4.0},
        {"model": "n", "response": GOOD, "overall_score": 8.0, "fine-grained_score": 3.0}]},
    "comparisons by GPT-4": {"user_input": ASK, "responses_and_scores": [
        {"response": BAD, "source": "m", "score": 3.0}, {"response": GOOD, "source": "n", "score": 9}]},
    "WebGPT": {"question": {"dataset": "x", "id": "y", "full_text": ASK}, "quotes_0": {"title": []}, "answer_0": BAD,
               "score_0": -0.5, "quotes_1": {"title": []}, "answer_1": GOOD, "score_1": 0.5},
}


@pytest.mark.parametrize("row", RANKED.values(), ids=RANKED)
def test_orders_and_scores_mean_the_same(row):
    found = bring([row] * 5, "preferences")
    assert isinstance(found, Rankings | ScoredAnswers)
    assert as_rankings(found) == [Ranking(ASK, (BAD, GOOD), (2, 1))] * 5


def test_summaries_by_openai():
    row = {"info": {"id": "x", "post": ASK}, "summaries": [{"text": BAD}, {"text": GOOD}], "choice": 1}
    assert as_rankings(bring([row] * 5, "preferences"))[0] == Ranking(ASK, (BAD, GOOD), (2, 1))


def test_ratings_of_single_answers_are_put_together_by_prompt():
    """HelpSteer has a row an answer; one that is alone with its prompt compares with nothing."""
    rows = [{"prompt": f"{ASK} {i}", "response": text, "helpfulness": score, "verbosity": 1} for i in range(4)
            for text, score in ((BAD, 1), (GOOD, 4))]
    found = bring([*rows, {**rows[0], "prompt": "alone"}], "preferences")
    assert as_rankings(found) == [Ranking(f"{ASK} {i}", (BAD, GOOD), (2, 1)) for i in range(4)]
    assert ("read_grouped", {"n": 4}) in found.account.notes


def test_labels_of_single_answers_are_kept_and_compared_where_a_prompt_has_both():
    rows = [{"prompt": ASK, "completion": text, "label": good} for text, good in ((GOOD, True), (BAD, False))]
    found = bring(rows * 3, "preferences")
    assert isinstance(found, Binary)
    assert as_rankings(found) == [Ranking(ASK, (GOOD, BAD), (1, 2))]
    only = bring([{**rows[0], "prompt": f"{i}?"} for i in range(5)], "preferences")
    with pytest.raises(ValueError, match="rlhf-kit train kto can"):
        as_rankings(only)


def test_openassistant_s_trees():
    """Replies to one message with their ranks; the best of them go on as conversations to imitate."""
    rows = [{"message_id": "q", "parent_id": None, "text": ASK, "role": "prompter", "rank": None},
            {"message_id": "a", "parent_id": "q", "text": BAD, "role": "assistant", "rank": 1},
            {"message_id": "b", "parent_id": "q", "text": GOOD, "role": "assistant", "rank": 0}]
    assert bring(rows, "preferences").items == [Ranking((USER,), ((WORSE,), (SAID,)), (2, 1))]
    assert bring(rows, "examples").items == [(USER, SAID)]
    tree = {"message_tree_id": "q", "prompt": {"text": ASK, "role": "prompter", "replies": [
        {"text": BAD, "role": "assistant", "rank": 1, "replies": []},
        {"text": GOOD, "role": "assistant", "rank": 0, "replies": []}]}}
    assert bring([tree] * 4, "preferences").items[0] == Ranking((USER,), ((WORSE,), (SAID,)), (2, 1))


LABEL_STUDIO = {
    "pairwise": {"id": 1, "data": {"prompt": ASK, "answer1": BAD, "answer2": GOOD}, "annotations": [
        {"id": 1, "was_cancelled": False, "result": [{"type": "pairwise", "value": {"selected": "right"}}]},
        {"id": 2, "was_cancelled": True, "result": [{"type": "pairwise", "value": {"selected": "left"}}]}]},
    "ranker": {"id": 1, "data": {"prompt": ASK, "items": [{"id": "x", "title": "1", "body": BAD},
                                                          {"id": "y", "title": "2", "body": GOOD}]},
               "annotations": [{"result": [{"type": "ranker", "value": {"ranker": {"_": ["y", "x"]}}}]}]},
}
ARGILLA = {
    "1": {"prompt": ASK, "response-1": BAD, "response-2": GOOD, "ranking": [
        {"user_id": "u", "status": "submitted", "value": [{"rank": 2, "value": "response-1"},
                                                          {"rank": 1, "value": "response-2"}]}]},
    "1, as parquet": {"prompt": ASK, "response_1": BAD, "response_2": GOOD, "ranking": [
        {"user_id": "u", "status": "submitted", "value": {"rank": [2, 1], "value": ["response_1", "response_2"]}}]},
    "the better one named": {"id": "x", "prompt": ASK, "response-1": BAD, "response-2": GOOD, "other": "a text",
                             "preference": [{"user_id": "u", "status": "submitted", "value": "response_2"}]},
    "2, the better one named": {"id": "x", "prompt": ASK, "response_1": BAD, "response_2": GOOD,
                                "preference.responses": ["response_2"],
                                "preference.responses.status": ["submitted"]},
    "2": {"id": "x", "prompt": ASK, "response_1": BAD, "response_2": GOOD,
          "ranking.responses": [["response_2", "response_1"], ["response_1", "response_2"]],
          "ranking.responses.status": ["submitted", "draft"]},
}


@pytest.mark.parametrize("row", [*LABEL_STUDIO.values(), *ARGILLA.values()], ids=[*LABEL_STUDIO, *ARGILLA])
def test_exports_of_annotators_tools(row):
    found = bring([row] * 4, "preferences").items
    assert len(found) == 4
    order = sorted(zip(found[0].ranks, found[0].responses, strict=True))
    assert (found[0].prompt, order) == (ASK, [(1, GOOD), (2, BAD)])


# What is imitated, what is answered

EXAMPLES = {
    "texts": ({"text": GOOD}, GOOD), "Alpaca": ({"instruction": ASK, "input": "", "output": GOOD}, (ASK, GOOD)),
    "Alpaca with an input": ({"instruction": ASK, "input": "a kettle", "output": GOOD}, (f"{ASK}\na kettle", GOOD)),
    "TRL": ({"prompt": ASK, "completion": GOOD}, (ASK, GOOD)), "messages": ({"messages": MESSAGES}, (USER, SAID)),
    "ShareGPT": ({"conversations": [{"from": "human", "value": ASK}, {"from": "gpt", "value": GOOD}],
                  "system": "Be brief."}, (Turn("system", "Be brief."), USER, SAID)),
    "prompt and completion as messages": ({"prompt": MESSAGES[:1], "completion": MESSAGES[1:]}, (USER, SAID)),
    "OpenOrca": ({"id": "x", "system_prompt": "Be brief.", "question": ASK, "response": GOOD},
                 (Turn("system", "Be brief."), USER, SAID)),
    "preferences": ({"prompt": ASK, "chosen": GOOD, "rejected": BAD}, (ASK, GOOD)),
    "hh-rlhf": ({"chosen": f"{HUMAN} {GOOD}", "rejected": f"{HUMAN} {BAD}"}, (HUMAN, f" {GOOD}")),
    "LLaMA-Factory, older": ({"instruction": ASK, "input": "", "output": [GOOD, BAD]}, (ASK, GOOD)),
    "Capybara": ({"source": "x", "conversation": [{"input": ASK, "output": GOOD}, {"input": ASK, "output": BAD}]},
                 (USER, SAID, USER, WORSE)),
    "MOSS": ({"chat": [{"human": ASK, "assistant": GOOD}]}, (USER, SAID)),
    "OpenAssistant's trees": ({"message_tree_id": "x", "prompt": {"text": ASK, "role": "prompter", "replies": [
        {"text": BAD, "role": "assistant", "rank": 1, "replies": []},
        {"text": GOOD, "role": "assistant", "rank": 0, "replies": []}]}}, (USER, SAID)),
}


@pytest.mark.parametrize(("row", "item"), EXAMPLES.values(), ids=EXAMPLES)
def test_examples(row, item):
    found = bring([row] * 3, "examples")
    assert found.items == [item]
    assert dict(found.account.left_out) == {"repeated": 2}


PROMPTS = {"prompt": ({"prompt": ASK, "other": 1}, ASK), "question": ({"question": ASK}, ASK),
           "messages": ({"messages": MESSAGES}, (USER,)), "pairs": ({"chosen": MESSAGES, "rejected": REFUSED}, (USER,)),
           "ShareGPT": ({"conversations": [{"from": "human", "value": ASK}]}, (USER,))}


@pytest.mark.parametrize(("row", "item"), PROMPTS.values(), ids=PROMPTS)
def test_prompts(row, item):
    found = bring([row] * 3, "prompts")
    assert isinstance(found, Prompts)
    assert found.items == [item]


# Where it comes from

def environment(folder, address) -> dict[str, str]:
    """Of a process whose hub is at that address."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return {**kept, "HF_ENDPOINT": address, "HF_HOME": str(folder / "home"), "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "PYTHONPATH": str(Path(__file__).parents[2])}


def rows_of(n: int = 6) -> list[dict]:
    return [{"prompt": f"{ASK} {i}", "chosen": GOOD, "rejected": BAD} for i in range(n)]


def in_every_dress(folder):
    import pyarrow
    from pyarrow import ipc, parquet
    rows, table = rows_of(), pyarrow.Table.from_pylist(rows_of())
    text = "".join(json.dumps(row) + "\n" for row in rows)
    csv = "prompt,chosen,rejected\n" + "".join(f"{ASK} {i},{GOOD},{BAD}\n" for i in range(6))
    for name, content in {"x.jsonl": text, "x.json": json.dumps(rows), "y.json": json.dumps({"data": rows}, indent=1),
                          "x.csv": csv, "x.tsv": csv.replace(",", "\t")}.items():
        (folder / name).write_text(content)
        yield name
    (folder / "x.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    parquet.write_table(table, folder / "x.parquet")
    with ipc.new_file(folder / "x.feather", table.schema) as file:
        file.write_table(table)
    with ipc.new_stream(str(folder / "x.arrow"), table.schema) as file:
        file.write_table(table)
    yield from ("x.jsonl.gz", "x.parquet", "x.feather", "x.arrow")


def test_the_same_rows_in_every_dress(tmp_path):
    for name in in_every_dress(tmp_path):
        assert bring(tmp_path / name, "preferences").items == bring(rows_of(), "preferences").items, name


def test_messages_from_parquet(tmp_path):
    import pyarrow
    from pyarrow import parquet
    parquet.write_table(pyarrow.Table.from_pylist([CONVERSATIONS["implicit"]] * 5), tmp_path / "x.parquet")
    assert bring(tmp_path / "x.parquet", "preferences").items == [CHATS] * 5


def test_a_folder_of_shards_and_what_is_passed_over(tmp_path):
    shards = {"train-0.jsonl": rows_of()[:3], "train-1.jsonl": rows_of()[3:], "test-0.jsonl": rows_of(2)}
    for name, some in shards.items():
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in some))
    found = bring(tmp_path, "preferences")
    assert found.items == bring(rows_of(), "preferences").items
    assert ("read_files", {"n": 2, "over": 1, "first": "train-0.jsonl"}) in found.account.notes
    (tmp_path / "test-0.jsonl").unlink()
    (tmp_path / "README.md").write_text("# not rows")
    assert ("read_files_all", {"n": 2}) in bring(tmp_path, "preferences").account.notes


def test_a_folder_of_different_things_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\nx,1\n")
    (tmp_path / "b.csv").write_text("prompt,chosen,rejected\np,a,b\n")
    with pytest.raises(FileError, match=r"is a folder of different things: a.csv has text, label, and b.csv prompt"):
        bring(tmp_path, "preferences")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="without a file of rows"):
        bring(tmp_path / "empty", "preferences")


def test_a_set_that_is_in_the_hub_s_cache(tmp_path, monkeypatch):
    from huggingface_hub import constants
    repo = tmp_path / "datasets--some--pairs"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("0" * 40)
    data = repo / "snapshots" / ("0" * 40) / "data"
    data.mkdir(parents=True)
    (data / "train-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_of()))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert len(bring("some/pairs", "preferences").items) == 6
    with pytest.raises(FileError, match="is no file here, and cannot be read from the hub"):
        bring("some/other", "preferences")


def test_a_set_on_the_hub_by_its_name(tmp_path):
    """Listed, fetched and read by another process, whose hub is here; what is no file of rows stays there."""
    repo = tmp_path / "hub" / "some" / "pairs"
    repo.mkdir(parents=True)
    (repo / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_of()))
    (repo / "README.md").write_text("about")
    (repo / "script.py").write_text("raise SystemExit('run')")
    asks = "from rlhf_kit.datasets.door import bring; print(len(bring({!r}, 'preferences').items))"
    with serving(tmp_path / "hub") as (address, asked):
        env = environment(tmp_path, address)
        there, nothing = (subprocess.run([sys.executable, "-c", asks.format(name)], env=env, check=False,
                                         capture_output=True, text=True) for name in ("some/pairs", "some/nothing"))
        assert not any("script.py" in one or "README" in one for one in asked)
    assert there.stdout == "6\n", there.stderr
    assert "is no file here, and cannot be read from the hub" in nothing.stderr


# What is said

def test_a_bad_row_in_24_is_left_out_and_counted():
    bad = ({"prompt": ASK, "chosen": None, "rejected": BAD}, {"prompt": ASK, "chosen": GOOD, "rejected": GOOD})
    found = bring([*rows_of(22), *bad], "preferences")
    assert (found.account.rows, found.account.items) == (24, 22)
    assert dict(found.account.left_out) == {"malformed": 1, "undecided": 1}
    assert "Left out: 1 malformed, 1 without a winner (ties)." in found.account.text("en")
    with pytest.raises(FileError, match=r"line 7: 'chosen': an empty text\. 3 of the first 9"):
        bring([*rows_of(6), *[bad[0]] * 3], "preferences")


def test_the_account_is_a_sentence_and_comes_back_from_json():
    account = bring([PAIRS["orca_dpo_pairs, no system turn"]] * 5, "preferences").account
    assert account.text("en").startswith("the data: 5 rows read as pairs: prompt from 'question', chosen, rejected; 5 ")
    assert "'question'" in account.text("zh")
    assert Account.of(json.loads(json.dumps(account.numbers()))) == account


@pytest.mark.parametrize(("row", "note", "inside"), [
    ({"chosen": GOOD, "rejected": BAD, "my_question": ASK}, "read_unused_prompt", "--columns prompt=my_question"),
    ({"prompt": ASK, "context": "a kettle", "chosen": GOOD, "rejected": BAD}, "read_unused", "'context'"),
    ({"chosen": GOOD, "rejected": BAD}, "read_no_prompt", "no column that could be a prompt"),
    ({"prompt": ASK, "responses": [GOOD, BAD]}, "read_order", "no ranks or scores"),
    ({"prompt": ASK, "responses": [GOOD, BAD], "votes": [3, 9]}, "read_order_despite", "--columns scores=votes"),
    ({"prompt": ASK, "responses": [GOOD, BAD], "chosen": 1}, "read_choice", "counted from 0"),
    (PAIRS["SHP"], "read_verdict", "'labels' = 1 was read as: 'human_ref_A'"),
    ({**CONVERSATIONS["UltraFeedback, binarised"], "score_rejected": 9.0}, "read_upside_down", "In 5 rows"),
    ({"prompt": ASK, "chosen": ASK + GOOD, "rejected": ASK + BAD}, "read_prompt_twice", "In 5 pairs"),
    ({"prompt": ASK, "chosen": GOOD, "rejected": BAD}, "read_glued", "fix it?Unplug it fi"),
    ({"prompt": ASK, "output": [GOOD, BAD]}, "read_order", "'output'"),
    ({"prompt": ASK, "chosen": GOOD, "rejected": BAD, "images": ["a.png"]}, "read_unseen", "Not used: 'images'"),
    ({"prompt": ASK, "chosen": GOOD, "rejected": BAD, "tools": "[{}]"}, "read_unseen", "Not used: 'tools'"),
    ({"prompt": ASK, "responses": [GOOD, BAD, "So."], "scores": [2, 1, None]}, "read_unscored", "5 of 15 answers have"),
    ({"prompt": ASK, "responses": [GOOD, BAD, "So."], "scores": [2, 1, float("nan")]}, "read_unscored", "5 of 15"),
    ({"prompt": ASK, "completions": [{"response": said, "score": score} for said, score in ((GOOD, 2), (BAD, 1), (
        "So.", None))]}, "read_unscored", "5 of 15"),
    ({"prompt": ASK, "chosen": GOOD, "rejected": BAD}, "read_pairs_again", "4 pairs repeat")])
def test_nothing_is_silent(row, note, inside):
    found = bring([row] * 5, "preferences")
    assert note in notes(found)
    assert inside in found.account.text("en")
    assert found.account.text("zh")


def test_pairs_that_contradict_each_other_and_the_first_bad_row_are_said():
    row = {"prompt": ASK, "chosen": GOOD, "rejected": BAD}
    found = bring([*rows_of(20), row, {**row, "chosen": BAD, "rejected": GOOD}, {**row, "chosen": None}], "preferences")
    assert ("read_pairs_against", {"n": 2}) in found.account.notes
    assert "line 23: 'chosen': an empty text" in found.account.text("en")


def test_a_column_that_repeats_the_prompt_is_not_missed():
    row = {"prompt": ASK, "instruction": ASK, "chosen": GOOD, "rejected": BAD}
    assert "read_unused" not in notes(bring([row] * 5, "preferences"))
    assert "read_unused" in notes(bring([row, {**row, "instruction": GOOD}] * 3, "preferences"))


def test_one_and_zero_point_where_the_scores_say():
    """SHP's 1 means A; a set where the higher score is B's says otherwise by its numbers; of 1 and 2 nobody knows."""
    row = {"prompt": ASK, "response_A": BAD, "response_B": GOOD, "labels": 1, "score_A": 2, "score_B": 9}
    assert bring([row] * 5, "preferences").items == [PAIR] * 5
    with pytest.raises(FileError, match="is not clear"):
        bring([{"prompt": ASK, "response_1": BAD, "response_2": GOOD, "label": i % 2} for i in range(6)], "preferences")


def test_the_number_of_the_best_counts_from_one_where_it_reaches_the_last():
    rows = [{"prompt": ASK, "responses": [BAD, GOOD, "Hm."], "best": best} for best in (1, 2, 3)] * 2
    assert [one.ranks.index(1) for one in bring(rows, "preferences").items] == [0, 1, 2] * 2


def test_answers_that_failed_are_left_out_with_their_scores():
    """distilabel writes null where a model gave no answer, or its judge no number; Orca's words beside numbers."""
    rows = [{"instruction": ASK, "generations": [BAD, GOOD, None], "ratings": [2.0, 4.0, None], "order": ["a", "b"]},
            {"instruction": ASK, "generations": [BAD, None, None], "ratings": [2.0, None, 5.0], "order": ["b", "a"]}]
    found = bring(rows * 3, "preferences")
    assert [(one.responses, one.scores) for one in found.items] == [((BAD, GOOD), (2.0, 4.0))] * 3
    assert dict(found.account.left_out) == {"undecided": 3}


def test_a_text_for_each_turn_makes_a_conversation():
    row = {"prompt": json.dumps([ASK, ASK]), "response_a": json.dumps([GOOD, GOOD]), "winner_model_a": 1,
           "response_b": json.dumps([GOOD, BAD]), "winner_model_b": 0, "winner_tie": 0}
    assert bring([row] * 5, "preferences").items == [Comparison((USER, SAID, USER), (SAID,), (WORSE,))] * 5


def test_lists_in_a_csv_as_json_or_as_pandas_leaves_them(tmp_path):
    import csv
    for write in (json.dumps, repr):
        with open(tmp_path / "x.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("prompt", "responses", "scores"),
                                        *[(ASK, write([BAD, GOOD, "it's 5"]), write([1, 5, 3]))] * 6])
        found = bring(tmp_path / "x.csv", "preferences").items
        assert [(one.responses, one.scores) for one in found] == [((BAD, GOOD, "it's 5"), (1.0, 5.0, 3.0))] * 6
    rows = [{"prompt": ASK, "responses": "[__import__('os').getcwd(), 'b']"}] * 6           # is read, never run
    with pytest.raises(FileError, match="not a list of texts"):
        bring(rows, "preferences")


def test_llama_factory_s_description_beside_the_file_names_its_columns(tmp_path):
    rows = [{"q": ASK, "more": "a kettle", "good_one": GOOD, "bad_one": f"{BAD} {i}"} for i in range(6)]
    (tmp_path / "mine.json").write_text(json.dumps(rows), encoding="utf-8")
    described = {"mine": {"file_name": "mine.json", "ranking": True, "columns": {
        "prompt": "q", "query": "more", "chosen": "good_one", "rejected": "bad_one", "history": "gone"}}}
    for source in (tmp_path, tmp_path / "mine.json"):
        with pytest.raises(FileError, match="has no columns of preferences"):
            bring(source, "preferences")
    (tmp_path / "dataset_info.json").write_text(json.dumps(described), encoding="utf-8")
    for source in (tmp_path, tmp_path / "mine.json"):
        found = bring(source, "preferences")
        assert found.items[0] == Comparison(f"{ASK}\na kettle", GOOD, f"{BAD} 0")
        assert "read_described" in notes(found)
        assert bring(source, "preferences", {"chosen": "more"}).items[0].chosen == "a kettle"    # the user's word first
    for damaged in ("{", "[]", '{"mine": 3}', '{"mine": {"file_name": "mine.json"}}'):
        (tmp_path / "dataset_info.json").write_text(damaged, encoding="utf-8")
        with pytest.raises(FileError, match="has no columns of preferences"):
            bring(tmp_path, "preferences")


def test_answers_without_a_verdict_are_named():
    with pytest.raises(FileError, match=r"'response-1' and 'response-2' look like answers .* --columns preference="):
        bring([{"prompt": ASK, "response-1": GOOD, "response-2": BAD, "mine": "first"}] * 5, "preferences")
    found = bring([{"prompt": ASK, "response-1": GOOD, "response-2": BAD, "mine": "first"}] * 5, "preferences",
                  {"preference": "mine"})
    assert found.items == [PAIR] * 5


def test_columns_that_the_user_names():
    rows = [{"q": ASK, "better": GOOD, "worst": BAD}] * 5
    found = bring(rows, "preferences", columns_in("prompt=q,chosen=better,rejected=worst"))
    assert found.items == [PAIR] * 5
    assert "prompt from 'q', chosen from 'better', rejected from 'worst'" in found.account.text("en")
    with pytest.raises(FileError, match=r"has no column 'qq'; it has 'q', 'better', 'worst'. .*--columns"):
        bring(rows, "preferences", {"prompt": "qq"})
    for wrong in ("prompt", "prompt=", "what=q", ""):
        with pytest.raises(ValueError, match="expected PART=COLUMN"):
            columns_in(wrong)


@pytest.mark.parametrize(("encoding", "text", "name"), [
    ("big5", "這個檯燈很好用，我很喜歡，推薦給大家。水壺兩天就壞了", "Big5"),
    ("gb18030", "这个台灯很好用，我很喜欢，推荐给大家。水壶两天就坏了", "GB18030"),
    ("cp1252", "Un café très agréable à côté de la maison", "Windows-1252"),
    ("utf-16-le", "这个台灯很好用，我很喜欢，推荐给大家。水壶两天就坏了", "UTF-16"),
    ("utf-16-be", "Un café très agréable à côté de la maison", "UTF-16")])
def test_a_guessed_encoding_is_said(tmp_path, encoding, text, name):
    path = tmp_path / "x.csv"
    path.write_bytes(("prompt,chosen,rejected\n" + f"{text} A,{text},b\n" * 6).encode(encoding))
    found = bring(path, "preferences")
    assert found.items[0].chosen == text
    assert ("read_encoding", {"encoding": name}) in found.account.notes


def test_people_read_conversations_without_marks():
    ranked = for_people([CHATS])
    assert ranked == [Ranking(ASK, (GOOD, BAD), (1, 2))]
    longer = Comparison((USER, SAID, USER), (SAID,), (WORSE,))
    assert for_people([longer])[0].prompt == f"\n\nHuman: {ASK}\n\nAssistant: {GOOD}\n\nHuman: {ASK}\n\nAssistant:"


def test_nothing_of_the_kind(tmp_path):
    with pytest.raises(FileError, match=r"has no columns of preferences; it has 'a', 'b'. Expected chosen"):
        bring([{"a": "x", "b": 1}] * 5, "preferences")
    with pytest.raises(FileError, match="expected dictionaries"):
        bring([], "prompts")
    (tmp_path / "x.xlsx").write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(FileError, match="a spreadsheet"):
        bring(tmp_path / "x.xlsx", "prompts")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 broken")
    with pytest.raises(FileError, match="damaged parquet"):
        bring(tmp_path / "x.parquet", "prompts")
