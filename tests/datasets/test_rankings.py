"""Rankings and pairs from a file: every form, every mishap, and which of them are kept back."""

import gzip
import json

import pytest

from rlhf_kit.datasets.door import as_rankings, bring, for_people
from rlhf_kit.datasets.ranking_files import write_rankings, write_tsv
from rlhf_kit.datasets.rankings import as_ranking, hold_out, read_comparisons, read_rankings, texts_of
from rlhf_kit.datasets.reading import FileError, read_rows, same_text
from rlhf_kit.formulas.records import Comparison, Ranking

LISTS = [Ranking("", (f"best {i}", f"fair {i}", f"worst {i}"), (1, 2, 3)) for i in range(8)]
TSV = "".join("\t".join(one.responses) + "\n" for one in LISTS)
JSONL = "".join(json.dumps({"responses": one.responses}) + "\n" for one in LISTS)
ARRAY = json.dumps([{"prompt": None, "responses": one.responses, "ranks": [1, 2, 3]} for one in LISTS], indent=1)
HUMAN, ASSISTANT = "\n\nHuman:", "\n\nAssistant:"


def save(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(*found: dict) -> str:
    """JSON lines, of which four more at the end are sound."""
    more = [{"prompt": f"p {i}", "responses": ["a", "b"], "chosen": "a", "rejected": "b"} for i in range(4)]
    return "".join(json.dumps(row) + "\n" for row in (*found, *more))


# Lists

@pytest.mark.parametrize(("name", "content"), [
    ("x.tsv", TSV), ("x.TXT", TSV), ("x.tsv.gz", gzip.compress(TSV.encode(), mtime=0)),
    ("x.tsv", TSV.replace("\n", "\r\n")),
    ("x.tsv", TSV.replace("\n", "\r")), ("x.tsv", b"\xef\xbb\xbf" + TSV.encode()), ("x.tsv", TSV.encode("utf-16")),
    ("x.tsv", TSV.replace("\n", "\n\n").rstrip()),
    ("x.tsv", TSV.replace("best", " best  ").replace("fair", "\u200bfair")), ("x.jsonl", JSONL),
    ("x.jsonl.gz", gzip.compress(JSONL.encode(), mtime=0)), ("x.json", ARRAY)])
def test_the_same_lists_in_every_dress(tmp_path, name, content):
    assert read_rankings(save(tmp_path, name, content)) == LISTS


def test_chinese_as_old_windows_programs_write_it(tmp_path):
    text = "".join(f"很好的第{i}个\t一般的第{i}个\t很差的第{i}个\r\n" for i in range(8))
    found = read_rankings(save(tmp_path, "x.tsv", text.encode("gb18030")))
    assert found[3].responses == ("很好的第3个", "一般的第3个", "很差的第3个")


def test_ranks_may_be_in_any_order_and_tie_and_k_may_differ(tmp_path):
    first = {"prompt": "p", "responses": ["a", "b", "c"], "ranks": [2, 1, 2]}
    found = read_rankings(save(tmp_path, "x.jsonl", rows(first)))
    assert found[0] == Ranking("p", ("a", "b", "c"), (2, 1, 2))
    assert [len(one.responses) for one in found] == [3, 2, 2, 2, 2]


def test_a_list_that_is_all_ties_says_nothing_and_is_left_out(tmp_path):
    path = save(tmp_path, "x.jsonl", rows({"prompt": "tie", "responses": ["a", "b"], "ranks": [1, 1]}))
    assert [one.prompt for one in read_rankings(path)] == [f"p {i}" for i in range(4)]


def test_what_the_kit_wrote_it_reads(tmp_path):
    ranked = [Ranking(f"p {i}\n", ("one\ttwo", "three\nfour", " "[:0] + "五"), (1, 2, 1 + i % 2)) for i in range(6)]
    write_rankings(tmp_path / "x.jsonl", ranked)
    write_tsv(tmp_path / "x.tsv", LISTS)
    assert read_rankings(tmp_path / "x.jsonl") == ranked
    assert read_rankings(tmp_path / "x.tsv") == LISTS


def test_lines_keep_their_numbers_and_their_tabs(tmp_path):
    assert read_rows(save(tmp_path, "x.tsv", "a\tb\n\n \t \n\tc\t\n")) == [(1, "a\tb"), (4, "\tc\t")]


def test_one_odd_line_in_twenty_is_left_out_and_more_are_too_many(tmp_path):
    sound = [f"good {i}\tbad {i}\n" for i in range(199)]
    odd = [f"one text, number {i}\n" for i in range(12)]
    found = read_rankings(save(tmp_path, "x.tsv", "".join([*sound[:80], odd[0], *sound[80:]])))
    assert [one.responses[0] for one in found] == [f"good {i}" for i in range(199)]
    with pytest.raises(FileError, match=r"line 11: 1 texts where most lines have 2 .*12 of the first 200") as caught:
        read_rankings(save(tmp_path, "x.tsv", "".join([*sound[:10], *odd, *sound[:178]])))
    assert caught.value.line == 11


@pytest.mark.parametrize(("content", "said"), [
    ("a\tb\nc\td\te\nf\tg\nh\ti\n", "line 2: 3 texts where most lines have 2 (a tab or a line break inside a text?)"),
    ("a\tb\nc\td\ne\nf\tg\nh\ti\n", "line 3: 1 texts"), ("a\tb\nc\t\nf\tg\nh\ti\n", "line 2: an empty response"),
    ("a\tb\n\u200b\td\nf\tg\nh\ti\n", "line 2: an empty response"),
    ("a\tb\nc\tＣ \nf\tg\nh\ti\n", "line 2: the same response twice in one ranking"),
    ("a\nb\nc\nd\n", "line 1: holds one text a line"), ("a\tb\n", "holds 1 rankings; at least 4 are needed"),
    ("", "is empty"), (" \t\n\n", "is empty"), ("x" * 200_000 + "\tb\n", "more than 131,072"),
    ("prompt\tchosen\trejected\na\tb\tc\n", "line 1: names the columns of pairs"),
    (b"\xff\xff\t\x81 \n" * 9, "neither UTF-8 nor GB18030"), (b"a\t\0\n", "a NUL character"),
    (b"\x1f\x8b\x08broken", "damaged gzip")])
def test_lists_that_cannot_be_used(tmp_path, content, said):
    with pytest.raises(FileError) as caught:
        read_rankings(save(tmp_path, "x.tsv", content))
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "x.tsv"))


@pytest.mark.parametrize(("row", "said"), [
    ({"responses": "ab"}, "'responses' is 'ab', not a list of texts"), ({"responses": None}, "not a list of texts"),
    ({"responses": ["a", 5]}, "not a list of texts"), ({"responses": {"a": "b"}}, "not a list"),
    ({"responses": ["a"]}, "1 response; a ranking compares at least 2"), ({"responses": []}, "0 response"),
    ({"responses": ["a", " "]}, "an empty response"), ({"responses": ["Ａ b", "a  B"]}, "the same response twice"),
    ({"responses": ["a", "b"], "ranks": [1.0, 2]}, "expected 2 whole numbers, 1 for the best"),
    ({"responses": ["a", "b"], "ranks": ["1", "2"]}, "whole numbers"),
    ({"responses": ["a", "b"], "ranks": [True, False]}, "whole numbers"),
    ({"responses": ["a", "b"], "ranks": [1]}, "whole numbers"),
    ({"responses": ["a", "b"], "ranks": 1}, "whole numbers"),
    ({"responses": ["a", "b"], "prompt": 0}, "'prompt' is 0, not text"),
    ({"responses": ["a", "b"], "prompt": []}, "'prompt' is [], not text"),
    ({"responses": ["a", "\ud83d"]}, "half of a character"),
    ({"responses": ["a", "b"], "prompt": "\udc00"}, "half of a character"),
    ({"responses": ["a", "x" * 200_000]}, "more than 131,072")])
def test_a_row_that_is_no_ranking(tmp_path, row, said):
    with pytest.raises(FileError, match="line 1: ") as caught:
        read_rankings(save(tmp_path, "x.jsonl", rows(row)))
    assert said in str(caught.value)


# Pairs

def test_pairs_with_a_prompt_and_perhaps_a_margin(tmp_path):
    expected = [Comparison("p", f"good {i}", "bad", margin) for i, margin in enumerate((0.5, None, 2.0, 0.0))]
    table = "prompt,chosen,rejected,margin\n" + "".join(
        f"p,good {i},bad,{margin}\n" for i, margin in enumerate(("0.5", "", "2", "0")))
    lines = [{"prompt": "p", "chosen": one.chosen, "rejected": "bad", "margin": one.margin} for one in expected]
    for name, content in (("x.csv", table), ("x.tsv", table.replace(",", "\t")), ("x.json", json.dumps(lines)),
                          ("x.jsonl", "".join(json.dumps(line) + "\n" for line in lines))):
        assert read_comparisons(save(tmp_path, name, content)) == expected


def dialogue(*turns: str) -> str:
    return "".join((ASSISTANT if i % 2 else HUMAN) + turn for i, turn in enumerate(turns))


HI, MORE = dialogue(" Hi", ""), dialogue(" B", " C")


@pytest.mark.parametrize(("chosen", "rejected", "expected"), [
    (dialogue(" Hi", " Hello."), dialogue(" Hi", " Go away."), (HI, " Hello.", " Go away.")),
    (dialogue(" Hi", " Hello.", " How?", " So."), dialogue(" Hi", " Hello.", " How?", " Som."),
     (dialogue(" Hi", " Hello.", " How?", ""), " So.", " Som.")),
    (dialogue(" Hi", " A", " B", " C"), dialogue(" Hi", " X", " Y", " Z"),              # they part earlier
     (HI, " A" + MORE, " X" + dialogue(" Y", " Z"))),
    (dialogue(" Hi", " A", " B", " C"), dialogue(" Hi", " A"), (HI, " A" + MORE, " A")),        # or end earlier
    (dialogue(" Hi", " A"), dialogue(" Hi", " A", " B", " C"), (HI, " A", " A" + MORE)),
    (dialogue(" Hi", " A"), dialogue(" Ho", " A"), ("", dialogue(" Hi", " A"), dialogue(" Ho", " A"))),
    ("\n\nAssistant A", "\n\nAssistant B", ("", "\n\nAssistant A", "\n\nAssistant B")),
    ("no marker, good", "no marker, bad", ("", "no marker, good", "no marker, bad")),
    (dialogue(" 你好", " 您好。"), dialogue(" 你好", " 走开。"), (dialogue(" 你好", ""), " 您好。", " 走开。"))])
def test_where_a_dialogue_is_cut(tmp_path, chosen, rejected, expected):
    content = rows({"chosen": chosen, "rejected": rejected})
    first = read_comparisons(save(tmp_path, "x.jsonl.gz", gzip.compress(content.encode())))[0]
    assert (first.prompt, first.chosen, first.rejected) == expected
    assert texts_of(first) == (chosen, rejected)


def test_pairs_whose_texts_are_the_same_are_left_out(tmp_path):
    found = read_comparisons(save(tmp_path, "x.jsonl", rows({"chosen": "same", "rejected": "same"}) * 3))
    assert len(found) == 12
    assert all(pair.chosen != pair.rejected for pair in found)


@pytest.mark.parametrize(("row", "said"), [
    ({"chosen": "a", "rejected": " "}, "'chosen' or 'rejected' is empty"), ({"chosen": "a"}, "is empty"),
    ({"chosen": [{"role": "user"}], "rejected": "b"}, "a dialogue is one text with its turns in it"),
    ({"chosen": 0, "rejected": "b"}, "0 is not text"),
    ({"chosen": "a", "rejected": "b", "prompt": []}, "[] is not text"),
    ({"chosen": "a", "rejected": "b", "margin": float("nan")}, "the margin is nan; expected a number, 0 or more"),
    ({"chosen": "a", "rejected": "b", "margin": -1}, "the margin is -1"),
    ({"chosen": "a", "rejected": "b", "margin": "much"}, "the margin is 'much'"),
    ({"chosen": "a", "rejected": "b", "margin": 10**400}, "the margin is 1000"),
    ({"chosen": "a", "rejected": "b", "margin": float("inf")}, "the margin is inf"),
    ({"chosen": "a", "rejected": "\ud800"}, "half of a character"),
    ({"chosen": "a", "rejected": "x" * 200_000}, "more than 131,072")])
def test_a_row_that_is_no_pair(tmp_path, row, said):
    with pytest.raises(FileError, match="line 1: ") as caught:
        read_comparisons(save(tmp_path, "x.jsonl", rows(row)))
    assert said in str(caught.value)


@pytest.mark.parametrize(("read", "row", "said"), [
    (read_rankings, {"answers": ["a"], "response": 1}, "it has 'answers', 'response'. Did you mean 'response'? "
                                                       "Call the right one 'responses'"),
    (read_comparisons, {"choosen": "a", "rejected": "b"}, "Did you mean 'choosen'? Call the right one 'chosen'"),
    (read_comparisons, {"chosen": "a", "reject": "b"}, "Did you mean 'reject'?"),
    (read_comparisons, {"chosen": "a", "rejected": "a"}, "holds 0 pairs whose texts differ; at least 4"),
    (read_rankings, {"chosen": "a", "rejected": "b"}, "holds pairs"),
    (read_comparisons, {"responses": ["a", "b"]}, "holds rankings"),
    (read_rankings, {"responses": ["a", "b"], "rank": [2, 1]}, "did you mean 'rank'?"),
    (read_rankings, {"responses": ["a", "b"], "ranks": [3, 3]}, "holds 0 rankings that are not all ties; at least 4")])
def test_columns_that_are_not_there_and_rows_that_say_nothing(tmp_path, read, row, said):
    path = save(tmp_path, "x.jsonl", (json.dumps(row) + "\n") * 6)
    with pytest.raises(FileError) as caught:
        read(path)
    assert said in str(caught.value)


def either(path):
    return for_people(as_rankings(bring(path, "preferences")))


def test_either_is_told_by_the_columns(tmp_path):
    pairs = save(tmp_path, "pairs.csv", "prompt,chosen,rejected\n" + "p,a,b\n" * 4)
    assert either(pairs) == [as_ranking(pair) for pair in read_comparisons(pairs)]
    assert either(pairs)[0] == Ranking("p", ("a", "b"), (1, 2))
    both = save(tmp_path, "x.jsonl", rows())                          # with responses and with chosen
    assert either(both) == read_rankings(both)
    assert either(save(tmp_path, "x.tsv", TSV)) == LISTS


# Holding out

def prompted(n: int, each: int = 1) -> list[Ranking]:
    return [Ranking(f"prompt {i}", (f"good {i} {j}", f"bad {i} {j}"), (1, 2)) for i in range(n) for j in range(each)]


def test_as_many_as_asked_are_kept_out_and_nothing_is_lost():
    learn, out = hold_out(prompted(100), 20)
    assert len(out) == 20
    assert sorted(map(repr, learn + out)) == sorted(map(repr, prompted(100)))
    assert hold_out(prompted(100), 20) == (learn, out)
    assert hold_out(prompted(100), 100)[0] == []


def test_the_order_of_the_rows_moves_nobody():
    for n in (1, 7, 50):
        one, other = hold_out(prompted(100), n), hold_out(prompted(100)[::-1], n)
        assert [set(side) for side in one] == [set(side) for side in other]


def test_rows_added_later_push_out_no_more_than_they_are_themselves():
    """Nobody who is learnt from is held out because of them; of those held out only as many go as they replace."""
    learn, out = map(set, hold_out(prompted(100), 20))
    later_learn, later_out = map(set, hold_out(prompted(130), 20))
    assert learn <= later_learn
    assert later_out <= out | set(prompted(130)[100:])
    assert len(out - later_out) == len(later_out - out) < 15          # 30 of 130 are new: about 5 of 20 expected


@pytest.mark.parametrize("kind", [Ranking, Comparison])
def test_no_prompt_is_on_both_sides(kind):
    found = prompted(30, each=4)
    found = found if kind is Ranking else [one.pairs()[0] for one in found]
    learn, out = hold_out(found, 10)
    assert not {one.prompt for one in learn} & {one.prompt for one in out}
    assert len(out) == 12                                             # three prompts, each with all that it has
    assert len(learn) + len(out) == 120


def test_no_text_that_is_examined_on_is_learnt_from_not_even_in_another_dress():
    """Without prompts a text may stand in many lists; spaces, case and width do not make it another."""
    lists = [Ranking("", (f"Text {i}", f"text {i + 1}!"), (1, 2)) for i in range(60)]
    lists += [Ranking("", (f"ＴＥＸＴ  {i} ", f"another {i}"), (1, 2)) for i in range(60)]
    learn, out = hold_out(lists, 30)
    tested = {same_text(text) for one in out for text in texts_of(one)}
    assert len(out) == 30
    assert learn
    assert not tested & {same_text(text) for one in learn for text in texts_of(one)}
    dropped = set(lists) - set(learn) - set(out)
    assert dropped
    assert all(tested & {same_text(text) for text in texts_of(one)} for one in dropped)


def test_what_makes_two_texts_the_same():
    assert same_text(" Ｇood\tLamp\u3000!") == same_text("good lamp！") == "goodlamp!"
    assert same_text("good lamp") != same_text("good lamps")
