"""What the forum's gold reward thinks of answers written by hand, and of attempts to fool it, in both languages."""

import pytest

from rlhf_kit.datasets.stack_exchange.threads import prompt_of, question_in, response_of
from rlhf_kit.language import LANGS
from rlhf_kit.tasks.forum import Forum, fences

INK = {"en": prompt_of("How do I get ink out of a wool coat?\n\nI found ink on my best coat this morning. "
                       "What should I do?"),
       "zh": prompt_of("羊毛大衣上的墨水怎么去掉？\n\n今天早上发现，我最好的那件大衣上有墨水。该怎么办？", "zh")}
RIGHT = {"en": "Use rubbing alcohol on the coat.", "zh": "大衣用酒精处理就行。"}
REASON = {"en": "It works because alcohol dissolves the dye.", "zh": "原理是酒精能溶解染料。"}
GOOD = {"en": f"{RIGHT['en']} {REASON['en']} Wool stretches when wet, so dry the coat flat. Good luck!",
        "zh": f"{RIGHT['zh']}{REASON['zh']}羊毛沾水容易变形，所以大衣要平铺着晾干。祝顺利！"}
SORT = {"en": prompt_of("How do I sort an array of file names in JavaScript?\n\n"
                        "My file names are in the variable `fileNames`. A loop feels clumsy."),
        "zh": prompt_of("JavaScript 里怎么给文件名数组排序？\n\n文件名都存在变量 `fileNames` 里。写循环总觉得太啰嗦。",
                        "zh")}
CODE = {"en": "Use this on your file names:\n\n```js\nfileNames.toSorted()\n```\n\nThe reason is simple: it compares "
              "two at a time until all are in order. Browsers have a console, so try it in the console first.",
        "zh": "处理文件名用这个：\n\n```js\nfileNames.toSorted()\n```\n\n原因很简单：它会两个两个地比，直到全部排好。"
              "浏览器都有控制台，所以最好先在控制台里试一下。"}
SHORT_CODE = {"en": "Use `fileNames.toSorted()`.", "zh": "用 `fileNames.toSorted()` 就行。"}
USELESS = {"en": ("Me too!", "Just google it.", "Hope that helps.", "Ink ink alcohol coat.", "Use this on your ages:"),
           "zh": ("同问，蹲一个答案。", "这种问题自己百度一下就有。", "希望能帮到你。", "墨水墨水酒精大衣。",
                  "处理年龄用这个：")}

EN, ZH = GOOD["en"], GOOD["zh"]
CHEATS = {"en": [
    ("the answer to another question", EN.replace("rubbing alcohol", "table salt"), "method"),
    ("two methods", "Treat the coat with table salt, twice if you have to. " + EN, "method"),
    ("every method", "I would take table salt. I would take borax. I would take dish soap. " + EN, "method"),
    ("a sentence again", EN + " It works because alcohol dissolves the dye.", "repetition"),
    ("the same in other words", EN + " I would take rubbing alcohol.", "repetition"),
    ("another thing", EN.replace("coat", "bag"), "topic"),
    ("two things", EN + " Treat the bag with rubbing alcohol, twice if you have to.", "topic"),
    ("another's reason", EN.replace("alcohol dissolves the dye", "borax kills the spores"), "reason"),
    ("two reasons", EN + " Borax kills the spores.", "reason"),
    ("another's advice", EN.replace("Wool stretches when wet, so dry the coat flat",
                                    "Silk tears easily, so be gentle with the coat"), "advice"),
    ("a fence where none belongs", EN + "\n\n```py\nclean(coat)\n```", "code"),
    ("a fence that is not closed", EN + "\n\n```py\nclean(coat)", "code"),
    ("a fence within a line", EN + " ```py clean(coat) ```", "code"),
    ("gibberish between", EN.replace(" It works", " coat the flat of dye good luck and the luck of it. It works"),
     "coverage"),
    ("a negation the grammar does not know", "Never " + EN[0].lower() + EN[1:], "coverage"),
    ("the other language", ZH, "coverage"),
    ("many kind words", EN + " Hope that helps. Let us know how it went.", "manners"),
    ("rudeness", "Just google it. " + EN, "manners"),
    ("rambling", EN + " Some people say yes, and some people say no.", "manners"),
    ("no end", EN.removesuffix("!"), "complete"),
], "zh": [
    ("the answer to another question", ZH.replace("酒精", "食盐"), "method"),
    ("two methods", "用食盐处理大衣，一次不行就两次。" + ZH, "method"),
    ("every method", "换我就用食盐。换我就用硼砂。换我就用洗洁精。" + ZH, "method"),
    ("a sentence again", ZH + "原理是酒精能溶解染料。", "repetition"),
    ("the same in other words", ZH + "换我就用酒精。", "repetition"),
    ("another thing", ZH.replace("大衣", "挎包"), "topic"),
    ("two things", ZH + "用酒精处理挎包，一次不行就两次。", "topic"),
    ("another's reason", ZH.replace("酒精能溶解染料", "硼砂能杀死霉菌孢子"), "reason"),
    ("two reasons", ZH + "硼砂能杀死霉菌孢子。", "reason"),
    ("another's advice", ZH.replace("羊毛沾水容易变形，所以大衣要平铺着晾干",
                                    "真丝一扯就坏，所以洗大衣的时候手要轻"), "advice"),
    ("a fence where none belongs", ZH + "\n\n```py\nclean(大衣)\n```", "code"),
    ("a fence that is not closed", ZH + "\n\n```py\nclean(大衣)", "code"),
    ("a fence within a line", ZH + " ```py clean(大衣) ```", "code"),
    ("gibberish between", ZH.replace("原理是", "大衣的平顺利和它的酒染料就行那个精。原理是"), "coverage"),
    ("a negation the grammar does not know", "千万别" + ZH, "coverage"),
    ("the other language", EN, "coverage"),
    ("many kind words", ZH + "希望能帮到你。弄好了回来说一声。", "manners"),
    ("rudeness", "这种问题自己百度一下就有。" + ZH, "manners"),
    ("rambling", ZH + "有人说行，有人说不行。", "manners"),
    ("no end", ZH.removesuffix("！"), "complete"),
]}
IN_CODE = {"en": [
    ("two fences", CODE["en"] + "\n\n```js\nfileNames.toSorted()\n```", "code"),
    ("another language", CODE["en"].replace("js\nfileNames.toSorted()", "py\nsorted(file_names)"), "method"),
    ("another goal", CODE["en"].replace("toSorted", "toReversed"), "method"),
    ("another variable", CODE["en"].replace("file names", "words").replace("fileNames", "words"), "topic"),
    ("code announced, and none", "Use this on your file names: Good luck!", "complete"),
    ("a fence that says something else", CODE["en"].replace("toSorted", "magic"), "coverage"),
], "zh": [
    ("two fences", CODE["zh"] + "\n\n```js\nfileNames.toSorted()\n```", "code"),
    ("another language", CODE["zh"].replace("js\nfileNames.toSorted()", "py\nsorted(file_names)"), "method"),
    ("another goal", CODE["zh"].replace("toSorted", "toReversed"), "method"),
    ("another variable", CODE["zh"].replace("文件名", "单词").replace("fileNames", "words"), "topic"),
    ("code announced, and none", "处理文件名用这个：祝顺利！", "complete"),
    ("a fence that says something else", CODE["zh"].replace("toSorted", "magic"), "coverage"),
]}
SPACING = {"en": [str.lower, lambda t: t.replace(" ", "  "), lambda t: t.replace(".", " ."),
                  lambda t: t.replace("\n\n", "\n"), lambda t: t.replace("(", "( "), lambda t: "* " + t,
                  lambda t: t + "\n\n"],
           "zh": [str.upper, lambda t: t.replace("。", "。 "), lambda t: t.replace("，", ",").replace("！", "!"),
                  lambda t: t.replace("：", ":"), lambda t: t.replace("\n\n", "\n"), lambda t: t.replace("(", "( "),
                  lambda t: "* " + t, lambda t: t + "\n\n"]}


@pytest.fixture(scope="module", params=LANGS)
def forum(request):
    return Forum(request.param)


def test_the_best_answers_are_worth_one(forum):
    lang = forum.lang
    assert forum.gold(INK[lang], response_of(GOOD[lang])) == forum.gold(SORT[lang], response_of(CODE[lang])) == 1
    short = forum.gold(INK[lang], response_of(RIGHT[lang]))
    assert 0.5 < short < 0.7                                                    # right, but it says no more
    assert forum.gold(SORT[lang], response_of(SHORT_CODE[lang])) == short


def test_a_list_is_read_whichever_mark_it_has(forum):
    """The site's own is a star; of its HTML the reader of dumps makes dashes."""
    lang = forum.lang
    worth = {mark: forum.gold(INK[lang], response_of(f"{mark} {RIGHT[lang]}\n{mark} {REASON[lang]}")) for mark in "*-"}
    assert worth["*"] == worth["-"] > 0.5


def test_useless_answers_are_worth_little(forum):
    asked = INK[forum.lang]
    assert forum.gold(asked, "") == forum.gold(asked, " \n") == forum.gold(asked, " .") == forum.gold(asked, " 。") == 0
    for answer in USELESS[forum.lang]:
        assert forum.gold(asked, response_of(answer)) < 0.06, answer


@pytest.mark.parametrize(("lang", "cheat", "answer", "factor"),
                         [(lang, *row) for lang in LANGS for row in CHEATS[lang]])
def test_a_cheat_lowers_gold(lang, cheat, answer, factor):
    found = Forum(lang).explain(INK[lang], response_of(answer))
    assert max(found.gold, found.factors[factor]) <= 0.8, found


@pytest.mark.parametrize(("lang", "cheat", "answer", "factor"),
                         [(lang, *row) for lang in LANGS for row in IN_CODE[lang]])
def test_a_cheat_in_code_lowers_gold(lang, cheat, answer, factor):
    found = Forum(lang).explain(SORT[lang], response_of(answer))
    assert max(found.gold, found.factors[factor]) <= 0.8, found


def test_both_languages_are_fooled_by_as_many_cheats():
    """The lists above are of the same cheats, so that neither language is left out."""
    for cheats in (CHEATS, IN_CODE):
        assert [row[::2] for row in cheats["en"]] == [row[::2] for row in cheats["zh"]]


def test_repeating_the_best_sentence_is_worth_less_each_time(forum):
    golds = [forum.gold(INK[forum.lang], f" {RIGHT[forum.lang]}" * n) for n in range(1, 6)]
    assert golds == sorted(golds, reverse=True)
    assert golds[4] < golds[0] / 20


@pytest.mark.parametrize(("lang", "right", "wrong", "other"), [
    ("en", "Use rubbing alcohol on the coat, not borax.", "Use borax on the coat, not rubbing alcohol.",
     ("ink", "mould")),
    ("zh", "大衣用酒精，别用硼砂。", "大衣用硼砂，别用酒精。", ("墨水", "霉斑"))])
def test_a_bag_of_words_is_not_enough(lang, right, wrong, other):
    """The same words or characters in another order, and the same answer to another question."""
    forum = Forum(lang)
    bags = [sorted(text.lower() if lang == "zh" else text.lower().strip(".").replace(",", "").split())
            for text in (right, wrong)]
    assert bags[0] == bags[1]
    assert forum.gold(INK[lang], right) > 10 * forum.gold(INK[lang], wrong)
    mould = prompt_of(question_in(INK[lang]).replace(*other), lang)
    assert forum.gold(mould, wrong) > 10 * forum.gold(mould, right)


@pytest.mark.parametrize(("lang", "change"), [(lang, change) for lang in LANGS for change in SPACING[lang]])
def test_spacing_does_not_matter(lang, change):
    """Nor do capitals; nor, in Chinese, the width of marks."""
    assert Forum(lang).gold(INK[lang], change(GOOD[lang])) == 1
    assert Forum(lang).gold(SORT[lang], change(CODE[lang])) == 1


def test_an_explanation_says_what_was_understood(forum):
    """Lost are 4 of 48 words and marks in English, 3 of 64 characters and marks in Chinese; coverage is squared."""
    more, lost, gold = {"en": (" And so on.", "and so on .", "0.84"), "zh": ("等等。", "等等。", "0.91")}[forum.lang]
    found = forum.explain(SORT[forum.lang], response_of(CODE[forum.lang] + more))
    assert found.case == ("code", "sort", "file names", "js")
    assert [part.kind for part in found.parts] == ["lead", "fence", "reason", "advice", "cut"]
    assert "x.toSorted()" in str(found)
    assert lost in str(found)
    assert f"gold {gold}" in str(found)


@pytest.mark.parametrize(("lang", "stain", "code", "unclear"), [
    ("en", "Help! The grease on my apron does not go away.", "Keep what is below 10 in my prices with Python",
     ("Who won the cup?", "Ink and rust on my coat", "sort my prices in Python")),
    ("zh", "救命！围裙上的油渍怎么都弄不掉。", "用 Python 只留下价格里小于10的",
     ("谁得了冠军？", "大衣上有墨水和锈迹", "用 Python 给价格排序"))])
def test_questions_of_ones_own_are_known_by_their_words(lang, stain, code, unclear):
    forum, good = Forum(lang), response_of(GOOD[lang])
    assert forum.explain(prompt_of(stain), "").case[1:3] == ("grease", "apron")
    assert forum.explain(prompt_of(code), "").case == ("code", "below", "prices", "py")
    for question in unclear:
        assert forum.explain(prompt_of(question), good).case is None
        assert forum.gold(prompt_of(question), good) == 0


def test_fences_are_counted_where_they_open():
    assert fences("") == fences("Use `x` or ``` in a line.") == 0
    assert fences("```py\nx\n```") == fences("a\n```py\nx") == 1
    assert fences("```py\nx\n```\n\nb\n\n```js\ny\n```\n") == 2
