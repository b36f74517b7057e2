"""Rankings as others read them, and what a format cannot hold."""

import json

import pytest

from rlhf_kit.datasets.ranking_files import FORMATS, write_rankings, write_trl, write_tsv
from rlhf_kit.datasets.reading import FileError
from rlhf_kit.formulas.records import Ranking
from rlhf_kit.storage import StorageError

STRICT = Ranking("It", (" broke.", " 很好。", ' is "fine".'), (3, 1, 2))
TIED = Ranking("Q", ("a", "b", "c"), (1, 2, 2))


def rows(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_tsv_is_texts_best_first_as_the_article_has_them(tmp_path):
    written = write_tsv(tmp_path / "r.tsv", [STRICT, TIED, Ranking("", ("x", "y"), (2, 1))])
    assert (tmp_path / "r.tsv").read_bytes().decode() == 'It 很好。\tIt is "fine".\tIt broke.\ny\tx\n'
    assert (written.rows, written.left_out) == (2, 1)


@pytest.mark.parametrize("text", ["two\tcells", "two\nlines", "two\rlines", "two\u2028lines", "a\x85b", "", "  "])
def test_a_text_that_a_line_cannot_hold_is_named_and_nothing_is_written(tmp_path, text):
    (tmp_path / "r.tsv").write_text("old")
    with pytest.raises(FileError, match=r"use the format rankings or trl") as error:
        write_tsv(tmp_path / "r.tsv", [STRICT, Ranking("", ("fine", text), (1, 2))])
    assert "\n" not in str(error.value)
    assert repr(text) in str(error.value)
    assert (tmp_path / "r.tsv").read_text() == "old"
    for write in (write_trl, write_rankings):
        write(tmp_path / "r.jsonl", [Ranking("", ("fine", text), (1, 2))])
        assert text in rows(tmp_path / "r.jsonl")[0].values() or text in rows(tmp_path / "r.jsonl")[0]["responses"]


def test_trl_gets_a_pair_a_line_without_ties(tmp_path):
    written = write_trl(tmp_path / "r.jsonl", [TIED, Ranking("It", ("x", "y"), (2, 1))])
    assert rows(tmp_path / "r.jsonl") == [{"prompt": "Q", "chosen": "a", "rejected": "b"},
                                          {"prompt": "Q", "chosen": "a", "rejected": "c"},
                                          {"prompt": "It", "chosen": "y", "rejected": "x"}]
    assert (written.rows, written.left_out) == (3, 1)


def test_json_lines_of_rankings_leave_nothing_out(tmp_path):
    assert write_rankings(tmp_path / "r.jsonl", [STRICT, TIED]).left_out == 0
    assert [Ranking(**row) for row in rows(tmp_path / "r.jsonl")] == [STRICT, TIED]


@pytest.mark.parametrize("write", FORMATS.values())
def test_a_file_that_cannot_be_written_is_one_line(tmp_path, write):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        write(tmp_path / "file" / "r", [STRICT])
