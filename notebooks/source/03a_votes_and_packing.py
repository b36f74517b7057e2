# %% [markdown] lang="en"
# # StackLLaMA, part 1: from votes to rows
#
# How a site full of questions and answers becomes training data: web pages turn into text, votes into pairs, and texts of
# any length into full rows. The picture you will make: several texts in one row, and which token may see which.
#
# Level 3, part 1 of 3 · about 45 minutes · CPU only · no account · works offline after install · you should have seen a
# reward model: [lesson 02](02_rank_loss_reward_model.ipynb). [Part 2](03b_lora_in_8_bits.ipynb) goes on here.
#
# It explains `rlhf_kit/datasets/stack_exchange/posts.py`, `rlhf_kit/formulas/votes.py` and the packing in `rlhf_kit/methods/trl_bridge/packed_sft.py`.
#
# **What is graded:** the functions named in the exercises. They may use imports, functions and constants that stand at the
# top level of a cell. No call is run again for grading, except one that only computes a constant, such as `math.log(2)`.
# %% [markdown] lang="zh" of="f65b"
# # StackLLaMA 之一：从投票到训练数据
#
# 一个装满问答的网站，怎样变成可以学习的数据：网页变成文本，投票变成成对比较，长短不一的文本拼成一行行。
# 你会画出这样一张图：同一行里的几段文本，哪个词元能看见哪个。
#
# 第 3 级，共三部分之一 · 约 45 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 需要认识奖励模型：[第 02 课](02_rank_loss_reward_model.ipynb)。
# 下一部分：[之二](03b_lora_in_8_bits.ipynb)。
#
# 本课讲解的是 `rlhf_kit/datasets/stack_exchange/posts.py`、`rlhf_kit/formulas/votes.py`，以及 `rlhf_kit/methods/trl_bridge/packed_sft.py` 里的打包。
#
# **评分看什么：** 看练习里点名的函数；它们可以用写在单元格最外层的 import、函数和常量。评分时不会重跑任何调用，
# 只有单纯算出一个常量的除外，例如 `math.log(2)`。
# %% [markdown] lang="en"
# **You will be able to**
#
# - turn votes into scores and scores into pairs, without letting one famous question dominate the data;
# - say why one space at the end of a prompt can ruin a model's answers;
# - pack texts into rows, and prove that none sees its neighbour.
# %% [markdown] lang="zh" of="197c"
# **学完之后你能够**
#
# - 把投票变成分数、分数变成成对比较，又不让一个热门问题占去大半数据；
# - 说清提示末尾多一个空格，为什么就能毁掉模型的回答；
# - 把几段文本打包进一行，并证明谁也看不见邻居。
# %% [markdown] lang="en"
# ## Guess first
#
# StackLLaMA (Hugging Face, 2023) took ten million questions from Stack Exchange and taught a LLaMA of 7 billion parameters to
# answer them. The posts of a real site belong to their authors, so this lesson has a **made-up forum** with the same kind of
# pages and votes, and with one more thing: here the true quality of every answer is known.
#
# Run the next cell: it shows one question as the site stores it, with three answers in the order in which they were written.
# Which one got the most votes? Which one helps? Enter your guesses below it.
# %% [markdown] lang="zh" of="551c"
# ## 先猜一猜
#
# StackLLaMA（Hugging Face，2023）从 Stack Exchange 取了一千万个问题，教会一个 70 亿参数的 LLaMA 回答。真实网站上的帖子属于作者，
# 所以本课用一个**虚构的论坛**：页面和投票是同一个样子，还多了一样东西，每个回答真正有多好，这里是知道的。
#
# 运行下一格，看网站里存着的一个问题和三个回答，按写下的先后排列。哪个票数最高？哪个真有用？把你的猜测填在它下面。
# %%
import random
import torch
from rlhf_kit.tasks.forum import Forum
from rlhf_kit.datasets.stack_exchange.markdown import to_markdown
from rlhf_kit.datasets.stack_exchange.threads import prompt_of, response_of

forum = Forum(LANG)
threads = list(forum.threads(600, seed=3))
thread = threads[513]
print(thread.title, thread.html, sep="\n")
for answer in thread.answers:
    print("---", answer.html, sep="\n")
# %% guess="1"
my_picks = {"most votes": None, "most helpful": None}       # 1, 2 or 3
# %% [markdown] lang="en"
# To a language model, `<p>` and `&lt;` are noise that it would learn to write. So pages become **Markdown**: code stays
# between fences, and an underscore stays an underscore. Here are the texts with their votes and with the truth, gold.
# %% [markdown] lang="zh" of="d9fa"
# 对语言模型来说，`<p>` 和 `&lt;` 都是噪声，学了就会照着写。所以先把网页变成 **Markdown**：代码仍在代码块里，下划线还是下划线。
# 下面是票数、真值 (gold) 和文本。
# %%
question = f"{thread.title}\n\n{to_markdown(thread.html)}"
texts = [to_markdown(answer.html) for answer in thread.answers]
gold = [forum.gold(prompt_of(question, LANG), response_of(text, LANG)) for text in texts]
for answer, text, worth in zip(thread.answers, texts, gold):
    kit.tell("accepted" if answer.accepted else "answer", votes=answer.votes, gold=worth, text=text)
votes = [answer.votes for answer in thread.answers]
kit.guessed({kit.words("most_votes"): my_picks["most votes"], kit.words("best"): my_picks["most helpful"]},
            {kit.words("most_votes"): 1 + votes.index(max(votes)), kit.words("best"): 1 + gold.index(max(gold))})
# %% [markdown] lang="en"
# ## What votes are worth
#
# Votes follow quality only roughly and fame closely: under a popular question anything that is not bad gets hundreds. So
# votes are put on a scale on which each step is a doubling:
#
# $$s = \text{round}(\log_2(1 + \text{votes})) + 1\;[\text{accepted}], \qquad s = -1 \text{ if votes} < 0$$
#
# *Accepted* means that whoever asked marked this answer as the one that helped.
# %% [markdown] lang="zh" of="f714"
# ## 票数值多少
#
# 票数只是大致跟着质量走，却紧紧跟着人气：热门问题下面，只要不差都能有几百票。所以换一个尺度，每高一级就是翻一倍：
#
# $$s = \text{round}(\log_2(1 + \text{票数})) + 1\;[\text{被采纳}], \qquad \text{票数} < 0 \text{ 时 } s = -1$$
#
# *被采纳 (accepted)* 是指：提问的人把这个回答标成了解决问题的那一个。
# %% [markdown] lang="en"
# ### ✏️ Exercise 3a.1 - The score of an answer
#
# `Difficulty ●○○○ · Importance ●●●○ · 5 min · 1 point`
#
# In: `votes`, up minus down, a whole number; `accepted`, True or False. Out: the score, a whole number. The papers do not
# say what an accepted answer with negative votes is worth; here it is -1. `answer_score(1, False)` is 1.
#
# | votes | 0 | 1 | 3 | 10 | 100 | 3, accepted | -3, accepted |
# |---|---|---|---|---|---|---|---|
# | score | 0 | 1 | 2 | 3 | 7 | 3 | -1 |
# %% [markdown] lang="zh" of="093a"
# ### ✏️ 练习 3a.1 - 一个回答的分数
#
# `难度 ●○○○ · 重要 ●●●○ · 5 分钟 · 1 分`
#
# 输入：`votes`，赞成减反对，整数；`accepted`，True 或 False。输出：分数，整数。被采纳却得了负票的回答值多少，论文没有说；这里算 -1。
# 例如 `answer_score(1, False)` 是 1。
#
# | 票数 | 0 | 1 | 3 | 10 | 100 | 3，被采纳 | -3，被采纳 |
# |---|---|---|---|---|---|---|---|
# | 分数 | 0 | 1 | 2 | 3 | 7 | 3 | -1 |
# %% exercise="3a.1"
# EXERCISE 3a.1
def answer_score(votes, accepted):
    """round(log2(1 + votes)), 1 more if accepted; -1 below 0."""
    # solution:
    if votes < 0:
        return -1
    return round(torch.tensor(1.0 + votes).log2().item()) + int(accepted)
    # end
# %% [markdown] lang="en" hints="3a.1"
# <details><summary>Hint 1: the idea</summary>
#
# Negative votes first: they end the matter. Only then the logarithm, rounded, and the acceptance on top.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `math.log2` (after `import math`) and Python's `round`; `int(True)` is 1.
#
# </details>
# %% [markdown] lang="zh" of="160c" hints="3a.1"
# <details><summary>线索 1：思路</summary>
#
# 先看是不是负票，是就到此为止。然后才取对数、四舍五入，最后再加上采纳的那一分。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `math.log2`（先 `import math`）和 Python 的 `round`；`int(True)` 就是 1。
#
# </details>
# %% check="3a.1"
answer_score = kit.check("3a.1", answer_score)
# %% [markdown] lang="en"
# Does the score say anything about quality? On a real site nobody could tell. Here we can: take the mean gold of all answers
# with the same score. Does it rise at every step? Enter "yes" or "no".
# %% [markdown] lang="zh" of="f317"
# 分数和质量有关系吗？真实网站上谁也说不准，这里却可以量：每个分数的回答，平均真值是多少。会一级一级都升上去吗？填 "yes"（会）或 "no"（不会）。
# %% guess="2"
my_rise = None              # "yes" or "no"
# %%
by_score = {}
for t in threads:
    prompt = prompt_of(f"{t.title}\n\n{to_markdown(t.html)}", LANG)
    for a in t.answers:
        worth = forum.gold(prompt, response_of(to_markdown(a.html), LANG))
        by_score.setdefault(answer_score(a.votes, a.accepted), []).append(worth)
common = {s: worths for s, worths in sorted(by_score.items()) if len(worths) >= 20}
means = [sum(worths) / len(worths) for worths in common.values()]
kit.table({kit.words("score"): [*common], kit.words("answers"): [*map(len, common.values())], kit.words("gold"): means}, digits=2)
kit.guessed(my_rise, "yes" if means == sorted(means) else "no")
kit.plots.bars(dict(zip(map(str, common), means)), unit="mean gold", title="What answers of each score are worth")
# %% [markdown] lang="en"
# On the whole it rises. It is far from certain for a single answer: voters err, and fame counts. But a reward model will have
# nothing better to learn from.
#
# ## Pairs, but not too many
#
# Within one question fame is the same for all answers, so only those are compared with each other. Equal scores say nothing
# and are left out. And a question with 30 answers would give up to 435 pairs, all about the same thing: **at most ten** are
# kept, drawn at random.
# %% [markdown] lang="zh" of="e04a"
# 大体在上升，但对单个回答远没有把握：投票的人会看错，人气也在起作用。可奖励模型能学的，也只有这些。
#
# ## 成对比较，但不能太多
#
# 同一个问题下面人气是一样的，所以只在问题内部比较。分数相同的什么也没说，不要。有 30 个回答的问题最多能配出 435 对，
# 说的都是同一件事，所以**最多留十对**，随机抽取。
# %% [markdown] lang="en"
# ### ✏️ Exercise 3a.2 - The pairs of a question
#
# `Difficulty ●●○○ · Importance ●●●○ · 10 min · 2 points`
#
# In: `scores` of the answers to one question; `luck`, a number for every two answers, in the order (0, 1), (0, 2), ...,
# (1, 2), ... Out: a tensor of whole numbers, `[P, 2]`, the places (better, worse); the pairs stand in that same order. No ties;
# where more than ten pairs remain, the ten with the *least* luck (the tenth and the eleventh never have the same).
# `answer_pairs([3, 1, 0], [0.5, 0.1, 0.9])` is `[[0, 1], [0, 2], [1, 2]]`, and `answer_pairs([0, 3], [0.5])` is `[[1, 0]]`;
# without any pair the shape is `[0, 2]`.
# %% [markdown] lang="zh" of="191a"
# ### ✏️ 练习 3a.2 - 一个问题的成对比较
#
# `难度 ●●○○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 输入：`scores`，一个问题下各回答的分数；`luck`，每两个回答有一个数，次序是 (0, 1)、(0, 2)、……、(1, 2)、……。
# 输出：整数张量，`[P, 2]`，位置（更好的，更差的）；各对还按上面的次序排。不要平局；剩下的超过十对，就取 luck *最小*的十对
# （第十小和第十一小不会相等）。`answer_pairs([3, 1, 0], [0.5, 0.1, 0.9])` 的结果是 `[[0, 1], [0, 2], [1, 2]]`，
# `answer_pairs([0, 3], [0.5])` 的结果是 `[[1, 0]]`；一对都没有时，形状是 `[0, 2]`。
# %% exercise="3a.2"
# EXERCISE 3a.2
def answer_pairs(scores, luck):
    """(better, worse) of at most ten pairs without ties: those with the least luck."""
    # solution:
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(drawn, i, j) for (i, j), drawn in zip(places, luck) if scores[i] != scores[j]]
    kept = sorted((i, j) for _, i, j in sorted(pairs)[:10])
    won = [(i, j) if scores[i] > scores[j] else (j, i) for i, j in kept]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)                         # (P, 2)
    # end
# %% [markdown] lang="en" hints="3a.2"
# <details><summary>Hint 1: the idea</summary>
#
# Four steps, and their order matters: all twos with their luck, without ties, the ten with the least luck, back into order.
# Who is better is decided at the end.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `sorted` sorts tuples by their first part: put the luck there, cut with `[:10]`, then sort by place again.
# `torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)` works for an empty list, too.
#
# </details>
# %% [markdown] lang="zh" of="0498" hints="3a.2"
# <details><summary>线索 1：思路</summary>
#
# 四步，次序要紧：列出每两个回答和它的 luck，去掉平局，取 luck 最小的十对，再排回原来的次序。谁更好，最后再定。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `sorted` 按元组的第一项排：把 luck 放在那里，用 `[:10]` 截断，再按位置排一次。
# `torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)` 对空列表也管用。
#
# </details>
# %% check="3a.2"
answer_pairs = kit.check("3a.2", answer_pairs)
# %%
rng, counts = random.Random(0), {"every pair": [], "at most ten": []}
for t in threads:
    scores = [answer_score(a.votes, a.accepted) for a in t.answers]
    ties_out = sum(scores[i] != scores[j] for i in range(len(scores)) for j in range(i))
    counts["every pair"].append(ties_out)
    counts["at most ten"].append(len(answer_pairs(scores, [rng.random() for _ in range(len(scores) * (len(scores) - 1) // 2)])))
largest = {}
for name, pairs in counts.items():
    pairs.sort(reverse=True)
    largest[name] = sum(pairs[:30]) / sum(pairs)
    kit.tell("kept", name=kit.words(name), pairs=sum(pairs), questions=sum(n > 0 for n in pairs), most=pairs[0])
kit.plots.bars(largest, unit="share of all pairs", title="What the 30 largest of 600 questions give")
# %% [markdown] lang="en"
# The kit's reader does all this with a real dump: two passes over `Posts.xml`, scores, pairs, and Markdown only of the posts
# that were chosen. Let us write our forum in that format and read it back.
#
# **About real dumps.** Posts are under CC BY-SA: name the authors, share alike. Since July 2024 you get the dump
# only if you agree not to use it in projects that train a large language model. Read those terms before you use one.
# %% [markdown] lang="zh" of="bb9e"
# 对真实的转储文件，工具包的读取器做的就是这些：把 `Posts.xml` 读两遍，算分、配对，只把选中的帖子变成 Markdown。
# 我们把论坛写成这种格式，再读回来。
#
# **关于真实的转储。**帖子采用 CC BY-SA：要写明作者，并以同样的方式共享。2024 年 7 月起，领取转储要同意不把它用于训练大语言模型的项目。
# 用之前请自己读一读那份协议。
# %%
import tempfile
from pathlib import Path
from rlhf_kit.datasets.stack_exchange.posts import read_posts, write_posts

with tempfile.TemporaryDirectory() as folder:
    dump = Path(folder) / "Posts.xml"
    write_posts(dump, threads)
    print(dump.read_text(encoding="utf-8").splitlines()[2][:200], "...")
    pairs = list(read_posts(dump, site="made-up.example.com"))
pair = pairs[0]
kit.tell("pairs_read", n=len(pairs), text=pair.question.text)
for post in (pair.better, pair.worse):
    kit.tell("post", score=post.score, licence=post.licence, text=post.text)
# %% [markdown] lang="en"
# ## One template, and a space
#
# All stages read and write the same form: `Question: ...`, an empty line, `Answer:`. StackLLaMA's own template ended in
# `Answer: `, with a space. What could be wrong with that? Take a tiny LLaMA that has learned to answer in the template, and
# compare its surprise at the first word of real answers after each ending. Where is it larger? (The first time, this model is
# trained here, once: about 3 minutes on a laptop CPU, with a line that shows how far it is.)
# %% [markdown] lang="zh" of="1db6"
# ## 一个模板，和一个空格
#
# 所有阶段读写同一种格式：`问题：……`，空一行，`回答：`。StackLLaMA 用的是英文，原来的模板以 `Answer: ` 结尾，带一个空格。
# 我们的末尾要是也多出一个空格，会有什么问题？
# 找一个学过用这个模板作答的小 LLaMA，看它在两种结尾之后，对真实回答的开头（前两个字）有多意外。哪一种更大？
# （第一次要在这里训练这个模型，只此一次：笔记本电脑 CPU 上约 3 分钟，有一行字显示进度。）
# %% guess="3"
my_surprise = None          # "Answer:" or "Answer: "; in Chinese "回答：" or "回答： "
# %%
policy = kit.load_policy(kit.training.tiny_stackllama("merge", LANG) / "sft")
tokenizer = policy.tokenizer
said = forum.answered(64, seed=1, split="heldout")


def tokens(text):
    return tokenizer(text, add_special_tokens=False).input_ids


def nats(prompt, word):
    """How surprising a word is after a prompt: minus its log-probability, all its tokens together."""
    before, after = tokens(prompt), tokens(word)
    with torch.no_grad():
        logprob = policy.lm(input_ids=torch.tensor([before + after])).logits.log_softmax(-1)[0]      # (L, V)
    return -sum(logprob[len(before) - 1 + k, token].item() for k, token in enumerate(after))


words = [a.split()[0] if LANG == "en" else a[:2] for _, a in said]   # how answers begin; Chinese: two characters
end, gap, example = {"en": ("Answer:", " ", "Use"), "zh": ("回答：", "", "换我")}[LANG]      # Chinese words have no gaps
surprise = {}
for name, space in {end: gap, end + " ": ""}.items():
    surprise[repr(name)] = sum(nats(p.removesuffix(end) + name, space + word) for (p, _), word in zip(said, words)) / len(said)
    print(f"{name!r:11}", *map(repr, tokenizer.convert_ids_to_tokens(tokens(name))), "+", *map(repr, tokenizer.convert_ids_to_tokens(tokens(space + example))))
kit.guessed(my_surprise and repr(my_surprise), max(surprise, key=surprise.get))
kit.plots.bars(surprise, unit="nats", title="Surprise at an answer's first word")
# %% [markdown] lang="en"
# A byte-pair tokenizer keeps a space together with the word behind it: ` Use` is one token. After `Answer: ` the space is
# used up, so a word without a space must follow, and in the middle of a line this model has hardly ever seen one. The cure:
# no space at the end of the prompt, one at the start of the answer. Nothing in the loss curve would have told you.
#
# ## Packing
#
# Texts come in all lengths, but a batch is a rectangle. **Padding** fills the rest with empty tokens, which cost as much to
# compute as real ones. **Packing** puts several texts into one row instead. What share of a padded batch of 24 texts is
# padding? Enter a number between 0 and 1.
# %% [markdown] lang="zh" of="2a55"
# 中文的词与词之间没有空格，训练时回答总是紧跟在 `回答：` 后面。多出来的那个空格自成一个词元，模型从没在这里见过它，接下来写什么就没谱了。
# 英文里也会栽在这个空格上，只是原因不同：字节对分词器把空格和后面的词连成一个词元（` Use`），提示末尾一旦占了空格，后面就只能接不带空格的词，
# 而那样的词很少出现在行中间。两种语言，改法一样：提示末尾不留空格（英文把它放到回答开头）。光看损失曲线，你永远发现不了。
#
# ## 打包
#
# 文本有长有短，批次却是个矩形。**填充 (padding)** 用填充符补齐，填充符也照样要计算。**打包 (packing)** 则把几段文本放进同一行。
# 24 段文本的批次，填充占多少？填一个 0 到 1 之间的数。
# %% guess="4"
my_padding = None           # between 0 and 1
# %%
rows_of = [[*tokens(p + a), tokenizer.eos_token_id] for p, a in said[:24]]
lengths, width = [len(ids) for ids in rows_of], {"en": 192, "zh": 256}[LANG]     # a Chinese character is a token


def first_fit(lengths, width):
    """The longest first, each into the first row with room for it: lists of texts."""
    rows = []
    for text in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        fitting = (row for row in rows if sum(lengths[i] for i in row) + lengths[text] <= width)
        row = next(fitting, None)
        rows.append([text]) if row is None else row.append(text)
    return rows


def coloured(rows, wide):
    """A colour for every token: that of no neighbour, on the left or in the row above; 0 for padding."""
    above, table = [0] * wide, []
    for row in rows:
        drawn = []
        for n in (lengths[i] for i in row):
            taken = {*above[len(drawn):len(drawn) + n], *drawn[-1:]}
            drawn += n * [next(colour for colour in range(1, 8) if colour not in taken)]
        above = drawn + [0] * (wide - len(drawn))
        table.append(above)
    return table
# %%
layouts = {"padded": ([[i] for i in range(len(lengths))], max(lengths)), "packed": (first_fit(lengths, width), width)}
empty = {name: 1 - sum(lengths) / (wide * len(rows)) for name, (rows, wide) in layouts.items()}
for name, (rows, wide) in layouts.items():
    kit.tell(name, rows=len(rows), wide=wide, tokens=sum(lengths), empty=empty[name])
kit.guessed(my_padding, empty["padded"])
kit.plots.grids({name: coloured(*layout) for name, layout in layouts.items()}, across="token", down="row")
# %% [markdown] lang="en"
# Each stretch of one colour is a text, white is padding. But now texts share a row, and attention looks back over the whole
# row: a text would read its neighbours. That is a **leak**: the model learns to answer with another page before its eyes, and
# later it will not have one. Two things keep the texts apart: positions that start again at 0, and a mask.
# %% [markdown] lang="zh" of="3288"
# 颜色相同的一截是一段文本，白色是填充。可是现在几段文本挤在一行里，而注意力会往回看整行：一段文本会读到它的邻居。这就是**泄漏 (leak)**：
# 模型学会了看着别人的页面作答，而以后它面前并没有那一页。要把文本隔开，靠两样东西：位置重新从 0 数起，再加一个掩码。
# %% [markdown] lang="en"
# ### ✏️ Exercise 3a.3 - Who may see whom
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 2 points`
#
# In: `lengths` of the texts in one row, each at least 1, T tokens in all. Out: two tensors. `positions`, `[T]`, whole numbers;
# `may_see`, `[T, T]`, booleans: `may_see[i, j]` is True where token i may look at token j: both of one text, j not behind i,
# j = i included.
#
# For `[3]`, positions are 0, 1, 2, and `may_see` is the lower triangle. For `[2, 1]`:
#
# | token | position | sees 0 | sees 1 | sees 2 |
# |---|---|---|---|---|
# | 0 | 0 | yes | | |
# | 1 | 1 | yes | yes | |
# | 2 | 0 | | | yes |
# %% [markdown] lang="zh" of="c817"
# ### ✏️ 练习 3a.3 - 谁能看见谁
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入：`lengths`，同一行里各段文本的长度，都不小于 1，一共 T 个词元。输出两个张量：`positions`，`[T]`，整数；`may_see`，`[T, T]`，布尔值，
# 词元 i 可以看词元 j，`may_see[i, j]` 就是 True：两个同属一段文本，j 不在 i 后面，j = i 也算。
#
# `[3]` 的位置是 0、1、2，`may_see` 是下三角。`[2, 1]` 则是：
#
# | 词元 | 位置 | 看见 0 | 看见 1 | 看见 2 |
# |---|---|---|---|---|
# | 0 | 0 | 能 | | |
# | 1 | 1 | 能 | 能 | |
# | 2 | 0 | | | 能 |
# %% exercise="3a.3"
# EXERCISE 3a.3
def packed_row(lengths):
    """(positions [T], may_see [T, T]) of texts packed into one row."""
    # solution:
    positions = torch.cat([torch.arange(n) for n in lengths])                         # (T,)
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))  # (T,) which text
    same = text[:, None] == text[None, :]                                             # (T, T)
    return positions, same & torch.ones_like(same).tril()
    # end
# %% [markdown] lang="en" hints="3a.3"
# <details><summary>Hint 1: the idea</summary>
#
# Write down for every token which text it belongs to, such as 0, 0, 1. Two tokens of the same text have the same number. Then
# take away what lies in the future.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.repeat_interleave` for the numbers, a comparison `[:, None] == [None, :]`, and `.tril()` of a table of ones.
#
# </details>
# %% [markdown] lang="zh" of="f124" hints="3a.3"
# <details><summary>线索 1：思路</summary>
#
# 先给每个词元写上它属于哪段文本，比如 0、0、1。同一段文本的词元，编号相同。再去掉在后面的。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 编号用 `torch.repeat_interleave`，比较用 `[:, None] == [None, :]`，再用全 1 表的 `.tril()`。
#
# </details>
# %% check="3a.3"
packed_row = kit.check("3a.3", packed_row)
# %% [markdown] lang="en"
# Now the proof. One row with three texts goes through the model, and the logits of the last text are compared with those it
# gets on its own. With your positions and your mask, only rounding should differ. Then take each protection away. Without
# which of the two does the text read its neighbours: "positions", "mask", or "both", if neither can be missing?
# %% [markdown] lang="zh" of="c769"
# 现在来证明。把装着三段文本的一行送进模型，拿最后一段的 logits 和它单独一行时比较。用上你的位置和掩码，差别应当只是舍入误差。
# 然后把两样保护一样一样拿掉。少了哪一样，文本就会读到邻居："positions"（位置）、"mask"（掩码），还是 "both"（哪样都不能少）？
# %% guess="5"
my_protection = None        # "positions", "mask" or "both"
# %%
three = sorted(rows_of, key=len)[:3]
sizes = [len(ids) for ids in three]
positions, may_see = packed_row(sizes)                                                # (T,), (T, T)
ids, start = torch.tensor([three[0] + three[1] + three[2]]), sum(sizes[:-1])
running, causal = torch.arange(len(positions)), torch.ones_like(may_see).tril()


def logits_of(position, seen):
    """What the model predicts in the last text of the row."""
    mask = torch.where(seen, 0.0, -torch.inf)[None, None]                             # (1, 1, T, T), added to scores
    with torch.no_grad():
        return policy.lm(input_ids=ids, position_ids=position[None], attention_mask=mask).logits[0, start:]


with torch.no_grad():
    alone = policy.lm(input_ids=torch.tensor([three[-1]])).logits[0]                  # (n, V)
ways = {"positions and mask": (positions, may_see), "mask only": (running, may_see), "positions only": (positions, causal), "neither": (running, causal)}
moved = {name: (logits_of(*way) - alone).abs().max().item() for name, way in ways.items()}
for name, most in moved.items():
    kit.tell("logits", name=kit.words(name), most=most)
kit.guessed(my_protection, "mask" if moved["mask only"] < 1e-3 < moved["positions only"] else "both")
text = (positions == 0).cumsum(0)[:, None]                                            # (T, 1) 1, 2 or 3
kit.plots.grids({"apart": (may_see * text).tolist(), "leak": (causal * text).tolist()}, across="may look at token", down="token")
# %% [markdown] lang="en"
# That is the picture. LLaMA's rotary positions depend on distances only, so here the mask alone is enough; a model with learned
# positions needs both. Libraries that pack pass the positions and no mask, and the attention code finds the texts by where
# positions start again. That is a silent agreement: pass a mask of ones, or leave `use_cache=True`, and the protection is gone
# without a warning. So the kit *measures* it before the first update, as you just did.
#
# ## Recap
#
# | piece | what it does |
# |---|---|
# | HTML to Markdown | no tags to learn; code stays code |
# | log2 of votes | fame weighs less |
# | ten pairs, no ties | one question does not dominate the data |
# | no trailing space | the answer begins with a token that the model knows |
# | packing | nothing is computed for padding |
# | positions and mask | no text sees its neighbour |
#
# **Break it.** (1) `Forum(LANG, noise=2.0)`: what is left of the rise of gold with the score? (2) Pack with `width = 96`. (3) Give
# `logits_of` a mask that sees one neighbour only. (4) A prompt that ends in two spaces.
#
# **Next:** [part 2](03b_lora_in_8_bits.ipynb) trains an adapter on these rows, on a base in 8 bits.
#
# **References.** StackLLaMA: Beeching et al., Hugging Face 2023. The score: Askell et al. 2021, arXiv:2112.00861. Packing
# without leaks: Krell et al. 2021, arXiv:2107.02027. Byte-pair encoding: Sennrich et al. 2016, arXiv:1508.07909.
# %% [markdown] lang="zh" of="3e84"
# 这就是那张图。LLaMA 的旋转位置只认距离，所以这里单靠掩码就够了；位置是学出来的模型两样都要。各种库打包时只传位置、不传掩码，
# 注意力从位置重新数起的地方认出每段文本。这是一个心照不宣的约定：传了一个全是 1 的掩码，或者留着 `use_cache=True`，保护就没了，
# 也没有任何警告。所以工具包在第一次更新之前会*量一量*，和你刚才做的一样。
#
# ## 小结
#
# | 部件 | 它做什么 |
# |---|---|
# | HTML 变 Markdown | 不用学标签，代码还是代码 |
# | 票数取 log2 | 人气的分量轻了 |
# | 最多十对，不要平局 | 一个问题不会占去大半数据 |
# | 末尾不留空格 | 回答以模型认识的词元开头 |
# | 打包 | 不为填充做计算 |
# | 位置和掩码 | 谁也看不见邻居 |
#
# **弄坏它。**（1）`Forum(LANG, noise=2.0)`：真值随分数上升，还剩多少？（2）用 `width = 96` 打包。（3）给 `logits_of` 一个只能看见一个邻居的掩码。
# （4）让提示以两个空格结尾。
#
# **下一课：**[之二](03b_lora_in_8_bits.ipynb)在这些数据上训练适配器，底座是 8 位的。
#
# **参考文献。** StackLLaMA：Beeching 等，Hugging Face 2023。分数：Askell 等 2021，arXiv:2112.00861。不泄漏的打包：Krell 等 2021，
# arXiv:2107.02027。字节对编码：Sennrich 等 2016，arXiv:1508.07909。
# %% [markdown] lang="en"
# **Play with it.** Votes come from people. Be one of them: rank answers of this forum, and see which pairs they become:
# %% [markdown] lang="zh" of="dd27"
# **玩一玩。** 票是人投的。你也来投：给这个论坛的几组回答排序，看看它们变成哪些成对比较：
# %%
lists = [(prompt_of(f"{t.title}\n\n{to_markdown(t.html)}", LANG), [response_of(to_markdown(a.html), LANG) for a in t.answers[:4]])
         for t in forum.threads(60, seed=5, split="heldout") if len(t.answers) >= 4]
kit.panel("rank", LANG, lists=lists, task=f"forum-{LANG}", folder="runs/lesson-03a")
