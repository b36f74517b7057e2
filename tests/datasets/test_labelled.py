"""A user's own file becomes a task, or one line says why not. The files here are made up."""

import csv
import gzip
import json
import time

import pytest

from rlhf_kit.datasets import reading
from rlhf_kit.datasets.labelled import FileError, FileReviews
from rlhf_kit.datasets.openings import cutter

WORDS = ["red", "blue", "green", "small", "large", "early", "late", "warm", "cold", "plain"]


def english(n: int = 80) -> list[tuple[str, str]]:
    """n different reviews with labels 0, 1, 0, 1, ..."""
    return [(f"The {WORDS[i % 10]} {WORDS[i // 10 % 10]} lamp that came is number {i} of them all",
             str(i % 2)) for i in range(n)]


def chinese(n: int = 80) -> list[tuple[str, str]]:
    places, things = "东西南北上下左右前后", "灯桌椅床柜杯碗盘锅壶"
    return [(f"放在{places[i % 10]}边的{things[i // 10 % 10]}子收到了，用了{i}天感觉很好用", str(i % 2))
            for i in range(n)]


def table(rows, header=("text", "label"), delimiter=",") -> str:
    return "".join(delimiter.join(row) + "\n" for row in [header, *rows])


def save(folder, content: str | bytes, name: str = "reviews.csv"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path, **options) -> FileError:
    """The error of reading this file; it is one line and names the file."""
    with pytest.raises(FileError) as caught:
        FileReviews.read(path, **options)
    assert caught.value.path == path
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    return caught.value


# The task

def test_a_file_becomes_a_task(tmp_path):
    reviews = FileReviews.read(save(tmp_path, table(english(80)), "my_lamps.csv"))
    assert (reviews.name, reviews.lang, reviews.rows) == ("my_lamps", "en", 80)
    everything = reviews.labelled(split="train") + reviews.labelled(split="heldout")
    assert sorted(everything) == sorted((text, int(label)) for text, label in english(80))


def test_no_text_is_in_two_splits_or_two_halves(tmp_path):
    copies = [(f" {text.upper()}  ", label) for text, label in english(300)]      # but for case and spaces
    reviews = FileReviews.read(save(tmp_path, table(english(300) + copies)), heldout=0.2)
    first, second = (reviews.labelled(half=half) for half in (0, 1))
    heldout = reviews.labelled(split="heldout")
    parts = [{text.upper() for text, _ in part} for part in (first, second, heldout)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 300
    assert sorted(first + second) == sorted(reviews.labelled())
    assert 30 < len(parts[2]) < 90                                                # 60 expected
    assert 80 < len(parts[0]) < 160                                               # 120 expected


def test_rows_added_later_move_nobody(tmp_path):
    before = FileReviews.read(save(tmp_path, table(english(60))))
    after = FileReviews.read(save(tmp_path, table(english(100)[::-1])))
    assert set(before.corpus()) <= set(after.corpus())
    assert set(before.corpus(split="heldout")) <= set(after.corpus(split="heldout"))


def test_seeds_repeat_and_differ(tmp_path):
    path = save(tmp_path, table(english(80)))
    reviews = FileReviews.read(path)
    assert reviews.corpus(9, seed=1) == FileReviews.read(path).corpus(9, seed=1) != reviews.corpus(9, seed=2)
    assert reviews.prompts(n=9, seed=1) == FileReviews.read(path).prompts(n=9, seed=1)
    assert set(FileReviews.read(path, seed=5).corpus()) != set(reviews.corpus())
    assert len(reviews.corpus(10_000)) == len(reviews.corpus())                   # at most n


def test_copies_and_contradictions(tmp_path):
    torn = "so so, all things considered"
    rows = [*english(60), *english(3), (torn, "0"), (torn, "1")]
    rows = [(f'"{text}"', label) for text, label in rows]
    reviews = FileReviews.read(save(tmp_path, table(rows)))
    assert dict(reviews.skipped) == {"repeated": 3, "copies whose labels contradict each other": 2}
    assert not any("so so" in text for text in reviews.texts)


def test_without_labels(tmp_path):
    path = save(tmp_path, table(english(60)))
    reviews = FileReviews.read(path, label=None)
    assert len(reviews.corpus()) + len(reviews.corpus(split="heldout")) == 60
    with pytest.raises(FileError, match="--label"):
        reviews.labelled()


def test_summary_says_what_was_left_out(tmp_path):
    rows = [*english(60), ("", "1"), ("No label here", ""), *english(2)]
    shown = FileReviews.read(save(tmp_path, table(rows))).summary()
    for part in ("64 rows", "60 different", "30 positive and 30 negative", "UTF-8", "1 without text",
                 "1 without a label", "2 repeated"):
        assert part in shown


@pytest.mark.parametrize("wrong", [
    lambda reviews: reviews.corpus(split="test"), lambda reviews: reviews.labelled(half=2),
    lambda reviews: reviews.labelled(split="heldout", half=0), lambda reviews: reviews.corpus(-1)])
def test_wrong_arguments_are_named(tmp_path, wrong):
    reviews = FileReviews.read(save(tmp_path, table(english(60))))
    with pytest.raises(ValueError, match="expected"):
        wrong(reviews)


def test_wrong_options_are_named(tmp_path):
    path = save(tmp_path, table(english(60)))
    with pytest.raises(ValueError, match="heldout is 1"):
        FileReviews.read(path, heldout=1)
    with pytest.raises(ValueError, match="prompt_length is 1"):
        FileReviews.read(path, prompt_length=1)


# Prompts

def test_english_prompts_are_openings_of_three_to_six_words(tmp_path):
    reviews = FileReviews.read(save(tmp_path, table(english(300))))
    prompts = reviews.prompts()
    assert len(prompts) == len(set(prompts)) > 50
    for prompt in prompts:
        assert 3 <= len(prompt.split()) <= 6
        assert any(text.startswith(prompt + " ") for text in reviews.corpus())
    assert not set(prompts) & set(reviews.prompts("heldout"))


def test_chinese_prompts_are_openings_of_four_to_eight_characters(tmp_path):
    reviews = FileReviews.read(save(tmp_path, table(chinese(300))))
    prompts = reviews.prompts()
    assert reviews.lang == "zh"
    assert len(prompts) == len(set(prompts)) > 8
    for prompt in prompts:
        assert 4 <= len(prompt) <= 8
        assert any(text.startswith(prompt) and len(text) > len(prompt) + 4 for text in reviews.corpus())


@pytest.mark.parametrize(("review", "prompt"), [
    ("快递很快，东西也没有坏", "快递很快"),                       # the mark stays out of the prompt
    ("新买的手机壳。颜色和图片上一样", "新买的手机壳"),
    ("很好，送货也快！下次还来买东西", "很好，送货也快"),
    ("我买了一个samsungmobile很久了", "我买了一个"),              # not inside a Latin word
    ("我买了12345678个小东西回来", ""),                          # nor in a number; 3 are too few
    ("我等了他3.5个小时才送到", "我等了他"),
    ("12345678，电话打不通啊真的", ""),                           # only digits
    ("……！！！——太难吃了不会再买", ""),                           # only punctuation
    ("啊啊啊啊啊啊啊，真的太好用了", ""),                         # one character
    ("包装很好", ""), ("包装很好！！！！！！", ""),               # the whole review
    ("看完《红楼梦新解》这本书很有收获", ""),                     # would leave a title open
])
def test_where_chinese_is_cut(review, prompt):
    assert cutter("zh", 8, (review,))(review) == prompt


@pytest.mark.parametrize(("review", "prompt"), [
    ("We bought two chairs, both arrived broken", "We bought two chairs"),
    ("Too small (for my taste) and too dear", "Too small (for my taste)"),
    ("Nobody told me \"no returns\" when I bought it", "Nobody told me"),
    ("I love <br /> it and so does all of my family", ""),
    ("Great product", ""), ("5 5 5 5 5 5 5 5 5 5", ""), ("Fine for that day!!!", ""),
])
def test_where_english_is_cut(review, prompt):
    assert cutter("en", 6, (review,))(review) == prompt


def test_cuts_fall_between_words_that_come_apart_elsewhere(tmp_path):
    """手机 always stands together and what follows it varies, so no prompt ends between 手 and 机."""
    rows = [(f"我刚买的手机{a}{b}东西大家都说好", str(i % 2)) for i, (a, b) in
            enumerate((a, b) for a in "红黄蓝绿白黑紫灰粉橙" for b in "山水石木火土金风雨雪")]
    prompts = FileReviews.read(save(tmp_path, table(rows))).prompts()
    assert prompts
    assert not any(prompt.endswith("手") for prompt in prompts)


def test_a_prompt_is_no_whole_review_and_length_is_an_option(tmp_path):
    rows = [*english(80), ("The red red lamp", "1")]
    reviews = FileReviews.read(save(tmp_path, table(rows)), prompt_length=4)
    assert all(2 <= len(prompt.split()) <= 4 for prompt in reviews.prompts())
    assert not set(reviews.prompts()) & set(reviews.texts)


def test_reviews_too_short_for_prompts(tmp_path):
    rows = [(f"item{i}", label) for i, (_, label) in enumerate(english(80))]
    reviews = FileReviews.read(save(tmp_path, table(rows)))
    with pytest.raises(FileError, match="longer reviews"):
        reviews.prompts()


# Labels

@pytest.mark.parametrize(("bad", "good"), [
    ("0", "1"), ("-1", "1"), ("Negative", "POSITIVE"), ("neg", "pos"), ("负面", "正面"), ("差评", "好评"),
    ("False", "True"), ("0.0", "1.0"), (" 0", "１"), ("1", "5"), ("2", "4")])
def test_families_of_labels(tmp_path, bad, good):
    rows = [(text, (bad, good)[int(label)]) for text, label in english(60)]
    marks = {text: int(label) for text, label in english(60)}
    assert all(mark == marks[text] for text, mark in FileReviews.read(save(tmp_path, table(rows))).labelled())


def test_ratings(tmp_path):
    rows = [(text, str(1 + i % 5)) for i, (text, _) in enumerate(english(100))]
    reviews = FileReviews.read(save(tmp_path, table(rows)))
    assert (reviews.labels.count(0), reviews.labels.count(1)) == (40, 40)
    assert "20 rated 3" in reviews.summary()


def test_json_labels_of_any_type(tmp_path):
    for bad, good in ((0, 1), (False, True), (0.0, 1.0), (1, 5)):
        lines = [json.dumps({"text": text, "label": (bad, good)[int(label)]}) for text, label in english(60)]
        reviews = FileReviews.read(save(tmp_path, "\n".join(lines), "a.jsonl"))
        assert reviews.labels.count(1) == 30


def test_positive_names_the_good_one(tmp_path):
    path = save(tmp_path, table([(text, ("meh", "Wow")[int(label)]) for text, label in english(60)]))
    assert FileReviews.read(path, positive="wow").labels == tuple(int(label) for _, label in english(60))
    assert FileReviews.read(path, positive="meh").labels == tuple(1 - int(label) for _, label in english(60))
    assert "'meh' (30 times), 'wow' (30 times)" in str(refusal(path))
    assert "--positive great" in str(refusal(path, positive="great"))


def test_one_and_two_need_to_be_told_apart(tmp_path):
    """1/2 are two bad ratings for us; in some corpora 2 means good."""
    path = save(tmp_path, table([(text, str(1 + int(label))) for text, label in english(60)]))
    assert "--positive" in str(refusal(path))
    assert FileReviews.read(path, positive=2).labels.count(1) == 30


def test_strange_labels_are_listed_with_a_line(tmp_path):
    rows = [(text, f"kind {i % 8}") for i, (text, _) in enumerate(english(80))]
    assert "and 3 more" in str(refusal(save(tmp_path, table(rows))))
    rows = [*english(60), ("Only one odd label in the file", "2")]
    error = refusal(save(tmp_path, table(rows)))
    assert error.line == 62
    assert "'2' (1 times)" in str(error)


def test_one_class_only(tmp_path):
    path = save(tmp_path, table([(text, "1") for text, _ in english(80)]))
    assert "every review is positive" in str(refusal(path))
    rows = [(text, str(int(i < 1))) for i, (text, _) in enumerate(english(80))]
    assert "only 1 positive" in str(refusal(save(tmp_path, table(rows))))


# Shapes of file

@pytest.mark.parametrize("name", ["r.tsv", "r.txt", "r", "r.CSV"])
def test_delimiters(tmp_path, name):
    delimiter = "," if name.endswith("CSV") else "\t"
    assert FileReviews.read(save(tmp_path, table(english(60), delimiter=delimiter), name)).rows == 60
    assert FileReviews.read(save(tmp_path, table(english(60), delimiter=";"), name)).rows == 60


@pytest.mark.parametrize(("name", "joint", "ends"), [
    ("r.jsonl", "\n", ""), ("r.json", "\n\n", ""), ("r", "\n", ""), ("r.json", ",\n", "[]"),
    ("r", ",", "[]")])
def test_json_lines_and_arrays(tmp_path, name, joint, ends):
    lines = [json.dumps({"text": text, "label": label, "more": [1, {}]}) for text, label in english(60)]
    assert FileReviews.read(save(tmp_path, ends[:1] + joint.join(lines) + ends[1:], name)).rows == 60


@pytest.mark.parametrize("name", ["r.csv.gz", "r.csv", "r.gz", "r"])
def test_gzip_is_known_by_its_bytes(tmp_path, name):
    path = save(tmp_path, gzip.compress(table(english(60)).encode()), name)
    assert FileReviews.read(path).rows == 60
    assert FileReviews.read(save(tmp_path, table(english(60)), name)).rows == 60  # plain under a .gz name


@pytest.mark.parametrize("damage", [lambda raw: raw[:-30], lambda raw: raw[:40] + b"\0" * 40 + raw[80:],
                                    lambda raw: raw[:9], lambda raw: raw + b"rubbish"])
def test_damaged_gzip(tmp_path, damage):
    error = refusal(save(tmp_path, damage(gzip.compress(table(english(60)).encode())), "r.csv.gz"))
    assert "damaged gzip" in str(error)


def test_a_gzip_bomb_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LARGEST_FILE", 2**20)
    assert "more than 1 MB" in str(refusal(save(tmp_path, gzip.compress(b"a" * 2**22), "r.csv.gz")))


@pytest.mark.parametrize(("encoding", "shown"), [
    ("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("utf-16", "UTF-16"),
    ("gb18030", "GB18030 (it is not valid UTF-8)")])
def test_encodings(tmp_path, encoding, shown):
    reviews = FileReviews.read(save(tmp_path, table(chinese(60)).encode(encoding)))
    assert reviews.encoding == shown
    assert shown in reviews.summary()
    assert {text for text, _ in chinese(60)} == set(reviews.texts)


def test_utf16_of_either_order(tmp_path):
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert FileReviews.read(save(tmp_path, mark + table(chinese(60)).encode(encoding))).lang == "zh"


def test_one_bad_byte_does_not_make_it_gb18030(tmp_path):
    raw = table(chinese(60)).encode()
    reviews = FileReviews.read(save(tmp_path, raw[:200] + b"\xff" + raw[201:]))
    assert "UTF-8 with" in reviews.summary()
    assert len({text for text, _ in chinese(60)} & set(reviews.texts)) >= 58


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_line_ends(tmp_path, end):
    reviews = FileReviews.read(save(tmp_path, table(english(60)).replace("\n", end)))
    assert set(reviews.texts) == {text for text, _ in english(60)}


@pytest.mark.parametrize(("content", "said"), [
    (b"", "is empty"),
    (b"\xef\xbb\xbf\r\n \n", "is empty"),
    (b"text,label\n", "header line and no rows"),
    (b"text,label\ngood,1\nb\0d,0\n", "line 3: a NUL"),
    ("text,label\n".encode("utf-16-le"), "NUL"),
    (b"PK\x03\x04\0\0\0\0", "a spreadsheet, an archive"),
    (b"\xff\xfet\0e\0x", "UTF-16 damaged"),
    (b"\x89PNG\r\n\x1a\n" + b"\xff\xfe\xfd\x80" * 99, "neither UTF-8 nor GB18030"),
    (bytes(range(256)) * 20, "neither UTF-8 nor GB18030"),
    (b"\x01\x02\x03" * 99, "control characters"),
    (b"[", "array is broken"),
])
def test_what_is_not_a_usable_text_file(tmp_path, content, said):
    assert said in str(refusal(save(tmp_path, content, "r.json" if content == b"[" else "r.csv")))


def test_missing_file_and_folder(tmp_path):
    assert "does not exist" in str(refusal(tmp_path / "nothing.csv"))
    assert "is a folder" in str(refusal(tmp_path))


def test_too_few_rows(tmp_path):
    assert "49 usable reviews in 50 rows (1 repeated)" in str(
        refusal(save(tmp_path, table([*english(49), english(1)[0]]))))


# Columns

def test_missing_column_lists_and_suggests(tmp_path):
    path = save(tmp_path, table(english(60), header=("Review", "labl")))
    assert str(refusal(path, text="review")) == (
        f"{path} has no column 'review'; it has 'Review', 'labl'. Did you mean 'Review'? Name the right one "
        f"with --text-column, or add a header line if there is none.")
    assert "Did you mean 'labl'? Name the right one with --label" in str(refusal(path, text="Review"))
    assert "Did you mean" not in str(refusal(path, text="qqqqq"))


def test_missing_column_in_json_lists_the_keys(tmp_path):
    lines = [json.dumps({"body": text, "stars": 5}) for text, _ in english(60)]
    assert "it has 'body', 'stars'" in str(refusal(save(tmp_path, "\n".join(lines), "r.jsonl")))


def test_a_column_named_twice_or_both_options_alike(tmp_path):
    rows = [(text, text, label) for text, label in english(60)]
    path = save(tmp_path, table(rows, header=("text", "text", "label")))
    assert "2 columns 'text'" in str(refusal(path))
    assert "both 'text'" in str(refusal(path, label="text"))


# Blemishes

def test_stray_characters_are_tidied(tmp_path):
    rows = [*english(60), ("\u200bThe\u00a0 \x07old\u3000lamp\ufeff &amp; \t its\x85 shade \ue00e ", " 1 ")]
    reviews = FileReviews.read(save(tmp_path, table(rows)))
    assert "The old lamp &amp; its shade" in reviews.texts


def test_lone_surrogates_of_json_go(tmp_path):
    lines = [json.dumps({"text": text + " \ud83d", "label": label}) for text, label in english(60)]
    reviews = FileReviews.read(save(tmp_path, "\n".join(lines), "r.jsonl"))
    assert set(reviews.texts) == {text for text, _ in english(60)}


def test_quotes_commas_and_newlines_inside_cells(tmp_path):
    hard = 'He said "fine, really"\nand then, at last, it broke'
    with open(tmp_path / "r.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), (hard, 0), *english(60), ("last\nline odd", 7)])
    error = refusal(tmp_path / "r.csv")
    assert error.line == 64                                       # line ends inside cells are counted
    (tmp_path / "r.csv").write_text((tmp_path / "r.csv").read_text().replace(",7\n", ",1\n"))
    assert " ".join(hard.split()) in FileReviews.read(tmp_path / "r.csv").texts


def test_a_tsv_whose_writer_never_quoted(tmp_path):
    rows = [(f'"{text}" he said', label) for text, label in english(60)] + [('"It never closes', "1")]
    reviews = FileReviews.read(save(tmp_path, table(rows, delimiter="\t"), "r.tsv"))
    assert len(reviews.texts) == 61
    assert '"It never closes' in reviews.texts
    assert "quotes taken as plain characters" in reviews.summary()


@pytest.mark.parametrize("bad", ["just text", "a,b,1", '"a "quote" inside",1', '"never closes,1',
                                 "x" * 140_000 + ",1"])
def test_bad_csv_rows_are_skipped_up_to_one_in_twenty(tmp_path, bad):
    lines = table((f'"{text}, they say"', label) for text, label in english(400)).splitlines()
    reviews = FileReviews.read(save(tmp_path, "\n".join([*lines[:30], bad, *lines[30:]])))
    assert "1 malformed" in reviews.summary()
    assert len(reviews.texts) == 400
    error = refusal(save(tmp_path, "\n".join([*lines[:30], *[bad] * 30, *lines[30:]])))
    assert error.line == 31
    assert "line 31: " in str(error)


@pytest.mark.parametrize("bad", ['{"text": "cut', "[1, 2]", '"text"', "[" * 9000,
                                 '{"text": ' + "9" * 9000 + "}", '{"text": ["a", "b"], "label": 1}'])
def test_bad_json_lines_are_skipped_up_to_one_in_twenty(tmp_path, bad):
    lines = [json.dumps({"text": text, "label": label}) for text, label in english(400)]
    reviews = FileReviews.read(save(tmp_path, "\n".join([*lines[:30], bad, *lines[30:]]), "r.jsonl"))
    assert "1 malformed" in reviews.summary()
    error = refusal(save(tmp_path, "\n".join([*lines[:30], *[bad] * 30, *lines[30:]]), "r.jsonl"))
    assert error.line == 31
    assert len(str(error)) < 400 + len(str(tmp_path))


def test_a_bad_item_of_an_array_has_its_line(tmp_path):
    items = [json.dumps({"text": text, "label": label}) for text, label in english(60)]
    for bad in (["3"] * 5, ["oops"]):
        content = "[\n" + ",\n".join([*items[:20], *bad, *items[20:]]) + "\n]"
        assert refusal(save(tmp_path, content, "r.json")).line == 22


def test_ten_megabytes_in_a_line_and_many_stray_quotes_take_no_time(tmp_path):
    began = time.process_time()
    long = "x" * 10_000_000
    for row in (f"{long},1", f'"{long}",1', f'"{long}'):
        assert "1 malformed" in FileReviews.read(save(tmp_path, table(english(400)) + row)).summary()
    refusal(save(tmp_path, table([('"stray', "1"), ("a", "0")] * 20_000)))
    assert time.process_time() - began < 4


def test_a_stray_quote_in_a_tsv_swallows_no_rows(tmp_path):
    """Read as quotes, these two would close on each other and hide what is between them."""
    odd = [('"Opens here', "1"), *english(210)[200:], ('and closes "', "1")]
    path = save(tmp_path, table([*english(200), *odd, *english(230)[210:]], delimiter="\t"), "r.tsv")
    assert len(FileReviews.read(path).texts) == 231


def test_a_csv_with_every_cell_quoted_and_one_stray_quote(tmp_path):
    rows = [(f'"{text}"', f'"{label}"') for text, label in english(200)]
    reviews = FileReviews.read(save(tmp_path, table([*rows, ('"a "b" c"', '"1"')])))
    assert set(reviews.texts) == {text for text, _ in english(200)}


def test_nothing_is_written_or_changed(tmp_path):
    path = save(tmp_path, table(english(60)))
    before = path.read_bytes()
    FileReviews.read(path).prompts()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def rated(tmp_path, *marks):
    """Sixty reviews for each of these labels."""
    rows = [(f"{text} {mark} of {n}", mark) for mark in marks for n, (text, _) in enumerate(english(60))]
    return save(tmp_path, table(rows))


@pytest.mark.parametrize(("marks", "read_as"), [
    (("0.5", "2", "3", "4.5"), "good 4.5; bad 0.5, 2; left out 3"),
    (("1", "4", "6", "8", "10"), "good 8, 10; bad 1, 4; left out 6"),
    (("1", "2", "3", "4", "5"), "good 4, 5; bad 1, 2; left out 3")])
def test_half_stars_and_one_to_ten_have_a_middle_that_is_left_out(tmp_path, marks, read_as):
    reviews = FileReviews.read(rated(tmp_path, *marks))
    assert reviews.read_as == read_as
    assert read_as in reviews.summary()


def test_numbers_are_good_from_where_one_says(tmp_path):
    reviews = FileReviews.read(rated(tmp_path, "1", "3", "3.5", "4"), positive_from=3.5)
    assert reviews.read_as == "good 3.5, 4; bad 1, 3"
    assert reviews.labels.count(1) == reviews.labels.count(0) == 120


@pytest.mark.parametrize(("least", "message"), [
    (9, "numbers from 1 to 4, so with --positive-from 9 every review is negative"),
    (0, "every review is positive; a judge needs both. Choose a number between")])
def test_a_threshold_that_all_are_on_one_side_of(tmp_path, least, message):
    assert message in str(refusal(rated(tmp_path, "1", "4"), positive_from=least))


def test_a_threshold_needs_numbers_and_no_other_option(tmp_path):
    path = rated(tmp_path, "bad", "4")
    assert "holds 'bad'; --positive-from 4 expects numbers" in str(refusal(path, positive_from=4))
    assert "one of them says what is good" in str(refusal(path, positive_from=4, positive="4"))


def test_prompts_are_made_shorter_where_reviews_are_short(tmp_path):
    """"Dish7 tasted fine" opens no prompt of three words or more, for nothing would follow."""
    rows = [(f"Dish{n} tasted {('fine', 'sour')[n % 2]}", str(n % 2)) for n in range(80)]
    reviews = FileReviews.read(save(tmp_path, table(rows)))
    assert reviews.longest_prompt == 4                              # from two words on
    assert all(len(reviews.prompts(split)) >= 2 for split in ("train", "heldout"))
