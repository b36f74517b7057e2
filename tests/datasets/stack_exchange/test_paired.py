"""Questions with pairs, whatever they come from: the same from XML, JSON lines and parquet; what can be wrong."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from rlhf_kit.datasets.reading import FileError
from rlhf_kit.datasets.stack_exchange import paired
from rlhf_kit.datasets.stack_exchange.conversion import CLAIM, Config, convert
from rlhf_kit.datasets.stack_exchange.paired import Stack, write_pairs
from rlhf_kit.datasets.stack_exchange.posts import read_posts
from rlhf_kit.datasets.stack_exchange.threads import prompt_of, question_in, response_of
from tests.datasets.stack_exchange.test_posts import answer, dump, question

HUB = {"qid": 4, "question": "Why?", "date": "2009/04/30", "metadata": ["https://a.b/questions/4"],
       "response_j": "So.", "response_k": "No."}


@pytest.fixture
def site(tmp_path) -> Path:
    """120 questions with four answers each, which score 5, 3, 3 and -1: five pairs and a tie."""
    rows = []
    for q in range(1, 600, 5):
        best = answer(q + 1, q, 40, "<p>The <code>best_one</code>.</p>")
        rows += [question(q, f"Question {q}?", OwnerUserId=q), best,
                 answer(q + 2, q, 5, "<p>It is <b>fine</b>.</p>"), answer(q + 3, q, 5), answer(q + 4, q, -1)]
    return dump(tmp_path / "Posts.xml", *rows)


def rows_in(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def everything(stack: Stack) -> list:
    return [method(split=split, n=n, seed=seed) for method in (stack.answered, stack.comparisons, stack.prompts)
            for split in ("train", "heldout") for n, seed in ((None, 0), (3, 1))]


# One interface

def test_every_source_gives_the_same(site, tmp_path):
    expected = Stack.read(site)
    write_pairs(tmp_path / "pairs.jsonl", read_posts(site, site="a.b"))
    write_pairs(tmp_path / "pairs.parquet", read_posts(site))
    (tmp_path / "pairs.jsonl.gz").write_bytes(gzip.compress((tmp_path / "pairs.jsonl").read_bytes()))
    convert(site, tmp_path / "lines", Config(site="a.b"))
    convert(site, tmp_path / "columns", Config(format="parquet", held_out=0.3))
    for source in ("pairs.jsonl", "pairs.jsonl.gz", "pairs.parquet", "lines", "columns"):
        assert everything(Stack.read(tmp_path / source)) == everything(expected), source
    few = [Stack.read(tmp_path / source, limit=30, held_out=0.3) for source in ("Posts.xml", "pairs.jsonl", "columns")]
    assert everything(few[0]) == everything(few[1]) == everything(few[2])
    assert len(few[0].train) + len(few[0].heldout) == 30


def test_comparisons_and_answers_are_in_the_template(site):
    stack = Stack.read(site)
    comparisons, answered = stack.comparisons(), stack.answered()
    prompt = comparisons[0].prompt
    of_one = {(c.chosen, c.rejected) for c in comparisons if c.prompt == prompt}
    best, fine = response_of("The `best_one`."), response_of("It is **fine**.")
    assert {(best, fine)} <= of_one
    assert len(of_one) == 5                                            # six pairs, one of which ties
    assert prompt == prompt_of(question_in(prompt))
    assert {(prompt, best), (prompt, fine)} <= set(answered)
    assert len(answered) == len(set(answered)) == 3 * len(stack.train)


def test_no_question_is_on_both_sides_and_the_share_is_kept(site):
    stack = Stack.read(site, held_out=0.25)
    learn, out = set(stack.prompts()), set(stack.prompts("heldout"))
    assert not learn & out
    assert len(learn | out) == 120
    assert 0.1 < len(out) / 120 < 0.4
    smaller = set(Stack.read(site, held_out=0.1).prompts("heldout"))
    assert smaller < out                                                # a larger share moves nobody back


def test_a_question_whose_text_is_held_out_is_not_learned_from(tmp_path):
    path = rows_in(tmp_path / "p.jsonl", [{**HUB, "qid": qid, "question": "Same  one?"} for qid in range(200)])
    stack = Stack.read(path, held_out=0.2)
    assert (len(stack.train), len(stack.heldout) > 20) == (0, True)
    with pytest.raises(FileError, match=r"no question in the split 'train'"):
        stack.comparisons()


def test_draws_depend_on_the_seed_and_on_nothing_else(site):
    stack = Stack.read(site)
    assert stack.prompts(n=5, seed=1) == Stack.read(site).prompts(n=5, seed=1) != stack.prompts(n=5, seed=2)
    assert len(stack.comparisons(n=7)) == 7
    for wrong in (lambda: stack.prompts("test"), lambda: stack.answered(-1), lambda: Stack.read(site, held_out=2),
                  lambda: Stack.read(site, limit=0), lambda: Stack.read(site, most_pairs=0)):
        with pytest.raises(ValueError, match="expected"):
            wrong()


def test_the_summary_says_what_was_read_left_out_and_licensed(site):
    shown = Stack.read(site).summary()
    assert "120 questions with 600 pairs" in shown
    assert "Licences: CC BY-SA. Name the authors" in shown
    assert "Left out" not in shown
    extra = site.with_name("more.xml")
    extra.write_text(site.read_text().replace("</posts>", f"{answer(9000, 8000, 1)}{question(9001)}</posts>"))
    shown = Stack.read(extra).summary().splitlines()[-1]
    assert shown == "Left out: 1 answers without their question, 1 questions without a pair."


# The columns of others

def test_the_folders_of_the_hub_set_are_read_together(tmp_path):
    for number, folder in enumerate(("finetune", "reward", "rl", "evaluation")):
        rows_in(tmp_path / "set" / "data" / folder / "train-0.jsonl", [{**HUB, "qid": number, "question": folder}])
    rows_in(tmp_path / "set" / "answers.jsonl", [{"prompt": "x"}])
    stack = Stack.read(tmp_path / "set", held_out=0)
    assert {question_in(prompt) for prompt in stack.prompts()} == {"finetune", "reward", "rl", "evaluation"}
    assert "not said in the file" in stack.summary()


def test_sites_share_numbers_and_repeated_rows_count_once(tmp_path):
    rows = [HUB, HUB, {**HUB, "question": "Of another site"}, {**HUB, "response_k": "So. "},
            {**HUB, "response_j": "No.", "response_k": "So."}]
    stack = Stack.read(rows_in(tmp_path / "p.jsonl", rows), held_out=0)
    assert len(stack.comparisons()) == len(stack.prompts()) == 2
    assert dict(stack.left_out) == {"pairs without two different texts": 1}


def test_most_pairs_of_a_question_are_drawn(tmp_path):
    rows = [{**HUB, "response_j": f"answer {i}"} for i in range(30)]
    path = rows_in(tmp_path / "p.jsonl", rows)
    assert len(Stack.read(path, held_out=0).comparisons()) == 10
    assert len(Stack.read(path, held_out=0, most_pairs=40).comparisons()) == 30


def test_what_is_written_has_the_columns_of_the_set_and_every_author(site, tmp_path):
    write_pairs(tmp_path / "p.jsonl", read_posts(site, site="a.b"))
    row = json.loads((tmp_path / "p.jsonl").read_text().splitlines()[0])
    assert list(row)[:6] == ["qid", "question", "date", "metadata", "response_j", "response_k"]
    assert row["metadata"] == ["https://a.b/questions/1", "https://a.b", "https://a.b/users/1"]
    assert (row["id_j"], row["score_j"], row["score_k"], row["link_k"]) == (2, 5, 3, "https://a.b/a/3")
    assert row["licence_j"].startswith("CC BY-SA")


WRONG = [
    ("p.jsonl", b"", "is empty"), ("p.jsonl", b"hello\n", "not a JSON object"), ("p.jsonl", b"[1]\n", "not a JSON"),
    ("p.jsonl", b'{"prompt": "x"}\n', "there is no 'qid'"), ("p.jsonl.gz", b"\x1f\x8b\x08junk", "damaged gzip"),
    ("p.jsonl", json.dumps({**HUB, "question": 3}).encode(), "'question' is 3, not text"),
    ("p.jsonl", json.dumps({**HUB, "qid": "x"}).encode(), "'qid' is 'x'"),
    ("p.jsonl", json.dumps({**HUB, "response_k": HUB["response_j"]}).encode(), "no pair of two different answers"),
    ("p.jsonl", b'"' + b"x" * 2**21, "a line of more than 1 MB"), ("p.parquet", b"PAR1junkPAR1", "damaged parquet"),
    ("p.jsonl", b"\xff\xfe\0\0", "not a JSON object"), ("site.7z", b"7z\xbc\xaf'\x1c", "7z x site.7z Posts.xml"),
]


@pytest.mark.parametrize(("name", "content", "said"), WRONG, ids=[said for *_, said in WRONG])
def test_a_file_that_is_wrong(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=r"^[^\n]+$") as caught:
        Stack.read(tmp_path / name)
    assert said in str(caught.value)
    assert name in str(caught.value)


def test_folders_that_are_wrong(tmp_path):
    with pytest.raises(FileError, match=r"without \.jsonl or \.parquet files"):
        Stack.read(tmp_path)
    (tmp_path / CLAIM).write_text("{}")
    with pytest.raises(FileError, match="conversion that was stopped"):
        Stack.read(tmp_path)
    with pytest.raises(FileError, match="does not exist"):
        Stack.read(tmp_path / "nowhere" / "p.parquet")


def test_a_parquet_file_without_the_columns(tmp_path):
    paired.write_rows(tmp_path / "p.parquet", [{"qid": 1, "text": "x"}], {"qid": int, "text": str})
    with pytest.raises(FileError, match=r"has no column 'question', 'response_j', 'response_k'; it has 'qid', 'text'"):
        Stack.read(tmp_path / "p.parquet")


# The hub

def test_without_a_network_a_name_of_the_hub_is_refused_in_one_line():
    with pytest.raises(FileError, match=r"^lvwerra/stack-exchange-paired is no file here, and cannot be read from "
                                        r"the hub \([^\n]+\)\. Check the name or the network[^\n]+$"):
        Stack.read("lvwerra/stack-exchange-paired", limit=10)


def test_a_set_of_the_hub_needs_a_limit_and_gives_the_first_questions(monkeypatch):
    import datasets
    asked = []

    def load_dataset(name, **options):
        asked.append((name, options))
        return iter([{**HUB, "qid": qid // 2, "response_k": str(qid)} for qid in range(1000)])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(FileError, match="Say how many questions with limit"):
        Stack.read("lvwerra/stack-exchange-paired")
    stack = Stack.read("lvwerra/stack-exchange-paired", limit=30, held_out=0)
    assert Counter(len(one.pairs) for one in stack.train) == {2: 30}
    assert asked == [("lvwerra/stack-exchange-paired", {"split": "train", "streaming": True})]


@pytest.mark.parametrize(("lang", "prompt", "response"), [("en", "Question: why?\n\nAnswer:", " So."),
                                                          ("zh", "问题：why?\n\n回答：", "So.")])
def test_the_template_of_each_language_is_read_back(lang, prompt, response):
    assert prompt_of(" why?\n", lang) == prompt
    assert response_of(" So. ", lang) == response
    assert question_in(prompt) == "why?"
    with pytest.raises(ValueError, match="made by prompt_of"):
        question_in(prompt + " ")
