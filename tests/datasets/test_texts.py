"""Texts, prompts and pairs from a file, and which of them are kept back for the examination."""

import gzip
import json

import pytest

from rlhf_kit.datasets.door import bring
from rlhf_kit.datasets.reading import FileError
from rlhf_kit.datasets.texts import hold_out, read_texts

TEXTS = [f"text number {i}" for i in range(6000)]


def save(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_lines_of_a_text_file_once_each_and_in_order(tmp_path):
    lines = "b\n\n  a  \nb\nc,d\n"
    assert read_texts(save(tmp_path, "x.txt", lines), "any") == ["b", "a", "c,d"]
    assert read_texts(save(tmp_path, "x.TXT.gz", gzip.compress(lines.encode())), "any") == ["b", "a", "c,d"]


@pytest.mark.parametrize(("name", "content"), [
    ("x.csv", 'n,text\n1,"b, b"\n2,a\n3,"b, b"\n4, \n5,"two\nlines"\n'),
    ("x.tsv", "n\ttext\n1\tb, b\n2\ta\n3\tb, b\n4\t \n5\t\"two\nlines\"\n"),
    ("x.jsonl", "\n".join(json.dumps({"text": text}) for text in ("b, b", "a", "b, b", " ", "two\nlines")))])
def test_a_column_of_a_table_once_each_without_empty_cells(tmp_path, name, content):
    assert read_texts(save(tmp_path, name, content), "text") == ["b, b", "a", "two\nlines"]


def test_pairs_keep_what_differs_in_either_column(tmp_path):
    rows = "q,a\none,1\none,2\none,1\n"
    path = save(tmp_path, "x.csv", rows)
    assert bring(path, "examples", {"prompt": "q", "response": "a"}).items == [("one", "1"), ("one", "2")]
    assert bring(path, "examples", {"prompt": "a", "response": "q"}).items == [("1", "one"), ("2", "one")]
    with pytest.raises(FileError, match="line 5: an empty text"):
        bring(save(tmp_path, "x.csv", rows + "two,\n,3\n"), "examples", {"prompt": "q", "response": "a"})


@pytest.mark.parametrize(("rows", "said"), [
    ([{"text": 5}], "5 is not text"), ([{"text": ["a"]}], "is not text"),
    ([{"text": "x" * 200_000}], "more than 131,072"),
    ([{"text": None}], "no row with text in 'text'"), ([{"texts": "a"}], "Did you mean 'texts'")])
def test_what_is_no_column_of_texts(tmp_path, rows, said):
    path = save(tmp_path, "x.jsonl", "\n".join(map(json.dumps, rows)))
    with pytest.raises(FileError, match=said):
        read_texts(path, "text")


def test_one_odd_row_in_twenty_is_left_out_and_more_are_too_many(tmp_path):
    rows = [{"text": f"text {i}"} for i in range(198)]
    odd = json.dumps({"text": 5})
    lines = [json.dumps(row) for row in rows]
    assert len(read_texts(save(tmp_path, "x.jsonl", "\n".join([odd, *lines, odd])), "text")) == 198
    with pytest.raises(FileError, match="line 1: 5 is not text"):
        read_texts(save(tmp_path, "x.jsonl", "\n".join([odd, odd, *lines[:30]])), "text")


def test_about_a_tenth_is_held_out_and_nothing_is_lost():
    learn, held_out = hold_out(TEXTS[:3000])
    assert 250 < len(held_out) < 350                              # 300 expected, deviation 16
    assert sorted(learn + held_out) == sorted(TEXTS[:3000])
    assert not set(learn) & set(held_out)


def test_rows_added_later_or_in_another_order_move_nobody():
    before_learn, before_out = hold_out(TEXTS[:1000])
    learn, held_out = hold_out(TEXTS[3000:999:-1] + TEXTS[:1000])
    assert set(before_learn) <= set(learn)
    assert set(before_out) <= set(held_out)


@pytest.mark.parametrize("most", [500, 7])
def test_no_prompt_is_on_both_sides_also_when_the_limit_cuts_between_its_pairs(most):
    pairs = [(text, "yes") for text in TEXTS] + [(text, "no") for text in TEXTS]
    learn, held_out = hold_out(pairs, most=most)
    assert len(held_out) == most
    assert not {prompt for prompt, _ in learn} & {prompt for prompt, _ in held_out}
    assert len(learn) > 10_000


def test_too_few_to_keep_one_back():
    assert hold_out(["one"]) == (["one"], ["one"])
    assert hold_out(["one", "two"], share=0.0) == (["one", "two"], ["one", "two"])
    assert hold_out(["one", "two"], share=1.0) == (["one", "two"], ["one", "two"])
