"""What a lesson says of its own numbers: a guess against a result, sentences with numbers, tables."""

import pytest

from rlhf_kit.classroom import telling
from rlhf_kit.classroom.exercises import session
from rlhf_kit.classroom.stored import stored


@pytest.fixture(autouse=True)
def lesson(monkeypatch):
    """A lesson of its own, whose table has one sentence."""
    monkeypatch.setattr(session, "_STATE", {"lang": "en", "lesson": "00"})
    monkeypatch.setattr(telling, "lesson_sentences", lambda lesson: {"en": {"rose": "From {a:.2f} to {b:.2f}."},
                                                                     "zh": {"rose": "从 {a:.2f} 到 {b:.2f}。"},
                                                                     "labels": {"score": "得分"}})


@pytest.mark.parametrize(("guess", "found", "said"), [
    (0.4, 0.412, "you guessed 0.40; it is 0.41."),
    (1, 1.0, "you guessed 1.00, and so it is."),
    (None, 0.412, "you made no guess; it is 0.41."),
    ("higher", "lower", "you guessed higher; it is lower."),
    ("lower", "lower", "you guessed lower, and so it is."),
    ({"b", "a"}, ["a", "b"], "you guessed a, b, and so it is."),
    (["a"], {"b"}, "you guessed a; it is b."),
    ("", "lower", "you made no guess; it is lower."),
    (object, 3, "you guessed <class 'object'>; it is 3."),
])
def test_a_guess_is_held_against_what_came_out(guess, found, said, capsys):
    telling.guessed(guess, found)
    assert capsys.readouterr().out == said + "\n"


def test_several_guesses_are_held_one_by_one(capsys):
    telling.guessed({"SFT": 0.5, "PPO": None}, {"SFT": 0.4, "PPO": 0.6, "plain": 0.2})
    assert capsys.readouterr().out.splitlines() == ["SFT: you guessed 0.50; it is 0.40.",
                                                    "PPO: you made no guess; it is 0.60.",
                                                    "plain: you made no guess; it is 0.20."]


def test_one_none_for_several_results_is_no_guess(capsys):
    telling.guessed(None, {"SFT": 0.4})
    assert capsys.readouterr().out == "SFT: you made no guess; it is 0.40.\n"


def test_a_sentence_is_said_in_the_language_of_the_lesson(capsys):
    telling.tell("rose", a=0.2, b=0.4)
    session._STATE["lang"] = "zh"
    telling.tell("rose", a=0.2, b=0.4)
    telling.guessed(0.5, 0.4)
    assert capsys.readouterr().out.splitlines() == ["From 0.20 to 0.40.", "从 0.20 到 0.40。",
                                                    "你猜的是 0.50；结果是 0.40。"]


def test_columns_are_aligned_where_characters_are_wide(capsys):
    telling.table({"token": ["很", "a"], "V": [0.5, -0.25]}, digits=2)
    assert capsys.readouterr().out.splitlines() == ["token      V", "   很   0.50", "    a  -0.25"]


def test_a_chinese_lesson_says_the_words_of_its_pictures_in_tables_and_beside_guesses_too(capsys):
    for lang in ("en", "zh"):
        session._STATE["lang"] = lang
        telling.table({"": ["score"], "score": [1]})
        telling.guessed({"score": 1}, {"score": 1})
    assert capsys.readouterr().out.splitlines() == [
        "       score", "score      1", "score: you guessed 1, and so it is.",
        "      得分", "得分     1", "得分：你猜的是 1，猜对了。"]


@pytest.mark.parametrize("lesson", ["04a", "04b", "05a", "05b", "05c", "06", "07"])
def test_a_stored_run_says_what_made_it(lesson, monkeypatch):
    monkeypatch.setattr(session, "_STATE", {"lang": "en", "lesson": lesson})
    log = stored()
    assert {"command", "date", "torch"} <= log["about"].keys()
    assert log["parts"]


def test_a_lesson_without_a_stored_run_says_so():
    with pytest.raises(ValueError, match="lesson 00 comes without a stored run"):
        stored()


def test_the_stored_runs_are_whole():
    """Three seeds of two Grows; of best-of-n every n, and gold itself is the best that can choose."""
    logs = {}
    for lesson in ("04a", "04b"):
        session._STATE["lesson"] = lesson
        logs[lesson] = stored()
    curves = logs["04a"]["parts"]["draws"]["curves"]
    assert all(len(curve) == logs["04a"]["about"]["n"] for curve in curves.values())
    assert all(best[0] >= gold[0] for best, gold in zip(curves["chosen by gold"], curves["gold"], strict=True))
    scores = [mean for mean, _ in curves["score"]]
    assert scores == sorted(scores)
    runs = logs["04b"]["parts"].values()
    assert len(runs) == 3
    for run in runs:
        rows = run["rest"]
        assert [(row["grow"], row["improve"]) for row in rows] == [(g, i) for g in (1, 2) for i in (1, 2, 3)]
        assert [row["kept"] for row in rows[:3]] == sorted((row["kept"] for row in rows[:3]), reverse=True)
        assert [row["reward_calls"] for row in rows] == [row["drawn"] for row in rows[:3]] + [2 * rows[0]["drawn"]] * 3
