"""Two languages, the same sentences."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from string import Formatter

import pytest

from rlhf_kit import language
from rlhf_kit.language import LANGS, say, sentences, system_language

ROOT = Path(__file__).parents[1]
# Chinese words that once stood beside the glossary's for the same thing, and the glossary's.
OTHER_WORDS = {"基座": "底座", "价钱": "惩罚、代价", "KL 价格": "KL 系数", "评分者": "评审", "评委": "评判",
               "抽样": "采样", "提示词(?!元)": "提示", "自我对话": "自我对弈", "工作台": "工作室", "本工具": "工具包",
               "(?<!概率)比率": "概率比", "(?<!（)评论家": "价值网络", r"[\u4e00-\u9fff] gold\b(?! \()": "真值",
               r"\bnat ?[\u4e00-\u9fff，。]": "奈特"}
TABLES = tomllib.loads((files("rlhf_kit") / "data" / "messages.toml").read_text(encoding="utf-8"))


def fields(sentence: str) -> list[tuple[str, str]]:
    """Each `{name:form}`: the form too, so that both languages give as many digits; not English's one and many."""
    return sorted((name, form) for _, name, form, _ in Formatter().parse(sentence)
                  if name is not None and "|" not in form)


def test_there_is_one_table_a_language():
    assert set(TABLES) == set(LANGS)
    assert sentences("zh") == TABLES["zh"]


def test_both_languages_say_the_same_things():
    assert list(TABLES["en"]) == list(TABLES["zh"])                     # in one order too: easier to keep in step


def test_a_sentence_and_its_translation_have_the_same_fields():
    different = [key for key in TABLES["en"] if fields(TABLES["en"][key]) != fields(TABLES["zh"][key])]
    assert different == []


@pytest.mark.parametrize("lang", LANGS)
def test_every_sentence_can_be_said(lang):
    for key, sentence in TABLES[lang].items():
        spoken = say(lang, key, **{name.split("[")[0]: Half(0.5) for name, _ in fields(sentence)})
        assert spoken.strip(), key
        assert not set("{}") & set(spoken), key


COUNTED = ("rows|lines|files|pairs|prompts|texts|examples|steps|rankings|labels|answers|questions|posts|points|"
           "seeds|updates|ratings|students|comparisons|conversations|others|were|are|have")
NEVER_ONE = {"limit", "least", "enough", "budget", "lm", "reviews", "names", "files", "sizes", "of"}
ONLY_OF_MANY = ("explain_nothing", "curves_smoothed", "curves_last", "card_intervals", "stack_processes",
                "grade_chosen", "frontier_reading_seeds", "labs_over_seeds", "human_alike", "read_cut")


def test_what_is_counted_agrees_with_its_number():
    """No English sentence has a bare count before a plural: it would say "1 rows"."""
    found = [(key, count[0]) for key, sentence in TABLES["en"].items()
             if key not in ONLY_OF_MANY and not key.startswith("overoptimisation_")     # its sizes are hundreds
             for count in re.finditer(rf"\{{(\w+)(?::,)?\}} (?:{COUNTED})\b", sentence)
             if count[1] not in NEVER_ONE]
    assert found == []


def test_a_word_agrees_with_its_count():
    assert say("en", "read_files_all", n=1) == "1 file was read."
    assert say("en", "read_files_all", n=3) == "3 files were read."
    assert say("en", "read_no_token", left_out=1, n=5, limit=9).startswith("1 of 5 examples has no token to learn "
                                                                           "within 9 tokens and was left out.")


class Half(float):
    """A number that also has parts, for fields such as {expected[1]}."""

    def __getitem__(self, part: int) -> "Half":
        return self


def lessons() -> list[str]:
    return sorted(file.name.removesuffix(".toml") for file in (files("rlhf_kit") / "data" / "lessons").iterdir())


@pytest.mark.parametrize("lesson", lessons())
def test_a_lesson_says_the_same_in_both_languages_and_its_labels_in_chinese(lesson):
    table = language.lesson_sentences(lesson)
    assert list(table["en"]) == list(table["zh"])
    for key, sentence in table["en"].items():
        assert fields(sentence) == fields(table["zh"][key]), key
        assert not chinese(sentence), key
        assert chinese(table["zh"][key]) or table["zh"][key] == sentence, key              # a word such as PPO
    assert [label for label in table["labels"] if chinese(label)] == []


def chinese_texts() -> list[Path]:
    """Every file of which readers of Chinese read something, but for the worlds' own words."""
    return [ROOT / "README.zh-CN.md", *(ROOT / "docs/zh").glob("*.md"), *(ROOT / "notebooks/source").glob("*.py"),
            *(ROOT / "rlhf_kit/data").rglob("*.toml"), *(ROOT / "rlhf_kit/studio/words").glob("*.toml"),
            *(ROOT / "rlhf_kit/classroom").rglob("*.py")]


@pytest.mark.parametrize("other", OTHER_WORDS)
def test_one_thing_has_one_chinese_name(other):
    lines = [f"{file.relative_to(ROOT)}:{number}: {line.strip()}" for file in chinese_texts()
             for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if re.search(other, line)]
    assert lines == [], f"say {OTHER_WORDS[other]}"


def test_a_lesson_without_a_table_has_the_labels_of_all():
    assert language.lesson_sentences("99")["labels"] == language.lesson_sentences("plots")["labels"]


def test_a_command_is_quoted_for_the_shell_of_the_system():
    words = ["rlhf-kit", "tour", "--reviews", "my reviews.csv", "--kl", 0]
    assert language.typed(words, windows=False) == "rlhf-kit tour --reviews 'my reviews.csv' --kl 0"
    assert language.typed(words, windows=True) == 'rlhf-kit tour --reviews "my reviews.csv" --kl 0'


def chinese(sentence: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in sentence)


def test_each_language_is_itself():
    """A single word such as PPO or KL may be the same in both."""
    assert [key for key, text in TABLES["zh"].items() if not chinese(text) and len(text.split()) > 2] == []
    assert [key for key, text in TABLES["en"].items() if chinese(text)] == []


def test_fields_are_filled_in():
    assert say("en", "stopped") == TABLES["en"]["stopped"]
    assert say("zh", "finished", command="tour") == TABLES["zh"]["finished"].replace("{command}", "tour")


def test_an_unknown_key_or_field_is_a_bug_that_shows():
    with pytest.raises(KeyError):
        say("en", "no such key")
    with pytest.raises(KeyError):
        say("en", "finished", other=1)


@pytest.mark.parametrize(("environment", "expected"), [
    ({"LANG": "zh_CN.UTF-8"}, "zh"),
    ({"LANG": "zh_TW.Big5"}, "zh"),
    ({"LANG": "ZH"}, "zh"),
    ({"LANG": "en_GB.UTF-8"}, "en"),
    ({"LANG": "fr_FR.UTF-8"}, "en"),
    ({"LANG": "C"}, "en"),
    ({"LC_ALL": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
    ({"LC_ALL": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
    ({"LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
    ({"LC_ALL": "", "LANG": "zh_CN.UTF-8"}, "zh"),
    ({"LC_CTYPE": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "en"),          # what it can display, not what it speaks
])
def test_the_systems_language_is_read_where_posix_programs_look(monkeypatch, environment, expected):
    for name in ("LC_ALL", "LC_MESSAGES", "LC_CTYPE", "LANGUAGE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert system_language() == expected


@pytest.mark.parametrize(("answer", "expected"), [("Chinese (Simplified)_China", "zh"), ("zh_CN", "zh"),
                                                  ("en_US", "en"), (None, "en")])
def test_a_system_without_these_variables_is_asked_itself(monkeypatch, answer, expected):
    for name in ("LC_ALL", "LC_MESSAGES", "LANGUAGE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(language.locale, "getlocale", lambda: (answer, "UTF-8"))
    assert system_language() == expected
