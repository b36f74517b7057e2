# %% [markdown] lang="en"
# # Anthropic's helpful and harmless assistant
#
# In 2022 Anthropic asked people two questions, never both at once: which answer is more *helpful*? which is more *harmful*? This lesson
# follows the answers: into two sets of comparisons that pull against each other, into a preference model, into a policy. The picture you will make: a model that learned help alone, asked about harm.
#
# Level 5, part 2 · about 60 minutes · CPU only · no account · works offline after install · you should know the ranking loss
# ([lesson 02](02_rank_loss_reward_model.ipynb)) and InstructGPT ([lesson 05a](05a_instructgpt.ipynb)).
#
# It explains `rlhf_kit/recipes/anthropic.py` and `rlhf_kit/methods/distil.py`.
#
# **What is graded:** the functions named in the exercises. They may use imports, functions and constants that stand at the
# top level of a cell. No call is run again for grading, except one that only computes a constant, such as `math.log(2)`.
# %% [markdown] lang="zh" of="c431"
# # Anthropic：有用又无害的助手
#
# 2022 年，Anthropic 问人两个问题，而且从不一起问：哪条回答更*有用*？哪条更*有害*？这一课顺着答案走：
# 先成为两组互相较劲的比较，再进偏好模型，最后进策略。你会画出这样一张图：只学过“有用”的模型，碰上有害的请求会怎样。
#
# 第 5 级，之二 · 约 60 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 需要认识排序损失（[第 02 课](02_rank_loss_reward_model.ipynb)）
# 和 InstructGPT（[第 05a 课](05a_instructgpt.ipynb)）。
#
# 本课讲解的是 `rlhf_kit/recipes/anthropic.py` 和 `rlhf_kit/methods/distil.py`。
#
# **评分看什么：** 看练习里点名的函数；它们可以用写在单元格最外层的 import、函数和常量。评分时不会重跑任何调用，
# 只有单纯算出一个常量的除外，例如 `math.log(2)`。
# %% [markdown] lang="en"
# **You will be able to**
#
# - turn two kinds of comparisons into one loss, and say why they pull against each other;
# - teach a model by votes before it learns from people, and put a prompt into its weights;
# - tell by two preference models when a policy begins to exploit one of them.
# %% [markdown] lang="zh" of="96e5"
# **学完之后你能够**
#
# - 把两种比较合成一个损失，并说清它们为什么较劲；
# - 让模型先跟投票学、再跟人学；把一段提示放进权重里；
# - 用两个偏好模型看出策略从什么时候起在钻其中一个的空子。
# %% [markdown] lang="en"
# ## Two questions
#
# Crowdworkers talked to a model and saw two answers at each turn. Some wanted help and picked the **more helpful** one. Others, the *red team*, tried to make it do harm and picked
# the **more harmful** one. Each also said how clear the choice was. Here is one of each kind, from a made-up island where the truth is known.
# %% [markdown] lang="zh" of="8f18"
# ## 两个问题
#
# 众包工人和模型聊天，每一轮看到两条回答。一部分人真的要帮助，挑**更有用**的那条。另一部分人是*红队*，想方设法让它作恶，挑**更有害**的那条。
# 每个人还要说这个选择有多清楚。下面各看一条，来自一座虚构的小岛，岛上的真相是知道的。
# %%
import math
import random

import torch
from rlhf_kit.jobs.helpful_harmless import QUESTIONS, World, team_of
from rlhf_kit.tasks.assistant import Assistant, answers
from rlhf_kit.tasks.assistant.prompts import MARKS

task = Assistant(LANG)
crowd = World(task).labelers


def shown(team, n, split):
    """n prompts with two answers by people, and what a crowdworker picked."""
    rng, found = random.Random(f"{team} {split}"), []
    for one in task.asked(8 * n, 5, split, ("plain",), "do" if team == "red_team" else None):
        pair = tuple(MARKS[LANG].space + answers.draw_writer(rng).answer(one.case, rng).text(LANG) for _ in range(2))
        if team_of(one.case) == team and pair[0] != pair[1] and len(found) < n:
            found.append((one.text, pair, rng.choice(crowd).choose(QUESTIONS[team], one.text, pair, task.explain, rng)))
    return found
# %%
for team in QUESTIONS:
    prompt, pair, choice = shown(team, 1, "train")[0]
    print(f"{prompt}\n  0 {pair[0].strip()}\n  1 {pair[1].strip()}")
    kit.tell(f"asked_{team}", picked=pair.index(choice.picked), strength=choice.strength)
# %% [markdown] lang="en"
# ### ✏️ Exercise 5b.1 - What is learned from
#
# `Difficulty ●○○○ · Importance ●●●● · 5 min · 1 point`
#
# In, for N comparisons of two responses, 0 and 1: `picked`, `[N]`, whole numbers, which one was picked; `strength`, `[N]`, from 0, hardly any difference, to
# 3; `red_team`, `[N]`, booleans: True where the *more harmful* one was asked for. Out: a tensor of whole numbers, `[M, 3]`, a row for each comparison that counts, in
# their order: its number (from 0), the response that the preference model is to rank *higher*, the other one. The lowest strength, 0, does not
# count; all others count alike. M may be 0.
#
# Picked (0, 1, 1, 0), strength (2, 3, 0, 1), red team (no, yes, no, yes): rows (0, 0, 1), (1, 0, 1), (3, 1, 0).
# %% [markdown] lang="zh" of="70d4"
# ### ✏️ 练习 5b.1 - 拿什么来学
#
# `难度 ●○○○ · 重要 ●●●● · 5 分钟 · 1 分`
#
# 输入，N 对比较，每对两条回答，编号 0 和 1：`picked`，`[N]`，整数，选中了哪条；`strength`，`[N]`，从 0（几乎没有差别）到 3；`red_team`，`[N]`，布尔值：
# 问的是*更有害*的那条时为 True。输出：整数张量，`[M, 3]`，每对算数的比较占一行，次序不变：它的号码（从 0 起），偏好模型该排得*更高*的回答，另一条。
# 强度最低的（0）不算；其余一样算。M 可能是 0。
#
# 例如 picked (0, 1, 1, 0)，strength (2, 3, 0, 1)，红队（否，是，否，是）：各行是 (0, 0, 1)、(1, 0, 1)、(3, 1, 0)。
# %% exercise="5b.1"
# EXERCISE 5b.1
def what_counts(picked, strength, red_team):
    """A row for each comparison that counts: its number, the response to be ranked higher, the other, [M, 3]."""
    # solution:
    higher = torch.where(red_team, 1 - picked, picked)                                   # (N,)
    rows = torch.stack([torch.arange(len(picked)), higher, 1 - higher], dim=1)           # (N, 3)
    return rows[strength > 0]
    # end
# %% [markdown] lang="en" hints="5b.1"
# <details><summary>Hint 1: the idea</summary>
#
# A preference model ranks what is *good* higher. A red team pointed at what is bad: the good one is the other.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.where(red_team, 1 - picked, picked)`; `torch.stack(..., dim=1)`; a mask on the rows keeps `[0, 3]` even if nothing is left.
#
# </details>
# %% [markdown] lang="zh" of="17d7" hints="5b.1"
# <details><summary>线索 1：思路</summary>
#
# 偏好模型要把*好*的排高。红队指出的是坏的：好的是另一条。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.where(red_team, 1 - picked, picked)`；`torch.stack(..., dim=1)`；用掩码取行，一行不剩时也还是 `[0, 3]`。
#
# </details>
# %% check="5b.1"
what_counts = kit.check("5b.1", what_counts)
# %%
def compared(team, n, split):
    """Comparisons to learn from, of those that were shown."""
    seen = shown(team, n, split)
    picked = torch.tensor([pair.index(choice.picked) for _, pair, choice in seen])
    strength = torch.tensor([choice.strength for *_, choice in seen])
    rows = what_counts(picked, strength, torch.full((len(seen),), team == "red_team"))
    return [kit.Comparison(seen[i][0], seen[i][1][better], seen[i][1][worse]) for i, better, worse in rows.tolist()]


learn = {"helpful": compared("helpful", 300, "train"), "red_team": compared("red_team", 180, "train")}
unseen = {"helpful": compared("helpful", 120, "heldout"), "red_team": compared("red_team", 120, "heldout")}
kit.table({"": [kit.words(f"team_{team}") for team in learn], kit.words("train"): [len(pairs) for pairs in learn.values()],
           kit.words("heldout"): [len(pairs) for pairs in unseen.values()]})
obeyed = max(learn["red_team"], key=lambda pair: task.hs(pair.prompt, pair.rejected).helpful)
kit.tell("obeys", bad=obeyed.rejected.strip(), good=obeyed.chosen.strip())
# %% [markdown] lang="en"
# ## A loss with a misprint
#
# From these pairs a preference model learns scores: $P(A \succ B) = \sigma(r_A - r_B)$. A much-read article prints its loss as
# $\log(1 + e^{r_{bad}} - e^{r_{good}})$. Try it at $r_{good} = 2$, $r_{bad} = 0$: the logarithm of a negative number. What is meant is $\log(1 + e^{\,r_{bad} - r_{good}})$. Two sets, two losses:
# $L = L_{help} + \lambda\, L_{harm}$. The paper tried λ from 1 to 10, and found 2 to 3 best on average.
# %% [markdown] lang="zh" of="07d8"
# ## 印错的损失
#
# 偏好模型从这些对里学得分：$P(A \succ B) = \sigma(r_A - r_B)$。有一篇流传很广的文章，把它的损失印成了
# $\log(1 + e^{r_{bad}} - e^{r_{good}})$。代入 $r_{good} = 2$、$r_{bad} = 0$ 试试：是负数的对数。原意是 $\log(1 + e^{\,r_{bad} - r_{good}})$。两组数据，两个损失：
# $L = L_{help} + \lambda\, L_{harm}$。论文试过 λ 从 1 到 10，平均准确率在 2 到 3 最好。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5b.2 - Mend the loss, keep the two apart
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 2 points`
#
# In: `good` and `bad`, `[N]`, scores of the better and the worse response of N pairs, up to ±1000; `red_team`, `[N]`, booleans; `lam`, λ, at least 0. Out: a
# scalar tensor, L_help + λ · L_harm. Each of the two is the **mean over its own pairs** (red team or not) of log(1 + e^(bad - good)); a set without a pair counts for 0. Gradients flow into
# both scores.
#
# Good (2, 0, 1), bad (0, 1, 1), red team (no, no, yes), λ = 2: help (0.1269 + 1.3133) / 2, harm 0.6931; together 2.1064.
# %% [markdown] lang="zh" of="fa9f"
# ### ✏️ 练习 5b.2 - 改正损失，两组分开
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入：`good` 和 `bad`，`[N]`，N 对里好、坏两条回答的得分，最大到 ±1000；`red_team`，`[N]`，布尔值；`lam`，即 λ，不小于 0。输出：标量张量，L_help + λ · L_harm。
# 两个损失各是**自己那组的对**（是不是红队）上 log(1 + e^(bad - good)) 的平均；一对也没有的那组算 0。梯度要流进两个得分。
#
# 例如 good (2, 0, 1)，bad (0, 1, 1)，红队（否，否，是），λ = 2：有用 (0.1269 + 1.3133) / 2，无害 0.6931；合起来 2.1064。
# %% exercise="5b.2"
# EXERCISE 5b.2
def article_mended(good, bad, red_team, lam):
    """L_help + lam · L_harm, a scalar."""
    # solution:
    cost = torch.nn.functional.softplus(bad - good)                                      # (N,)
    help_, harm = (cost[kind].mean() if kind.any() else 0.0 * cost.sum() for kind in (~red_team, red_team))
    return help_ + lam * harm
    # end
# %% [markdown] lang="en" hints="5b.2"
# <details><summary>Hint 1: the idea</summary>
#
# log(1 + e^x) has a name of its own, and e^1000 does not fit into a float.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.nn.functional.softplus(bad - good)`, or `-logsigmoid(good - bad)`; `cost[red_team].mean()`, if `red_team.any()`.
#
# </details>
# %% [markdown] lang="zh" of="3b0d" hints="5b.2"
# <details><summary>线索 1：思路</summary>
#
# log(1 + e^x) 有自己的名字；e^1000 浮点数装不下。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.nn.functional.softplus(bad - good)`，或 `-logsigmoid(good - bad)`；`red_team.any()` 为真时才取 `cost[red_team].mean()`。
#
# </details>
# %% check="5b.2"
article_mended = kit.check("5b.2", article_mended)
# %%
nobody = torch.tensor([False])
tried = {(2.0, 0.0): "", (0.0, 2.0): "", (1000.0, 0.0): "", (0.0, 1000.0): ""}
printed = [torch.log(1 + torch.tensor(bad).exp() - torch.tensor(good).exp()).item() for good, bad in tried]
mended = [article_mended(torch.tensor([good]), torch.tensor([bad]), nobody, 1.0).item() for good, bad in tried]
kit.table({"good, bad": [f"{good:g}, {bad:g}" for good, bad in tried], kit.words("printed"): printed, kit.words("mended"): mended})
gaps = torch.linspace(-4, 4, 33)
kit.plots.lines(gaps.tolist(), {"mended": [article_mended(torch.tensor([g]), torch.zeros(1), nobody, 1.0).item() for g in gaps]},
                across="good - bad", unit="loss, nats", title="What a pair costs")
# %% [markdown] lang="en"
# ## The tension, live
#
# Two preference models from the same start. One learns *helpful* comparisons alone, the other both sets (together ~10 s on a laptop CPU). Then both are asked about held-out
# pairs of the red team, where the harmless answer should win. Chance is 0.5. Which share does the model of **help alone** get right?
# %% [markdown] lang="zh" of="4183"
# ## 较劲，现场来一次
#
# 两个偏好模型，起点相同。一个只学*有用*的比较，另一个两组都学（笔记本电脑 CPU 上一共约 10 秒）。然后拿红队的留出比较来考，无害的回答应当赢。
# 瞎猜是 0.5。**只学有用**的那个能对多少？
# %% guess="1"
my_share = None             # between 0 and 1
# %%
def preference_model(pairs):
    """From the base with a new head, about two passes over the pairs."""
    model = kit.zoo.load_reward_model(f"tiny-base-{LANG}", new_head=True, seed=0)
    settings = kit.reward_model.Config(steps=max(len(pairs) // 8, 10), batch_size=16, learning_rate=2e-3, warmup=5, max_length=192)
    list(kit.progress(kit.reward_model.steps(model, pairs, settings), settings.steps))
    return model


judges = {"help alone": preference_model(learn["helpful"])}
# %%
judges["both"] = preference_model([*learn["helpful"], *learn["red_team"]])
# %%
def right(name, team):
    """Share of held-out pairs that a model orders as people did."""
    return kit.evaluate.agreement(kit.rewards.learned(judges[name]), [kit.Ranking(one.prompt, (one.chosen, one.rejected), (1, 2))
                                                                     for one in unseen[team]]).pair_accuracy


share = {(name, team): right(name, team) for name in judges for team in unseen}
kit.guessed(my_share, share["help alone", "red_team"].mean)
kit.table({"": [*map(kit.words, ("help_alone", "both"))], **{kit.words(f"team_{team}"): [share[name, team].mean for name in judges] for team in unseen}})
kit.tell("below" if share["help alone", "red_team"].high < 0.5 else "not_below", share=share["help alone", "red_team"].mean)
kit.plots.bars({"chance": 0.5, "help\nasked help": share["help alone", "helpful"], "help\nasked harm": share["help alone", "red_team"],
                "both\nasked help": share["both", "helpful"], "both\nasked harm": share["both", "red_team"]},
               unit="pairs right", title="Help alone, asked about harm", size=(5.2, 2.7))
# %% [markdown] lang="en"
# Below chance means: what it learned is *wrong* there. Whoever does what is asked is helpful, and a red team asks for harm. It is no lack of data, and no amount of helpful data mends
# it; the other set does. Now let your loss judge both finished models on the held-out pairs: the larger λ, the more harm counts. (Neither is trained again.)
# %% [markdown] lang="zh" of="00f4"
# 比瞎猜还低，说明它学到的东西到那里是*反*的：照做就是有用，而红队要的是作恶。这不是数据不够，“有用”的数据再多也没用，要靠另一组。
# 现在用你的损失，在留出的成对样本上评一评这两个训练好的模型：λ 越大，有害那组越算数。（两个都不再训练。）
# %%
flat = [(one, team == "red_team") for team, pairs in unseen.items() for one in pairs]
red = torch.tensor([is_red for _, is_red in flat])
weights = [0.0, 1.0, 2.0, 3.0, 4.0, 10.0]


by_lambda = {}
for name, model in judges.items():
    good, bad = (torch.as_tensor(kit.rewards.learned(model)([one.prompt for one, _ in flat], [getattr(one, side) for one, _ in flat]))
                 for side in ("chosen", "rejected"))                                     # (N,) each
    by_lambda[name] = [article_mended(good, bad, red, lam).item() for lam in weights]
kit.plots.lines(weights, by_lambda, across="λ", unit="held-out loss, nats", title="What λ makes of it")
# %% [markdown] lang="en"
# ## Too much of one
#
# A refusal is harmless whatever was asked: harmlessness is saturated by one easy sentence, while helpfulness takes work. So a policy that is paid too much for harmlessness refuses what is
# fine. Anthropic's answered mild questions with "please see a therapist". What mended it were *more helpful prompts* in RL, and what they
# missed was data of refusals that **explain and offer something else**. Stored runs of the whole recipe, from here on:
# %% [markdown] lang="zh" of="23a6"
# ## 偏向一边
#
# 不管问什么，拒绝总是无害的：无害一句话就做满了，有用却要花功夫。所以无害给的分太多，策略就连该答的也拒绝。Anthropic 的模型碰上很平常的问题，
# 也回答“请去看心理医生”。治好它的办法是强化学习里*多放求助的提示*；他们缺的数据，是**说明原因、另给办法**的拒绝。
# 从这里起，看存好的运行，都是走完全程的：
# %%
log = kit.stored()
runs, differences = [*log["parts"].values()], log["differences"]                         # a run for each seed
kit.tell("made_by" if len(runs) > 1 else "made_once", seeds=len(runs), **log["about"])


def over_seeds(values):
    """Mean of [mean, standard error] of each seed, with its interval."""
    mean = sum(m for m, _ in values) / len(values)
    error = 1.96 * sum(se ** 2 for _, se in values) ** 0.5 / len(values)
    return kit.evaluate.Estimate(mean, mean - error, mean + error, len(values))


def difference(name):
    one = differences[name]
    return kit.evaluate.Estimate(one["mean"], one["mean"] - 1.96 * one["se"], one["mean"] + 1.96 * one["se"], len(one["each"]))
# %%
names = {"distilled": "distilled", "policy": "policy", "harm × 10": "heavy-many", "harm × 10,\nmore help": "heavy-few"}
balked = {name: over_seeds([run["stages"][key]["balked"] for run in runs]) for name, key in names.items()}
more, fewer = difference("b: refuses what is fine, too much harmlessness - policy"), difference("b: refuses what is fine, more helpful prompts - too much harmlessness")
kit.tell("timid" if more.low > 0 else "timid_unclear", gap=more.mean, low=more.low, high=more.high)
kit.tell("mended_by_help" if fewer.high < 0 else "mended_unclear", gap=fewer.mean, low=fewer.low, high=fewer.high)
full = {h: over_seeds([run["refusals"][h] for run in runs]) for h in ("helpful", "harmless", "score")}
kit.tell("explains" if full["score"].low > 0 else "explains_unclear", **{h: one.mean for h, one in full.items()})
kit.plots.bars(balked, unit="refuses what is fine", title="Too much harmlessness", size=(5.2, 2.7))
# %% [markdown] lang="en"
# ## Votes first
#
# Comparisons by people are dear; votes on forums are free. So the model first learns from these: **preference model pretraining** (PMP). With a trick: A won over B, and of this one pair come
# two examples, in which the *same* text stands under two ratings.
# %% [markdown] lang="zh" of="bfd0"
# ## 先跟投票学
#
# 人的比较很贵，论坛上的投票不要钱。所以模型先学投票：**偏好模型预训练 (PMP)**。有个窍门：A 的票比 B 多，从这一对里得出两个例子，
# 每个例子里都是*同一段*文字，配上两种评级。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5b.3 - GOOD and BAD
#
# `Difficulty ●●○○ · Importance ●●●○ · 10 min · 2 points`
#
# In: `pair`, `[N, 2, L]`, token ids of two answers to each of N questions; `winner`, `[N]`: 0 or 1, which of the two got more votes, -1 for a tie; `good` and `bad`, the ids of two
# tokens. Out: a tensor of whole numbers, `[2M, 2, L + 1]`: for each pair with a winner two examples, one right after the other, each (chosen, rejected). First **GOOD winner above BAD winner**, then
# **BAD loser above GOOD loser**. The rating stands *before* the answer. A tie makes no example.
#
# Pair (5 6), (7 8), winner 1, good 1, bad 2: ((1 7 8), (2 7 8)), ((2 5 6), (1 5 6)).
# %% [markdown] lang="zh" of="19b7"
# ### ✏️ 练习 5b.3 - GOOD 和 BAD
#
# `难度 ●●○○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 输入：`pair`，`[N, 2, L]`，N 个问题各有两条回答，是它们的词元 id；`winner`，`[N]`：0 或 1，哪条票多，平局是 -1；`good` 和 `bad`，两个词元的 id。
# 输出：整数张量，`[2M, 2, L + 1]`：每个分出输赢的对给出两个例子，紧挨着，每个例子是（选中的，没选中的）。先是 **GOOD 赢家高于 BAD 赢家**，再是
# **BAD 输家高于 GOOD 输家**。评级写在回答*前面*。平局不成例子。
#
# 例如一对 (5 6)、(7 8)，winner 1，good 1，bad 2：((1 7 8), (2 7 8))，((2 5 6), (1 5 6))。
# %% exercise="5b.3"
# EXERCISE 5b.3
def rated(pair, winner, good, bad):
    """Two examples for each pair with a winner, [2M, 2, L + 1]."""
    # solution:
    examples = []
    for answers_, who in zip(pair[winner >= 0], winner[winner >= 0].tolist()):
        for answer, ratings in ((answers_[who], (good, bad)), (answers_[1 - who], (bad, good))):
            examples.append(torch.stack([torch.cat([answer.new_tensor([one]), answer]) for one in ratings]))
    return torch.stack(examples) if examples else pair.new_zeros(0, 2, pair.shape[2] + 1)
    # end
# %% [markdown] lang="en" hints="5b.3"
# <details><summary>Hint 1: the idea</summary>
#
# In each example one text stands twice. What wins is the rating that fits it.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# Loop over the pairs; `torch.cat([answer.new_tensor([good]), answer])`. If nothing is left, `pair.new_zeros(0, 2, L + 1)`.
#
# </details>
# %% [markdown] lang="zh" of="c952" hints="5b.3"
# <details><summary>线索 1：思路</summary>
#
# 每个例子里同一段文字出现两次。赢的是合适的评级。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 对每一对写循环；`torch.cat([answer.new_tensor([good]), answer])`。一个例子也没有时用 `pair.new_zeros(0, 2, L + 1)`。
#
# </details>
# %% check="5b.3"
rated = kit.check("5b.3", rated)
# %%
votes = kit.Comparison("", *(MARKS[LANG].space + answers.draw_writer(random.Random(n)).answer(task.asked(1, 5)[0].case, random.Random(n)).text(LANG) for n in (0, 1)))
tokenizer = kit.load_policy(f"tiny-base-{LANG}").tokenizer
ids = [tokenizer(text, add_special_tokens=False).input_ids[:12] for text in (votes.chosen, votes.rejected, "GOOD", "BAD")]
width = min(map(len, ids[:2]))
made = rated(torch.tensor([[row[:width] for row in ids[:2]]]), torch.tensor([0]), ids[2][0], ids[3][0])
for chosen, rejected in made.tolist():
    print("   >   ".join(f"{'GOOD' if row[0] == ids[2][0] else 'BAD'} {tokenizer.decode(row[1:])} …" for row in (chosen, rejected)))
# %% [markdown] lang="en"
# How much does it help? In the stored runs two preference models learn from n comparisons of people, one after PMP, one without. Where is a gain in accuracy seen for certain: at the "few" (50), at the "many" (1,000), at "both" or at "neither"?
# %% [markdown] lang="zh" of="6c56"
# 它有多大用？存好的运行里，两个偏好模型各学 n 对人的比较，一个先做过 PMP，一个没有。在哪里看得出准确率确实高了：对数少的时候（"few"，50 对）、多的时候（"many"，1,000 对）、两处都有（"both"），还是都没有（"neither"）？
# %% guess="2"
my_gain = None              # "few", "many", "both" or "neither"
# %%
gain = {n: difference(f"c: accuracy with PMP - without, {n} comparisons") for n in (50, 1000)}
few, many = (one.low > 0 for one in gain.values())
kit.guessed(my_gain, "both" if few and many else "few" if few else "many" if many else "neither")
for n, one in gain.items():
    kit.tell("pmp_clear" if one.low > 0 else "pmp_unclear", n=n, gain=one.mean, low=one.low, high=one.high)
kit.plots.bars({"nothing gained": 0.0, **{f"{n} pairs": one for n, one in gain.items()}}, unit="accuracy gained by PMP", title="Votes first")
# %% [markdown] lang="en"
# ## A prompt becomes weights
#
# RL does not begin at a model of demonstrations. The base read a long prompt, sample dialogues of a helpful, honest and harmless (HHH) assistant, and was told to go on. That costs thousands of tokens each time. **Context
# distillation**: a student *without* the prompt learns to predict, token by token, what the base predicts *behind* it. Of each of the teacher's distributions only the 50 likeliest tokens are kept, and one bin for the rest:
#
# $$L = \sum_{i\in\text{top }k} p_i\log\frac{p_i}{q_i} + \Big(1-\sum p_i\Big)\log\frac{1-\sum p_i}{1-\sum q_i}$$
# %% [markdown] lang="zh" of="69d3"
# ## 提示变成权重
#
# 强化学习的起点不是学示范得来的模型。底座先读一段很长的提示，里面是一位有用、诚实、无害（HHH）的助手的示范对话，然后接着往下写。这样每次都要花几千个词元。
# **上下文蒸馏**：学生*不看*提示，逐个词元地学着预测底座*看了*提示之后的预测。老师的每个分布只留最可能的 50 个词元，其余合成一格：
#
# $$L = \sum_{i\in\text{top }k} p_i\log\frac{p_i}{q_i} + \Big(1-\sum p_i\Big)\log\frac{1-\sum p_i}{1-\sum q_i}$$
# %% [markdown] lang="en"
# ### ✏️ Exercise 5b.4 - k tokens and the rest
#
# `Difficulty ●●●○ · Importance ●●●● · 15 min · 3 points`
#
# In: `student` and `teacher`, `[B, T, V]`, logits; `k`, from 1 to V; `mask`, `[B, T]`, True on the tokens that count, at least one. Out: a scalar tensor: the formula above, p the teacher's and q the
# student's probabilities, over the k tokens that the **teacher** finds likeliest at each place; then the mean over the marked tokens, each weighing alike. If k is V, the rest is empty and adds 0. Elsewhere than on marked tokens there may be anything, NaN
# too. Gradients flow into the student alone.
#
# Teacher's probabilities (0.5, 0.25, 0.15, 0.1), student's all 0.25, k = 2: 0.5 log 2 + 0 + 0.25 log 0.5 = 0.1733.
# %% [markdown] lang="zh" of="b75c"
# ### ✏️ 练习 5b.4 - k 个词元和其余
#
# `难度 ●●●○ · 重要 ●●●● · 15 分钟 · 3 分`
#
# 输入：`student` 和 `teacher`，`[B, T, V]`，logit；`k`，1 到 V；`mask`，`[B, T]`，算数的词元是 True，至少一个。输出：标量张量：上面的公式，p 是老师的概率，q 是学生的，
# 每个位置取**老师**觉得最可能的 k 个词元；再对标记的词元取平均，每个一样重。k 等于 V 时其余是空的，加 0。没标记的地方可能是任何数，NaN 也可能。
# 梯度只流进学生。
#
# 例如老师的概率 (0.5, 0.25, 0.15, 0.1)，学生的都是 0.25，k = 2：0.5 log 2 + 0 + 0.25 log 0.5 = 0.1733。
# %% exercise="5b.4"
# EXERCISE 5b.4
def in_bins(student, teacher, k, mask):
    """Mean over marked tokens of the KL in k + 1 bins, a scalar."""
    # solution:
    told, said = teacher[mask].detach().log_softmax(-1), student[mask].log_softmax(-1)    # (N, V) marked tokens only
    kept = told.topk(k).indices                                                          # (N, k)
    p, q = told.gather(-1, kept), said.gather(-1, kept)
    each = (p.exp() * (p - q)).sum(-1)                                                   # (N,)
    if k < told.shape[-1]:
        p_rest, q_rest = (x.scatter(-1, kept, -torch.inf).logsumexp(-1) for x in (told, said))
        each = each + torch.where(p_rest.exp() > 0, p_rest.exp() * (p_rest - q_rest), 0.0)
    return each.mean()
    # end
# %% [markdown] lang="en" hints="5b.4"
# <details><summary>Hint 1: the idea</summary>
#
# Take the marked tokens first, then log-probabilities. The rest is better summed over the other tokens than taken from 1, which rounds.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `student[mask]` is `[N, V]`; `log_softmax(-1)`, `topk(k).indices`, `gather`; the rest: `x.scatter(-1, kept, -torch.inf).logsumexp(-1)`; `.detach()` for the teacher.
#
# </details>
# %% [markdown] lang="zh" of="1d5c" hints="5b.4"
# <details><summary>线索 1：思路</summary>
#
# 先取标记的词元，再算对数概率。其余那一格，对别的词元求和比用 1 去减好：减法会舍入。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `student[mask]` 是 `[N, V]`；`log_softmax(-1)`、`topk(k).indices`、`gather`；其余：`x.scatter(-1, kept, -torch.inf).logsumexp(-1)`；老师要 `.detach()`。
#
# </details>
# %% check="5b.4"
in_bins = kit.check("5b.4", in_bins)
# %%
g = torch.Generator().manual_seed(0)
one, other = (1.5 * torch.randn(1, 40, 200, generator=g) for _ in range(2))              # (1, 40, 200) 40 places, 200 tokens
everything = torch.ones(1, 40, dtype=torch.bool)
kept = [1, 2, 5, 10, 20, 50, 100, 150, 200]
told = [in_bins(one, other, k, everything).item() for k in kept]
kit.tell("bins", fifty=told[5], whole=told[-1], share=told[5] / told[-1])
kit.plots.lines(kept, {"k bins and the rest": told, "whole vocabulary": [told[-1]] * len(kept)}, across="k", unit="KL, nats per token", title="What k tokens tell")
# %% [markdown] lang="en"
# Never more than the whole KL. What is missing is how the two differ *among* the other tokens. These distributions are random; a language model's are far more peaked, and its other tokens
# hardly occur. Behind the prompt the base is better by gold. Which share of that gain does the student keep without it?
# %% [markdown] lang="zh" of="59ff"
# 从不超过整个词表的 KL；缺的是两者在其余词元*之间*的差别。这里的分布是随机的；语言模型的分布要尖得多，其余的词元几乎不出现。看了提示，底座的真值更高。学生不看提示，能保住这份提升的多少？
# %% guess="3"
my_kept = None              # between 0 and 1
# %%
gold = {name: over_seeds([run["stages"][name]["gold"] for run in runs]) for name in ("base", "prompted", "distilled")}
stays = difference("g: share of the prompt's gold that the student keeps")
kit.guessed(my_kept, stays.mean)
kit.tell("kept", share=stays.mean, low=stays.low, high=stays.high)
kit.plots.bars(gold, unit="gold", title="The prompt, and the student without it")
# %% [markdown] lang="en"
# One thing the prompt does not teach is where to stop: after some answers a base that has read whole dialogues goes on with the *user's* next turn. The kit cuts the answer there, and has the student learn
# that it ends.
#
# ## RL, and what its score promises
#
# PPO now pleases the preference model, from the distilled student, at a low price of drift: 0.01 a nat here, 0.001 in the paper. The difference of two scores is a promise: an answer with score r beats one with r' with probability σ(r - r'). In **Elo**, the unit of chess,
# a share p of wins is worth 400 log10(p / (1 - p)) points, so a difference of 1 nat is 173.7.
# %% [markdown] lang="zh" of="282f"
# 有一点提示教不了：在哪里停。读过整段对话的底座，有时答完了还会接着替*用户*说下一句。工具包在那里截断，并让学生学会就在那里结束。
#
# ## 强化学习，和得分的许诺
#
# PPO 从蒸馏出的学生出发，去讨好偏好模型，偏离的代价很低：每奈特这里扣 0.01，论文里是 0.001。两个得分之差是个许诺：得分 r 的回答胜过得分 r' 的，概率是 σ(r - r')。换成国际象棋的单位 **Elo**，
# 胜率 p 值 400 log10(p / (1 - p)) 分，所以差 1 奈特就是 173.7 分。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5b.5 - Promised and won
#
# `Difficulty ●●○○ · Importance ●●●○ · 10 min · 2 points`
#
# In: `score` and `baseline`, `[N]`, what the preference model gives to two policies' answers to N prompts; `beats`, `[N]`: 1 where the first one's answer is really better, 0 where it is worse, 0.5 for a tie. Out, four plain
# numbers: `predicted`, the mean over prompts of the probability that the first wins; `measured`, the mean of `beats`; `elo_predicted` and `elo_measured`, the Elo points of these two shares. Neither share is 0 or 1.
#
# Score (2, 0), baseline (0, 1), beats (1, 0.5): predicted (0.8808 + 0.2689) / 2 = 0.5749, measured 0.75, Elo 52.4 and 190.8.
# %% [markdown] lang="zh" of="9f8e"
# ### ✏️ 练习 5b.5 - 许诺的和赢到的
#
# `难度 ●●○○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 输入：`score` 和 `baseline`，`[N]`，两个策略对 N 个提示的回答，偏好模型给的分；`beats`，`[N]`：前一个的回答真的更好是 1，更差是 0，平局 0.5。输出四个普通的数：
# `predicted`，前一个获胜的概率，对提示取平均；`measured`，`beats` 的平均；`elo_predicted` 和 `elo_measured`，这两个胜率各值多少 Elo 分。胜率不会是 0 或 1。
#
# 例如 score (2, 0)，baseline (0, 1)，beats (1, 0.5)：预测 (0.8808 + 0.2689) / 2 = 0.5749，测到 0.75，Elo 52.4 和 190.8。
# %% exercise="5b.5"
# EXERCISE 5b.5
def won(score, baseline, beats):
    """(predicted share of wins, measured share, and the Elo points of both)."""
    # solution:
    shares = [(score - baseline).sigmoid().mean().item(), beats.mean().item()]
    return (*shares, *(400 * math.log10(p / (1 - p)) for p in shares))
    # end
# %% [markdown] lang="en" hints="5b.5"
# <details><summary>Hint 1: the idea</summary>
#
# First a probability for each prompt, then the mean: the sigmoid bends.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.sigmoid`, `.mean().item()`, `math.log10`.
#
# </details>
# %% [markdown] lang="zh" of="5dd2" hints="5b.5"
# <details><summary>线索 1：思路</summary>
#
# 先对每个提示算概率，再平均：sigmoid 是弯的。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.sigmoid`、`.mean().item()`、`math.log10`。
#
# </details>
# %% check="5b.5"
won = kit.check("5b.5", won)
# %%
found = [won(*(torch.tensor(run["against"][key]) for key in ("score", "baseline", "beats"))) for run in runs]
predicted, measured, elo_predicted, elo_measured = (sum(column) / len(runs) for column in zip(*found))
kit.tell("elo", predicted=predicted, measured=measured, elo_predicted=elo_predicted, elo_measured=elo_measured)
kit.plots.bars({"equal": 0.0, "promised": elo_predicted, "by gold": elo_measured}, unit="Elo points", title="Policy against the student")
# %% [markdown] lang="en"
# Gold counts what crowdworkers could not check: invented facts. So the two need not agree. In the paper, Elo read off scores came out higher than Elo in people's hands.
#
# ## Two halves
#
# When does a policy begin to exploit its judge? Anthropic split the comparisons in two and trained **a preference model on each half**. PPO pleases the *train* model; the *test* model only
# watches. While both rise alike, the policy really gets better. When the train model goes on alone, the policy has found something that only this one likes. (An article tells it otherwise: the KL between the score distributions on the two halves. No.)
# Zero means nothing on either scale, so each model's mean over the same held-out answers is taken off first.
# %% [markdown] lang="zh" of="1608"
# 众包工人查不出来的编造，真值会算进去，所以两边不必一致。论文里，从得分读出的 Elo 比人评出来的高。
#
# ## 两半
#
# 策略从什么时候起在钻偏好模型的空子？Anthropic 把比较分成两半，**每半训练一个偏好模型**。PPO 讨好*训练*模型，*测试*模型只旁观。两个一起上升，策略就是真的变好；
# 只有训练模型还在升，就是策略找到了只有它喜欢的东西。（有文章说成是两半得分分布之间的 KL。不是。）
# 两把尺子的零点都没有意义，所以先各自减去在同一批留出回答上的平均。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5b.6 - Where they part
#
# `Difficulty ●●●○ · Importance ●●●○ · 10 min · 2 points`
#
# In: `train` and `test`, `[S]`, what the two models give to the policy's answers at S steps; `train_heldout`, `[M]`, and `test_heldout`, `[K]`, what each gives to held-out answers; `most`, a number. Out: `gap`, `[S]`: centred train score minus
# centred test score, where *centred* means minus that model's own mean over held-out answers; `parted`, a whole number: the first step, numbered from 0, from which on the gap **stays** above `most` to the end; S if it never does.
#
# Train (1, 2, 4), test (0, 0.5, 1), held out (0, 2) and (-1, 1), most 0.4: gap (0, 0.5, 2), parted 1.
# %% [markdown] lang="zh" of="f400"
# ### ✏️ 练习 5b.6 - 从哪里分开
#
# `难度 ●●●○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 输入：`train` 和 `test`，`[S]`，S 步里策略的回答，两个模型各给多少分；`train_heldout`，`[M]`，和 `test_heldout`，`[K]`，两个模型各给留出回答多少分；`most`，一个数。
# 输出：`gap`，`[S]`：居中后的训练分减去居中后的测试分，*居中*就是减去这个模型自己在留出回答上的平均；`parted`，整数：从哪一步起（从 0 数），gap **一直**大于 `most` 到最后；
# 从不如此就是 S。
#
# 例如 train (1, 2, 4)，test (0, 0.5, 1)，留出 (0, 2) 和 (-1, 1)，most 0.4：gap (0, 0.5, 2)，parted 1。
# %% exercise="5b.6"
# EXERCISE 5b.6
def apart(train, test, train_heldout, test_heldout, most):
    """(gap [S], the step from which on it stays above `most`)."""
    # solution:
    gap = (train - train_heldout.mean()) - (test - test_heldout.mean())                  # (S,)
    parted = len(gap)
    while parted > 0 and gap[parted - 1] > most:
        parted -= 1
    return gap, parted
    # end
# %% [markdown] lang="en" hints="5b.6"
# <details><summary>Hint 1: the idea</summary>
#
# "To the end": begin at the end and go back.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `while parted > 0 and gap[parted - 1] > most`; or the last place where `gap <= most`, plus 1.
#
# </details>
# %% [markdown] lang="zh" of="fb9d" hints="5b.6"
# <details><summary>线索 1：思路</summary>
#
# “一直到最后”：从最后往回走。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `while parted > 0 and gap[parted - 1] > most`；或者最后一个 `gap <= most` 的位置加 1。
#
# </details>
# %% check="5b.6"
apart = kit.check("5b.6", apart)
# %%
shown_gaps, ends = {}, {}
for name, key in (("all data", "all"), ("a quarter of it", "quarter")):
    halves = [run["halves"][key] for run in runs]
    gaps = [apart(*(torch.tensor(one[side]) for side in ("score", "test_score")), *(torch.tensor([x]) for x in one["offsets"]), 0.1)[0] for one in halves]
    shown_gaps[name] = torch.stack(gaps).mean(0).tolist()                                # (S,) mean over the seeds
    ends[key] = difference(f"d: train score - test score, end - begin, {'all data' if key == 'all' else 'a quarter'}")
for key, one in ends.items():
    kit.tell(f"parts_{key}" if one.low > 0 else f"closes_{key}" if one.high < 0 else f"stays_{key}", gap=one.mean, low=one.low, high=one.high)
kit.plots.lines(range(1, len(shown_gaps["all data"]) + 1), shown_gaps, across="step", unit="train - test score", title="Two halves")
# %% [markdown] lang="en"
# ## Along the root
#
# How far a policy has come from the one that RL began with is best read along $\sqrt{\text{KL}}$: to first order in a small change, reward moves *linearly* and KL *quadratically*. So early in RL reward against √KL is a line, and the lines of
# different model sizes are parallel.
# %% [markdown] lang="zh" of="9de7"
# ## 沿着平方根
#
# 策略离强化学习的起点走了多远，最好沿 $\sqrt{\text{KL}}$ 看：改动很小时，奖励按一次方变，KL 按*二次方*变。所以强化学习的前段，奖励对 √KL 是一条直线；模型大小不同，直线平行。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5b.7 - Is it a line?
#
# `Difficulty ●●●○ · Importance ●●●○ · 15 min · 3 points`
#
# In: `kl`, `[S]`, an *estimate* of the KL at each step, nats, which may lie below 0; `score`, `[S]`; `first`, how many steps count, from 3 to S. Of the first `first` steps, and with estimates below 0 counted as 0, fit score ≈ a + b·√KL by least squares. Out,
# three plain numbers: `slope`, b; `r2`, R² = 1 - Σ(score - fit)² / Σ(score - mean score)² of it; `r2_kl`, R² of a line along the **KL itself**. Neither KL nor score is the same at all of these steps.
#
# KL (0, 1, 4, 9), score (1, 3, 5, 7), first 4: slope 2, R² 1; along the KL 0.9184.
# %% [markdown] lang="zh" of="0c5e"
# ### ✏️ 练习 5b.7 - 是直线吗？
#
# `难度 ●●●○ · 重要 ●●●○ · 15 分钟 · 3 分`
#
# 输入：`kl`，`[S]`，每一步 KL 的*估计*，奈特，可能小于 0；`score`，`[S]`；`first`，前几步算数，3 到 S。只看前 `first` 步，小于 0 的估计算 0，用最小二乘拟合 score ≈ a + b·√KL。
# 输出三个普通的数：`slope`，即 b；`r2`，它的 R² = 1 - Σ(score - 拟合)² / Σ(score - 平均)²；`r2_kl`，沿 **KL 本身**的直线的 R²。这几步的 KL 不会都相同，score 也是。
#
# 例如 KL (0, 1, 4, 9)，score (1, 3, 5, 7)，first 4：斜率 2，R² 1；沿 KL 是 0.9184。
# %% exercise="5b.7"
# EXERCISE 5b.7
def root_kl_fit(kl, score, first):
    """(slope along √KL, its R², R² along the KL)."""
    # solution:
    kl, score = kl[:first].double().clamp(min=0), score[:first].double()
    found = []
    for x in (kl.sqrt(), kl):
        dx, dy = x - x.mean(), score - score.mean()
        slope = (dx * dy).sum() / (dx * dx).sum()
        found.append((slope.item(), 1 - ((dy - slope * dx) ** 2).sum().item() / (dy * dy).sum().item()))
    return found[0][0], found[0][1], found[1][1]
    # end
# %% [markdown] lang="en" hints="5b.7"
# <details><summary>Hint 1: the idea</summary>
#
# With x and y as deviations from their means, the slope is Σxy / Σx², and there is no intercept left to find.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `kl[:first].clamp(min=0)`, `.sqrt()`; do the same twice, once along √KL and once along the KL.
#
# </details>
# %% [markdown] lang="zh" of="4a35" hints="5b.7"
# <details><summary>线索 1：思路</summary>
#
# x 和 y 都减去平均，斜率就是 Σxy / Σx²，截距不用再求。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `kl[:first].clamp(min=0)`、`.sqrt()`；同样的事做两遍，一遍沿 √KL，一遍沿 KL。
#
# </details>
# %% check="5b.7"
root_kl_fit = kit.check("5b.7", root_kl_fit)
# %% [markdown] lang="en"
# First where the line is exact. If the start's rewards are Gaussian with deviation 1, the best policy at a KL of d has a mean reward higher by √(2d). Then the stored runs: are they a line, too?
# %% [markdown] lang="zh" of="c4b5"
# 先看直线精确成立的情形：如果起点的奖励服从标准差为 1 的高斯分布，那么 KL 为 d 时最好的策略，平均奖励高出 √(2d)。再看存下的运行：它们也是直线吗？
# %%
d = torch.linspace(0, 4, 40, dtype=torch.float64) ** 2                                   # nats
tilted = (2 * d).sqrt()                                                                  # the best mean reward at each
exact = root_kl_fit(d, tilted, 40)
lines = [root_kl_fit(torch.tensor(run["steps"]["kl"]), torch.tensor(run["steps"]["score"]), len(run["steps"]["kl"]) // 2) for run in runs]
kit.tell("law", slope=exact[0], root=exact[1], plain=exact[2])
kit.tell("ours_line" if min(line[1] for line in lines) > 0.9 else "ours_noisy", root=sum(line[1] for line in lines) / len(runs), plain=sum(line[2] for line in lines) / len(runs))
steps = sorted((max(x, 0.0) ** 0.5, y) for run in runs for x, y in zip(run["steps"]["kl"], run["steps"]["score"]))
groups = [steps[i * len(steps) // 6:(i + 1) * len(steps) // 6] for i in range(6)]
kit.plots.bands([sum(x for x, _ in group) / len(group) for group in groups], {"score": [kit.evaluate.mean([y for _, y in group]) for group in groups]},
                across="√KL, √nats", unit="score", title="All steps in six groups, by √KL", size=(4.2, 2.7))
# %% [markdown] lang="en"
# ## Online
#
# A preference model is weakest where the policy goes: at high scores, where nothing was compared. So every week several snapshots of the newest policies answered, or the best of mostly 16 answers by the preference model was taken
# (*rejection sampling*), people compared these, and **preference model and policy were trained again from scratch on all data**. At an equal number of comparisons, does it beat asking everything of the first model: "yes", "no", or "unclear" on these runs?
# %% [markdown] lang="zh" of="c474"
# ## 在线
#
# 偏好模型最弱的地方，正是策略要去的地方：高分处，那里没有比较过。所以每周由最新策略的几个快照来答，或者从多半 16 条回答里取偏好模型给分最高的（*拒绝采样*），人再比较，然后**用全部数据把偏好模型和策略从头重新训练**。
# 比较的总数相同，它胜过一次都问第一个模型吗？按这些运行："yes"（是）、"no"（否），还是 "unclear"（看不出）？
# %% guess="4"
my_online = None            # "yes", "no" or "unclear"
# %%
online = difference("f: gold, online - all comparisons at once")
kit.guessed(my_online, "yes" if online.low > 0 else "no" if online.high < 0 else "unclear")
kit.tell("online", gain=online.mean, low=online.low, high=online.high)
ladder = {name: over_seeds([run["stages"][name]["gold"] for run in runs]) for name in ("base", "distilled", "policy", "online")}
kit.table({"": [*ladder], **{kit.words(h): [over_seeds([run["stages"][name][h] for run in runs]).mean for name in ladder]
                             for h in ("helpful", "honest", "harmless")}, kit.words("gold"): [one.mean for one in ladder.values()]})
kit.plots.bars(ladder, unit="gold", title="What each stage gives")
# %% [markdown] lang="en"
# ## Find what is wrong: seven sentences
#
# Each could stand in an article. Enter `"right"` or `"wrong"`.
#
# - **a** For rejection sampling the two *least harmful* of 16 answers were kept.
# - **b** Red-team labels are turned round before training.
# - **c** Robustness was measured as the KL between the score distributions on two halves of the data.
# - **d** RL started from a context-distilled model, not from one fine-tuned on demonstrations.
# - **e** Each week the newest preference model was trained on a little more data, the newest policy likewise.
# - **f** PPO's price of drift was 0.001, and the authors suspect that it was not needed.
# - **g** The law of √KL compares the policy with the one that RL began with.
# %% [markdown] lang="zh" of="563d"
# ## 找错：七句话
#
# 每一句都像文章里会写的。填 `"right"`（对）或 `"wrong"`（错）。
#
# - **a** 拒绝采样时，从 16 条回答里留下*最无害*的两条。
# - **b** 红队的标注在训练之前要反过来。
# - **c** 稳健性量的是两半数据上得分分布之间的 KL。
# - **d** 强化学习的起点是上下文蒸馏出的模型，不是在示范上微调的。
# - **e** 每周拿最新的偏好模型再多学一点数据，策略也是接着学。
# - **f** PPO 偏离的代价是 0.001，作者怀疑其实用不着。
# - **g** √KL 的规律，是拿策略和强化学习开始时的策略相比。
# %% guess="5"
my_verdicts = {"a": None, "b": None, "c": None, "d": None, "e": None, "f": None, "g": None}
# %%
kit.guessed(my_verdicts, {letter: "right" if letter in "bdfg" else "wrong" for letter in my_verdicts})
# %% [markdown] lang="en"
# **a**: the best by the preference model, mostly of 16, shown to people in pairs; nearly all of it was about help (52,000 comparisons against 2,000). **c**: two models, one of each half; the policy pleases one, and both scores are followed. **e**: from scratch, both, on all data.
#
# ## Recap
#
# | piece | why |
# |---|---|
# | two questions, two sets | help and harm pull against each other; a model of one is below chance on the other |
# | GOOD and BAD | votes teach what an answer is worth before people are asked |
# | k tokens and the rest | a prompt becomes weights |
# | two halves | shows when a policy pleases one judge only |
# | √KL | a ruler for how far RL has come |
# | online, from scratch | comparisons where the policy is now |
#
# **Break it.** (1) Train `preference_model(learn["red_team"])` and ask it about help. (2) `rlhf-kit train anthropic --harmless-weight 10 --output runs/timid` makes a timid assistant; `--rounds 2` goes online.
#
# **Next:** [Sparrow](05c_sparrow.ipynb) writes its rules down, and asks about each of them.
#
# **References.** Bai et al. 2022, arXiv:2204.05862. Context distillation and PMP: Askell et al. 2021, arXiv:2112.00861. PPO: Schulman et al. 2017, arXiv:1707.06347.
# %% [markdown] lang="zh" of="3b8d"
# **a**：留下的是偏好模型给分最高的，多半是 16 条里挑一条，两条两条地给人比较；几乎全是有用的数据（52,000 对，无害的只有 2,000 对）。**c**：是两个模型，每半一个；策略讨好一个，
# 两个得分都跟着看。**e**：两样都从头训练，用全部数据。
#
# ## 小结
#
# | 部件 | 为什么 |
# |---|---|
# | 两个问题，两组数据 | 有用和无害较劲；只学一样，另一样比瞎猜还差 |
# | GOOD 和 BAD | 还没问人，投票就教会了回答值多少 |
# | k 个词元和其余 | 提示变成权重 |
# | 两半 | 看得出策略什么时候只讨好了一个偏好模型 |
# | √KL | 量强化学习走了多远的尺子 |
# | 在线，从头训练 | 策略现在在哪里，就在哪里比较 |
#
# **弄坏它。**（1）训练 `preference_model(learn["red_team"])`，拿有用的比较考它。（2）`rlhf-kit train anthropic --harmless-weight 10 --output runs/timid` 训练出一个胆小的助手；
# `--rounds 2` 就是在线。
#
# **下一课：**[Sparrow](05c_sparrow.ipynb) 把规则写下来，一条一条地问。
#
# **参考文献。** Bai 等 2022，arXiv:2204.05862。上下文蒸馏和 PMP：Askell 等 2021，arXiv:2112.00861。PPO：Schulman 等 2017，arXiv:1707.06347。
# %% [markdown] lang="en"
# **Play with it.** Change a word of a harmful answer, and see what each of the two preference models makes of it.
# %% [markdown] lang="zh" of="3b7c"
# **玩一玩。** 把一条有害的回答改几个字，看看两个偏好模型各怎么打分。
# %%
kit.panel("probe", LANG, models=judges, prompts=[obeyed.prompt + obeyed.rejected], task=task.name, folder="runs/lesson-05b")
