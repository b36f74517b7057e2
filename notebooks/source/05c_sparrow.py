# %% [markdown] lang="en"
# # Sparrow: rules beside preferences
#
# DeepMind's Sparrow (2022) asks people two questions, apart from each other: which answer do you prefer, and does this answer break that
# rule? One model learns each, and a policy is trained on both. Here you write the loss of the one, the measure of the other, the sum that
# makes a reward of them, and the learner. The picture you will make: how that sum trades being liked for keeping the rules.
#
# Level 5, part 3 · about 75 minutes · CPU only · no account · works offline after install · you should know the ranking loss
# ([lesson 02](02_rank_loss_reward_model.ipynb)) and PPO ([lesson 01](01_sentiment_ppo.ipynb)).
#
# It explains `rlhf_kit/recipes/sparrow.py` and `rlhf_kit/formulas/choice.py`.
#
# **What is graded:** the functions named in the exercises. They may use imports, functions and constants that stand at the
# top level of a cell. No call is run again for grading, except one that only computes a constant, such as `math.log(2)`.
# %% [markdown] lang="zh" of="5814"
# # Sparrow：偏好之外，还有规则
#
# DeepMind 的 Sparrow（2022）把两个问题分开来问人：你更喜欢哪条回答？这条回答违反了那条规则没有？两个模型各学一个答案，策略同时向两者学。
# 这一课里，偏好模型的损失、规则模型的指标、把两者变成奖励的那个和，还有学习算法，都由你来写。你会画出这样一张图：这个和怎样拿守规则去换讨人喜欢。
#
# 第 5 级，之三 · 约 75 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 需要认识排序损失（[第 02 课](02_rank_loss_reward_model.ipynb)）
# 和 PPO（[第 01 课](01_sentiment_ppo.ipynb)）。
#
# 本课讲解的是 `rlhf_kit/recipes/sparrow.py` 和 `rlhf_kit/formulas/choice.py`。
#
# **评分看什么：** 看练习里点名的函数；它们可以用写在单元格最外层的 import、函数和常量。评分时不会重跑任何调用，
# 只有单纯算出一个常量的除外，例如 `math.log(2)`。
# %% [markdown] lang="en"
# **You will be able to**
#
# - turn five levels into labels, and say how well a rule model tells broken from followed;
# - write a preference model's three losses, and say what each is for;
# - see which trade-off a sum of scores makes by accident, and choose your own.
# %% [markdown] lang="zh" of="2902"
# **学完之后你能够**
#
# - 把五级标注变成标签，并说出规则模型把违规和守规则分得有多开；
# - 写出偏好模型的三项损失，说清每一项管什么；
# - 看出几个得分一加，会不知不觉做出怎样的取舍，并自己来定。
# %% [markdown] lang="en"
# ## Does this answer break that rule?
#
# Sparrow has 23 rules in plain words. A rater is given **one** of them, tries to make the model break it, and then says how it went, in five
# levels: 1 definitely broken, 2 probably broken, 3 unsure, 4 probably followed, 5 definitely followed. 1 and 2 become "broken", 4 and 5
# "followed", and 3 is left out. Our made-up island has twelve rules, each in several wordings. Its raters err now and then, but its truth is known.
# %% [markdown] lang="zh" of="f153"
# ## 这条回答违反了那条规则吗？
#
# Sparrow 有 23 条规则，都是平常的话。评审拿到**一条**，想办法引模型违反它，然后说结果如何，分五级：1 肯定违反，2 大概违反，3 说不准，
# 4 大概遵守，5 肯定遵守。1、2 记作“违规”，4、5 记作“守规则”，3 不用。我们这座虚构的小岛有十二条规则，每条有几种说法。
# 岛上的评审偶尔会看走眼，但真相是知道的。
# %%
from collections import Counter

import torch
from rlhf_kit.formulas.rule_reward import LEVELS
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.rule_labels import rule_labels

task = Assistant(LANG)
labels = rule_labels(task, 2640)
for one in labels[4:7]:
    print(f"[{LEVELS.index(one.level) + 1}] {one.rule}\n{one.prompt}{one.response}\n")
# %% [markdown] lang="en"
# ### ✏️ Exercise 5c.1 - Levels into labels
#
# `Difficulty ●○○○ · Importance ●●●○ · 5 min · 1 point`
#
# In: `level`, `[N]`, whole numbers from 1 to 5 as above, N may be 0. Out: two tensors of whole numbers, `[M]` each: `rows`, the places (from 0) of
# the labels that are learned from, in their order; `target`, for each of these **1** if the rule was broken, **0** if it was followed.
#
# Levels (1, 4, 3, 2, 5): rows (0, 1, 3, 4), target (1, 0, 1, 0).
# %% [markdown] lang="zh" of="f226"
# ### ✏️ 练习 5c.1 - 从级别到标签
#
# `难度 ●○○○ · 重要 ●●●○ · 5 分钟 · 1 分`
#
# 输入：`level`，`[N]`，1 到 5 的整数，含义如上，N 可能是 0。输出：两个整数张量，都是 `[M]`：`rows`，要拿来学的标签的位置（从 0 数起），按原来的次序；
# `target`，与之对应，违反了规则是 **1**，遵守了是 **0**。
#
# 例如级别 (1, 4, 3, 2, 5)：rows 是 (0, 1, 3, 4)，target 是 (1, 0, 1, 0)。
# %% exercise="5c.1"
# EXERCISE 5c.1
def rule_targets(level):
    """(places of the labels to learn from [M], 1 broken or 0 followed [M])."""
    # solution:
    rows = (level != 3).nonzero()[:, 0]                                                  # (M,)
    return rows, (level[rows] < 3).long()
    # end
# %% [markdown] lang="en" hints="5c.1"
# <details><summary>Hint 1: the idea</summary>
#
# First where somebody was sure, then what was said there.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `(level != 3).nonzero()[:, 0]`; a comparison becomes whole numbers with `.long()`.
#
# </details>
# %% [markdown] lang="zh" of="a9d7" hints="5c.1"
# <details><summary>线索 1：思路</summary>
#
# 先找出哪里是有把握的，再看那里说的是什么。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `(level != 3).nonzero()[:, 0]`；比较的结果用 `.long()` 变成整数。
#
# </details>
# %% check="5c.1"
rule_targets = kit.check("5c.1", rule_targets)
# %%
level = torch.tensor([LEVELS.index(one.level) + 1 for one in labels])                    # (N,)
rows, target = rule_targets(level)
counts = Counter(level.tolist())
kit.table({kit.words("level"): [*range(1, 6)], kit.words("labels"): [counts[n] for n in range(1, 6)]})
kit.tell("sure", n=len(labels), sure=len(rows), broken=target.double().mean().item())
# %% [markdown] lang="en"
# ## A model that reads the rule
#
# One classifier serves all rules. What it reads is *the rule's text*, then the dialogue, then a question: $p(\text{broken} \mid \text{dialogue}, \text{rule})$.
# So a rule with few labels profits from the others, and a rule may be worded anew. DeepMind held it against a plain safety classifier, which sees
# the dialogue alone: area under the curve 0.85 against 0.77 (as a digest of the paper has it; we could not read the appendix).
# %% [markdown] lang="zh" of="cebc"
# ## 会读规则的模型
#
# 一个分类器管所有的规则。它读到的是*规则的原文*，然后是对话，最后是一个问题：$p(\text{违规} \mid \text{对话}, \text{规则})$。
# 这样，标签少的规则能沾别的规则的光，规则换个说法也行。DeepMind 拿它和普通的安全分类器比，后者只看对话：曲线下面积 0.85 对 0.77
# （这是论文的一份转述里的数；附录我们没能读到）。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5c.2 - The area under the curve
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 2 points`
#
# In: `score`, `[N]`, of any size, high where a model thinks that the rule is broken; `broken`, `[N]`, whole numbers, 1 where it is and 0 where
# it is not, at least one of each. Out: a number, the share of pairs of a broken and a followed one in which the **broken one has the
# higher score**; a tie counts half.
#
# Scores (0.9, 0.4, 0.4, 0.1), broken (1, 1, 0, 0): of four pairs three are right and one is a tie, 0.875.
# %% [markdown] lang="zh" of="29d7"
# ### ✏️ 练习 5c.2 - 曲线下面积
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入：`score`，`[N]`，大小不限，模型认为违规的得分高；`broken`，`[N]`，整数，违规是 1，没有是 0，两种都至少有一条。
# 输出：一个数。拿一条违规的和一条守规则的配成对，**违规的那条得分更高**的对占多大比例；打平算一半。
#
# 例如得分 (0.9, 0.4, 0.4, 0.1)，broken (1, 1, 0, 0)：四对里三对排对了，一对打平，是 0.875。
# %% exercise="5c.2"
# EXERCISE 5c.2
def area(score, broken):
    """How often a broken one has the higher score than a followed one, ties half."""
    # solution:
    yes, no = score[broken == 1].double()[:, None], score[broken == 0].double()[None]    # (n, 1), (1, m)
    return ((yes > no).double() + 0.5 * (yes == no)).mean().item()
    # end
# %% [markdown] lang="en" hints="5c.2"
# <details><summary>Hint 1: the idea</summary>
#
# Compare every broken one with every followed one. No threshold is needed.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `yes[:, None] > no[None]` is a table of all pairs; its mean is the share.
#
# </details>
# %% [markdown] lang="zh" of="abb7" hints="5c.2"
# <details><summary>线索 1：思路</summary>
#
# 每一条违规的和每一条守规则的都比一次。不需要阈值。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `yes[:, None] > no[None]` 是所有对的一张表；它的平均就是比例。
#
# </details>
# %% check="5c.2"
area = kit.check("5c.2", area)
# %%
unseen = [one for one in rule_labels(task, 400, seed=99, split="heldout") if one.level != "unsure"]
truly = torch.tensor([int(LEVELS.index(one.level) < 2) for one in unseen])               # (N,)
breaks = torch.tensor([any(v.broken for v in task.rules(one.prompt, one.response).values()) for one in unseen])
guesses = {kit.words("at_random"): torch.randn(len(unseen), generator=torch.Generator().manual_seed(0)),
           kit.words("longer"): torch.tensor([float(len(one.response)) for one in unseen]), kit.words("breaks_some"): breaks.float()}
kit.table({"": [*guesses], kit.words("all_answers"): [area(score, truly) for score in guesses.values()],
           kit.words("bad_answers"): [area(score[breaks], truly[breaks]) for score in guesses.values()]})
# %% [markdown] lang="en"
# The last row knows which answers break *some* rule. That goes far, as bad answers mostly break the rule that is asked about. Among
# the answers that break something it knows nothing: there only the rule's text can help.
#
# ## With the rule, and without, live
#
# Two classifiers from the same small language model, the same labels, 110 updates: one reads the rule, the other is asked whether the answer is bad (~10 s
# each on a laptop CPU). Among held-out answers that break something, what is the area of the one *with* the rule?
# %% [markdown] lang="zh" of="5974"
# 最后一行知道哪些回答违反了*某条*规则。这已经很有用，因为差的回答，被问到的多半正是它违反的那条。
# 可是只看违规的回答，它就什么也不知道了：那里只有规则的原文帮得上忙。
#
# ## 读规则，和不读规则，现场来一次
#
# 两个分类器，从同一个小语言模型开始，用同样的标签，各 110 次更新：一个读规则，另一个只被问这条回答好不好（笔记本电脑 CPU 上各约 10 秒）。
# 在违反了某条规则的留出回答里，*读*规则的那个，面积是多少？
# %% guess="1"
my_area = None              # between 0 and 1
# %%
from rlhf_kit.methods import classifier
from rlhf_kit.models import ruling, tops
from rlhf_kit.models.judging import class_logits
from rlhf_kit.tasks.assistant.corpus import ruled

settings = classifier.Config(steps=110, batch_size=24, learning_rate=3e-3, warmup=10, max_length=160, keep=ruling.KEEP)


def with_rule(dialogue, rule):
    return ruled(dialogue, rule, LANG)


def learned_scores(asks):
    """Train a classifier on what `asks` writes, and score the held-out labels: (N,), high for broken."""
    base = kit.load_policy(f"tiny-base-{LANG}", value_head=False)
    model = tops.Trunk(base.lm, base.tokenizer, share=0.8).classifier(0, ruling.LABELS)
    examples = [(asks(labels[i].prompt + labels[i].response, labels[i].rule), t) for i, t in zip(rows.tolist(), target.tolist())]
    list(kit.progress(classifier.steps(model, base.tokenizer, examples, settings), settings.steps))
    texts = [asks(one.prompt + one.response, one.rule) for one in unseen]
    logits = class_logits(model, base.tokenizer, texts, max_length=160, keep=ruling.KEEP)     # (N, 2)
    return logits[:, 1] - logits[:, 0]


reads_rule = learned_scores(with_rule)
# %%
is_it_bad = learned_scores(ruling.ask_without_rule)
found = {"reads the rule": reads_rule, "is it bad?": is_it_bad}
kit.guessed(my_area, area(reads_rule[breaks], truly[breaks]))
kit.table({"": [kit.words("with_rule"), kit.words("without_rule")], kit.words("all_answers"): [area(s, truly) for s in found.values()],
           kit.words("bad_answers"): [area(s[breaks], truly[breaks]) for s in found.values()]})
sure = {name: kit.evaluate.area(s[breaks], truly[breaks]) for name, s in found.items()}
kit.tell("reads" if sure["reads the rule"].low > 0.5 else "hardly", low=sure["reads the rule"].low, high=sure["reads the rule"].high)
kit.plots.bars({"chance": 0.5, **sure}, unit="area, answers that break some rule",
               title="Does it read the rule?", size=(5, 2.7))
# %% [markdown] lang="en"
# Here four of five layers learned. Sparrow trains the top fifth of its layers. At our size that is one layer, and whether one layer is enough
# to read a rule you will see in the stored runs.
#
# ## Which answer do you prefer?
#
# At each turn of a dialogue a rater sees up to four candidates and picks one. The preference model scores each. To these candidates DeepMind added
# **distractors**: replies from *other* dialogues, which nobody picked. They teach that a reply off the topic is worse than any on it.
# %% [markdown] lang="zh" of="d9f1"
# 这里五层里有四层在学。Sparrow 只训练最上面的五分之一。在我们的规模上那就是一层；一层够不够读懂规则，看存好的运行就知道。
#
# ## 你更喜欢哪条回答？
#
# 对话的每个回合，评审看到最多四条候选，选出一条。偏好模型给每条打分。DeepMind 还往候选里加了**干扰项 (distractor)**：来自*别的*对话的回答，谁也没有选它们。
# 它们教给模型：跑题的回答，比哪条不跑题的都差。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5c.3 - Pick distractors
#
# `Difficulty ●●○○ · Importance ●●●○ · 10 min · 2 points`
#
# In, for one turn: `dialogue`, the number of its dialogue; `candidates`, a list, the numbers of the texts that the rater saw; `other` and `reply`,
# lists of equal length, maybe empty: replies that were drawn, in this order, the number of the dialogue and of the text of each; `n`, 0 or more. Go through the drawn
# replies in order and take those that come from **another dialogue**, and whose text is **neither a candidate's nor that of one already taken**,
# until `n` are taken. Out: their places in `reply` (from 0), a tensor of whole numbers, shorter than `n` where there are not enough.
#
# Dialogue 3, candidates [11, 12], other [3, 5, 6, 2, 7, 2], reply [21, 12, 22, 22, 23, 24], n 2: places (2, 4).
# %% [markdown] lang="zh" of="90ec"
# ### ✏️ 练习 5c.3 - 挑干扰项
#
# `难度 ●●○○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 输入，一个回合的：`dialogue`，它属于哪段对话，一个编号；`candidates`，列表，评审看到的各条的文本编号；`other` 和 `reply`，一样长的列表，可能为空：
# 按这个次序抽出来的回答，各自的对话编号和文本编号；`n`，0 或更大。按次序逐条看，凡是来自**别的对话**，而且文本**既不是候选，也没有被取过**的，就取，
# 取够 `n` 条为止。输出：它们在 `reply` 里的位置（从 0 数起），整数张量；不够 `n` 条时就短一些。
#
# 例如对话 3，候选 [11, 12]，other [3, 5, 6, 2, 7, 2]，reply [21, 12, 22, 22, 23, 24]，n 是 2：位置 (2, 4)。
# %% exercise="5c.3"
# EXERCISE 5c.3
def distractors(dialogue, candidates, other, reply, n):
    """Places of at most n replies from other dialogues, each text once and no candidate's."""
    # solution:
    taken, places = set(candidates), []
    for place, (where, text) in enumerate(zip(other, reply)):
        if where != dialogue and text not in taken and len(places) < n:
            taken.add(text)
            places.append(place)
    return torch.tensor(places, dtype=torch.long)
    # end
# %% [markdown] lang="en" hints="5c.3"
# <details><summary>Hint 1: the idea</summary>
#
# Remember the texts that must not come again: at first those of the candidates, then each one that you take. What you pass over is not remembered.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# A `set`, `enumerate(zip(other, reply))`; `torch.tensor(places, dtype=torch.long)` is right for an empty list, too.
#
# </details>
# %% [markdown] lang="zh" of="4029" hints="5c.3"
# <details><summary>线索 1：思路</summary>
#
# 记住不能再出现的文本：开始时是候选的，之后每取一条就加上一条。跳过的不用记。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `set`、`enumerate(zip(other, reply))`；`torch.tensor(places, dtype=torch.long)` 对空列表也对。
#
# </details>
# %% check="5c.3"
distractors = kit.check("5c.3", distractors)
# %%
met = task.candidates(200, 3, seed=4)
pool = [(where, reply) for where, (_, responses) in enumerate(met) for reply in responses]
numbers = {text: number for number, text in enumerate(dict.fromkeys(reply for _, reply in pool))}
drawn = torch.randperm(len(pool), generator=torch.Generator().manual_seed(1)).tolist()[:12]
places = distractors(0, [numbers[text] for text in met[0][1]], [pool[i][0] for i in drawn], [numbers[pool[i][1]] for i in drawn], 2)
print(met[0][0], *(f"  + {text.strip()}" for text in met[0][1]), *(f"  - {pool[drawn[i]][1].strip()}" for i in places.tolist()), sep="\n")
# %% [markdown] lang="en"
# ## Three losses
#
# For M candidates (distractors among them) with scores $r_1 \ldots r_M$, of which c was picked:
#
# $$\underbrace{-\log\frac{e^{r_c}}{\sum_i e^{r_i}}}_{\text{choice}} \;+\; w\,\underbrace{\frac{1}{M-1}\sum_{j\neq c}\log\!\big(1+e^{r_j-r_c}\big)}_{\text{pairs (Bradley-Terry)}}
# \;+\; \lambda\,\underbrace{\Big(\frac1M\sum_i r_i\Big)^2}_{\text{centring}}$$
#
# The paper has these three terms; its coefficients we could not read, w = 1 and λ = 0.1 are ours. An article prints the middle term as
# $\log(1 + e^{r_j} - e^{r_c})$: at equal scores that is 0 instead of ln 2, and where $r_c$ is large it is NaN.
# %% [markdown] lang="zh" of="e8f9"
# ## 三项损失
#
# M 条候选（干扰项也在内）得分 $r_1 \ldots r_M$，被选的是 c：
#
# $$\underbrace{-\log\frac{e^{r_c}}{\sum_i e^{r_i}}}_{\text{选择}} \;+\; w\,\underbrace{\frac{1}{M-1}\sum_{j\neq c}\log\!\big(1+e^{r_j-r_c}\big)}_{\text{各对 (Bradley-Terry)}}
# \;+\; \lambda\,\underbrace{\Big(\frac1M\sum_i r_i\Big)^2}_{\text{居中}}$$
#
# 论文里有这三项；系数我们没能读到，w = 1、λ = 0.1 是我们定的。有一篇文章把中间那项印成了 $\log(1 + e^{r_j} - e^{r_c})$：
# 得分相等时它是 0，而不是 ln 2；$r_c$ 大的时候它是 NaN。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5c.4 - The preference model's losses
#
# `Difficulty ●●●○ · Importance ●●●● · 15 min · 3 points`
#
# In: `score`, `[B, M]`, of B turns, to be differentiated; `chosen`, `[B]`, the place of the candidate that was picked; `mask`, `[B, M]`,
# True on the first few places of each row, at least 2, where there is a candidate (elsewhere anything may stand, NaN and `-inf` too).
# Out: three tensors with one number each, `choice`, `pairs` and `centring`: the terms above **without w and λ**, each of them for each turn with its own
# M, then the **mean over the turns**. Neither values nor gradients may become infinite or NaN for scores up to ±1000.
#
# One turn (2, 1, 0, -3), chosen 0: choice 0.4121, pairs (0.3133 + 0.1269 + 0.0067) / 3 = 0.1490, centring 0.
# %% [markdown] lang="zh" of="153a"
# ### ✏️ 练习 5c.4 - 偏好模型的损失
#
# `难度 ●●●○ · 重要 ●●●● · 15 分钟 · 3 分`
#
# 输入：`score`，`[B, M]`，B 个回合的得分，要能求导；`chosen`，`[B]`，被选的候选的位置；`mask`，`[B, M]`，每行前几个位置是 True，至少两个，
# 那里有候选（其余的地方可能是任何数，NaN 和 `-inf` 也可能）。输出：三个张量，各含一个数，`choice`、`pairs`、`centring`：上面的三项，**不乘 w 和 λ**，
# 每个回合用它自己的 M 各算一次，再**对各回合取平均**。得分在 ±1000 以内，值和梯度都不能是无穷大或 NaN。
#
# 例如一个回合 (2, 1, 0, -3)，chosen 是 0：choice 0.4121，pairs (0.3133 + 0.1269 + 0.0067) / 3 = 0.1490，centring 0。
# %% exercise="5c.4"
# EXERCISE 5c.4
def preference_losses(score, chosen, mask):
    """(choice, pairs, centring), each the mean over the turns."""
    # solution:
    clean = score.masked_fill(~mask, 0.0)                                                # (B, M)
    choice = torch.nn.functional.cross_entropy(clean.masked_fill(~mask, -torch.inf), chosen)
    own = clean.gather(1, chosen[:, None])                                               # (B, 1)
    others = mask & (torch.arange(mask.shape[1]) != chosen[:, None])                     # (B, M)
    lost = torch.nn.functional.softplus(clean - own).masked_fill(~others, 0.0)
    pairs = (lost.sum(1) / others.sum(1)).mean()
    return choice, pairs, (clean.sum(1) / mask.sum(1)).square().mean()
    # end
# %% [markdown] lang="en" hints="5c.4"
# <details><summary>Hint 1: the idea</summary>
#
# Put 0 in the padding first. For the choice the padding must have no probability, for the other two it must not be counted.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `masked_fill`, `gather(1, chosen[:, None])`; `torch.nn.functional.cross_entropy` with `-inf` in the padding; `softplus` for log(1 + eˣ).
#
# </details>
# %% [markdown] lang="zh" of="6f74" hints="5c.4"
# <details><summary>线索 1：思路</summary>
#
# 先把填充处换成 0。算选择时，填充不能有概率；算另外两项时，填充不能算数。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `masked_fill`、`gather(1, chosen[:, None])`；`torch.nn.functional.cross_entropy`，填充处放 `-inf`；log(1 + eˣ) 用 `softplus`。
#
# </details>
# %% check="5c.4"
preference_losses = kit.check("5c.4", preference_losses)
# %% [markdown] lang="en"
# What is centring for? Below, four candidates are picked in shares of 60, 25, 10 and 5 %, and their scores all begin at 5. Where does their mean end without the
# third term, and where with it?
# %% [markdown] lang="zh" of="89a3"
# 居中项管什么？下面四条候选，被选的比例是 60%、25%、10%、5%，得分都从 5 开始。没有第三项，它们的平均最后到哪里？有第三项呢？
# %% guess="2"
my_means = {"without": None, "with": None}
# %%
shares, everybody = torch.tensor([0.6, 0.25, 0.1, 0.05]), torch.ones(4, 4, dtype=torch.bool)


def learned(weight, updates=400):
    """Scores that fit the choices, and their mean on the way."""
    score, means = torch.full((4,), 5.0, requires_grad=True), [5.0]
    optimizer = torch.optim.SGD([score], lr=1.0)
    for _ in range(updates):
        each = [preference_losses(score[None], torch.tensor([c]), everybody[:1]) for c in range(4)]
        loss = sum(share * (choice + weight * centring) for share, (choice, _, centring) in zip(shares, each))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        means.append(score.mean().item())
    return score.detach().softmax(0), means


(free, without), (pulled, centred) = learned(0.0), learned(0.1)
kit.guessed(my_means, {"without": round(without[-1], 1), "with": abs(round(centred[-1], 1))})
kit.tell("shares", without=", ".join(f"{x:.2f}" for x in free), pulled=", ".join(f"{x:.2f}" for x in pulled))
kit.plots.lines(range(401), {"without centring": without, "with centring": centred}, across="update", unit="mean score", title="Only a pull finds the zero")
# %% [markdown] lang="en"
# Both predict the same choices: the first two terms know only differences. A pull at the *mean of the squares* would have squeezed the scores
# together as well, and made the predicted choices too even.
#
# ## One number out of two judges
#
# The policy needs one reward. As an article has it: the raw preference score **plus the sum**, over all rules, of the probability $q_k$ that rule k is
# kept. As a digest of the paper has it: the *normalised* score plus the **mean**. Nobody outside can tell which is Sparrow's, and it matters. Both
# take something off an answer that is too long or no valid turn.
# %% [markdown] lang="zh" of="a9bf"
# 两种预测出的选择一样：前两项只认差。要是拉的是*平方的平均*，得分还会被挤到一起，预测的选择就太平均了。
#
# ## 两个评判，一个数
#
# 策略要的是一个奖励。一篇文章说：原始的偏好分，**加上**每条规则被守住的概率 $q_k$ 之**和**。论文的一份转述说：*标准化*的偏好分，加上**平均**。
# 外人说不清 Sparrow 用的是哪一种，可是这很要紧。太长的、不是有效回合的，两种说法都要扣分。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5c.5 - The total reward
#
# `Difficulty ●●●○ · Importance ●●●● · 15 min · 3 points`
#
# In: `preference`, `[B]`, not all equal, B at least 2; `kept`, `[B, R]`, the probability that each of R rules is kept; `valid`, `[B]`, booleans, whether it is one
# well-formed turn; `normalise` and `average`, True or False. Out: `reward`, `[B]`: the preference, with `normalise` less the mean of all B and divided by
# their standard deviation (that of `.std()`, which divides by B - 1); plus the rules' sum, with `average` their mean; less **2** where the turn is not valid.
# And `cost`, a number: how many points of **raw** preference an answer must gain to make up for one rule that it surely breaks instead of
# surely keeping (mean and deviation staying as they are).
#
# Preference (0.8, 0.2), kept ((0.95, 0.9, 0.2), (1, 1, 1)), valid (True, False), raw sum: rewards 2.85 and 1.2, cost 1.
# %% [markdown] lang="zh" of="4cda"
# ### ✏️ 练习 5c.5 - 总奖励
#
# `难度 ●●●○ · 重要 ●●●● · 15 分钟 · 3 分`
#
# 输入：`preference`，`[B]`，不全相同，B 至少是 2；`kept`，`[B, R]`，R 条规则各被守住的概率；`valid`，`[B]`，布尔值，是不是恰好一个有效的回合；
# `normalise` 和 `average`，True 或 False。输出：`reward`，`[B]`：偏好分，`normalise` 时减去全部 B 条的平均、再除以标准差（即 `.std()`，除的是 B - 1）；
# 加上各条规则之和，`average` 时是它们的平均；不是有效回合的减 **2**。还有 `cost`，一个数：一条回答肯定违反而不是肯定守住某一条规则，
# 要多得多少**原始**偏好分才补得回来（均值和标准差当作不变）。
#
# 例如偏好 (0.8, 0.2)，kept ((0.95, 0.9, 0.2), (1, 1, 1))，valid (True, False)，不标准化，求和：奖励 2.85 和 1.2，cost 是 1。
# %% exercise="5c.5"
# EXERCISE 5c.5
def total_reward(preference, kept, valid, normalise, average):
    """(reward [B], points of raw preference that make up for one broken rule)."""
    # solution:
    spread = preference.std().item() if normalise else 1.0
    liked = (preference - preference.mean()) / spread if normalise else preference
    reward = liked + (kept.mean(1) if average else kept.sum(1)) - 2 * (~valid)
    return reward, spread / (kept.shape[1] if average else 1)
    # end
# %% [markdown] lang="en" hints="5c.5"
# <details><summary>Hint 1: the idea</summary>
#
# One rule less takes 1 off the sum, 1/R off the mean. One point of raw preference is 1/deviation of a normalised one.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `.std()`, `kept.sum(1)`, `kept.mean(1)`; `~valid` turns booleans round, and 2 times a boolean is 0 or 2.
#
# </details>
# %% [markdown] lang="zh" of="300b" hints="5c.5"
# <details><summary>线索 1：思路</summary>
#
# 少守一条规则，和里少 1，平均里少 1/R。1 分原始偏好，标准化之后是 1/标准差。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `.std()`、`kept.sum(1)`、`kept.mean(1)`；`~valid` 把布尔值取反，2 乘布尔值就是 0 或 2。
#
# </details>
# %% check="5c.5"
total_reward = kit.check("5c.5", total_reward)
# %% [markdown] lang="en"
# A toy: six answers to one question, their preference scores, and how surely each keeps the rule. With a price β for drifting, the best
# policy is known, $\pi \propto e^{\text{reward}/\beta}$. Now somebody trains the preference model anew, and its scores come out **ten times as
# large**; the order is the same. Under the raw sum, does the share of answers that break the rule "rise", "fall", or stay the "same"?
# %% [markdown] lang="zh" of="f6ca"
# 一个玩具：同一个问题的六条回答，各自的偏好分，以及各自守住规则的把握。偏离要付代价 β 时，最优策略是知道的：$\pi \propto e^{\text{奖励}/\beta}$。
# 现在有人重新训练了偏好模型，得分**大了十倍**，次序没变。用原始的和，违反规则的回答会变多（"rise"）、变少（"fall"），还是不变（"same"）？
# %% guess="3"
my_change = None            # "rise", "fall" or "same"
# %%
liked, ok = torch.tensor([2.0, 1.5, 0.5, 0.0, -1.0, -0.5]), torch.tensor([0.1, 0.6, 0.9, 0.95, 0.99, 0.4])
fine, beta = torch.ones(6, dtype=torch.bool), 0.3


def ends_at(reward):
    """(mean preference, share that breaks the rule) of the best policy for a reward."""
    policy = (reward / beta).softmax(0)
    return (policy @ liked).item(), (policy @ (1 - ok)).item()


rewards = {"uniform": 0 * liked, "liked": liked, "rules": 4 * ok,
           **{f"mix_{r}": total_reward(liked, ok[:, None].expand(6, r), fine, False, False)[0] for r in (1, 4)}}
kit.table({"": [kit.words(f"reward_{name}") for name in rewards], kit.words("preference"): [ends_at(r)[0] for r in rewards.values()],
           kit.words("broken"): [ends_at(r)[1] for r in rewards.values()]})
ways = {"raw": (1, False), "raw, scores times 10": (10, False), "normalised, any scale": (10, True)}
curves = {name: [ends_at(total_reward(scale * liked, ok[:, None].expand(6, r), fine, norm, False)[0])[1] for r in range(1, 13)]
          for name, (scale, norm) in ways.items()}
gap = curves["raw, scores times 10"][3] - curves["raw"][3]
kit.guessed(my_change, "rise" if gap > 0.01 else "fall" if gap < -0.01 else "same")
kit.plots.lines(range(1, 13), curves, across="copies of the rule in the sum", unit="share that breaks it", title="A trade-off by accident")
# %% [markdown] lang="en"
# Two accidents: the scale of the scores, and how many rules there are (or how many say the same). Preference alone breaks the rule most, rules
# alone are liked least, sums lie between. Which point between is a decision. Normalise, then choose a weight.
#
# ## The learner: A2C
#
# GopherCite, from the same lab, writes out what Sparrow is said to use. No clip, no ratio; each batch of answers is learned from once. The critic V sits on the policy
# and predicts the final reward R at **every** token; and the SFT model is a **teacher** in the loss:
#
# $$L = (1-\alpha)\Big(\text{mean of } -\mathrm{sg}(R - V_t)\log\pi(y_t) + \tfrac12 (R - V_t)^2\Big) + \alpha\,\Big(\text{mean of } \mathrm{KL}\big(\pi(\cdot|t) \,\|\, \pi_{\text{teacher}}(\cdot|t)\big)\Big)$$
#
# sg: no gradient flows through it. GopherCite has α = 0.1; the weight ½ of the critic is ours.
# %% [markdown] lang="zh" of="8f8b"
# 两个意外：得分的大小，还有规则的条数（或者有几条说的是一回事）。只看偏好，违规最多；只看规则，最不讨人喜欢；和在两者之间。在中间的哪一点，是要人来定的。
# 先标准化，再选权重。
#
# ## 学习算法：A2C
#
# 同一个实验室的 GopherCite 写明了据说 Sparrow 也用的算法。没有截断，没有概率比；每批回答只学一次。价值函数 V 长在策略上，在**每个**词元预测最终的奖励 R；
# SFT 模型是损失里的**老师**：
#
# $$L = (1-\alpha)\Big(-\mathrm{sg}(R - V_t)\log\pi(y_t) + \tfrac12 (R - V_t)^2 \text{ 的平均}\Big) + \alpha\,\Big(\mathrm{KL}\big(\pi(\cdot|t) \,\|\, \pi_{\text{老师}}(\cdot|t)\big) \text{ 的平均}\Big)$$
#
# sg：梯度不从这里流过。GopherCite 的 α 是 0.1；价值那项的权重 ½ 是我们定的。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5c.6 - A2C with a teacher
#
# `Difficulty ●●●● · Importance ●●●● · 20 min · 3 points`
#
# In: `logits` and `teacher`, `[B, T, V]`, of policy and teacher where they predict each token of B answers; `token`, `[B, T]`, which token it was; `value`, `[B, T]`;
# `reward`, `[B]`; `mask`, `[B, T]`, True on the first n tokens of a row, n at least 1 (elsewhere anything may stand in logits, teacher and value, NaN too);
# `alpha`, from 0 to 1. Out: a tensor with one number, L above; each mean is over **all real tokens of the batch together**. It is
# differentiated in `logits` and `value`.
#
# One answer of two tokens, V = 2: logits ((1, 0), (0, 0)), teacher all 0, tokens (0, 1), values (0.5, 1), R = 2, α = 0.1. Log-probabilities (-0.3133, -0.6931), advantages
# (1.5, 1): policy 0.5815, critic 0.8125, KL (0.1109 + 0) / 2; L = 1.2602.
# %% [markdown] lang="zh" of="7bdc"
# ### ✏️ 练习 5c.6 - 带老师的 A2C
#
# `难度 ●●●● · 重要 ●●●● · 20 分钟 · 3 分`
#
# 输入：`logits` 和 `teacher`，`[B, T, V]`，策略和老师预测 B 条回答每个词元时的 logits；`token`，`[B, T]`，那是哪个词元；`value`，`[B, T]`；
# `reward`，`[B]`；`mask`，`[B, T]`，每行前 n 个词元是 True，n 至少是 1（其余的地方，logits、teacher 和 value 里可能是任何数，NaN 也可能）；`alpha`，从 0 到 1。
# 输出：只含一个数的张量，即上面的 L；每个平均都是对**整批所有真实的词元**一起取。它要对 `logits` 和 `value` 求导。
#
# 例如一条回答两个词元，V = 2：logits ((1, 0), (0, 0))，teacher 全是 0，词元 (0, 1)，价值 (0.5, 1)，R = 2，α = 0.1。对数概率 (-0.3133, -0.6931)，优势 (1.5, 1)：
# 策略 0.5815，价值 0.8125，KL (0.1109 + 0) / 2；L = 1.2602。
# %% exercise="5c.6"
# EXERCISE 5c.6
def a2c_loss(logits, teacher, token, value, reward, mask, alpha):
    """GopherCite's loss, one number."""
    # solution:
    now, then = logits[mask].log_softmax(-1), teacher[mask].log_softmax(-1)              # (real tokens, V)
    advantage = (reward[:, None] - value)[mask]                                          # (real tokens,)
    taken = now.gather(1, token[mask][:, None])[:, 0]
    learner = -(advantage.detach() * taken).mean() + 0.5 * advantage.square().mean()
    drift = (now.exp() * (now - then)).sum(1).mean()
    return (1 - alpha) * learner + alpha * drift
    # end
# %% [markdown] lang="en" hints="5c.6"
# <details><summary>Hint 1: the idea</summary>
#
# Take the real tokens out of every table first; then there is no padding to think of. The advantage appears twice: once it must not carry a gradient,
# once it must.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `logits[mask]` is `[real tokens, V]`; `log_softmax(-1)`, `gather`, `.detach()`; the KL is the sum over the vocabulary of π times the difference of the logarithms.
#
# </details>
# %% [markdown] lang="zh" of="a37a" hints="5c.6"
# <details><summary>线索 1：思路</summary>
#
# 先从每张表里取出真实的词元，之后就不用管填充了。优势出现两次：一次不能带梯度，一次必须带。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `logits[mask]` 是 `[真实的词元, V]`；`log_softmax(-1)`、`gather`、`.detach()`；KL 是对整个词表求和：π 乘对数之差。
#
# </details>
# %% check="5c.6"
a2c_loss = kit.check("5c.6", a2c_loss)
# %%
def pull(arm, reward, value):
    """The gradient at the second of two logits when one of two answers was drawn, at even odds."""
    logits = torch.zeros(1, 1, 2, requires_grad=True)
    a2c_loss(logits, torch.zeros(1, 1, 2), torch.tensor([[arm]]), torch.tensor([[value]]), torch.tensor([reward]),
             torch.ones(1, 1, dtype=torch.bool), 0.0).backward()
    return logits.grad[0, 0, 1].item()


pulls = {value: [pull(0, 10.0, value), pull(1, 11.0, value)] for value in (0.0, 10.5)}
kit.table({kit.words("value"): [*pulls], kit.words("first_drawn"): [one for one, _ in pulls.values()],
           kit.words("second_drawn"): [two for _, two in pulls.values()], kit.words("mean"): [(one + two) / 2 for one, two in pulls.values()],
           kit.words("variance"): [(one - two) ** 2 / 4 for one, two in pulls.values()]})
# %% [markdown] lang="en"
# Rewards 10 and 11: with a critic that says 0 each draw pulls hard, and in opposite directions. With one that says 10.5 the mean pull is the same, and there is no noise at all.
#
# ## Four models on one trunk
#
# Policy, teacher, preference model, rule model: four networks of 80 layers would be 320. Sparrow freezes the lower 64 for all of them, and each has
# its own upper 16. How many layers are held then?
# %% [markdown] lang="zh" of="98aa"
# 奖励是 10 和 11：价值函数说 0 的时候，每次抽到谁都拉得很猛，方向相反。说 10.5 的时候，平均的拉力一样，却一点噪声也没有。
#
# ## 四个模型，一个主干
#
# 策略、老师、偏好模型、规则模型：四个 80 层的网络就是 320 层。Sparrow 把下面 64 层冻住，大家共用，每个只有自己的上面 16 层。这样一共要存多少层？
# %% guess="4"
my_layers = None            # instead of 320
# %%
sft = kit.load_policy(f"tiny-base-{LANG}", value_head=False)
trunk = tops.Trunk(sft.lm, sft.tokenizer)                                                # a fifth of the layers learns
actor = trunk.policy()
held = tops.held_by([actor, actor.reference(), trunk.reward_model(), trunk.classifier()])
kit.guessed(my_layers, 64 + 4 * 16)
kit.tell("held", layers=held.layers, apart=held.layers_apart, share=held.share)
# %% [markdown] lang="en"
# ## The whole recipe
#
# SFT on what was preferred and what kept the rules; both judges; A2C on questions, dialogues, prompts that tempt, and dialogues that the policy has played with itself. Three
# policies from the same start, for as many responses: "both" judges, "preference only", "rules only". Which breaks rules most often, and which is liked least by the preference model?
# %% [markdown] lang="zh" of="21db"
# ## 整套做法
#
# SFT 学被选中的和守规则的；两个评判；A2C 用问题、对话、引诱它违规的提示，还有策略自我对弈的对话。三个策略起点相同，回答数相同：
# 用两个评判（"both"），只用偏好（"preference only"），只用规则（"rules only"）。谁违规最多？偏好模型最不喜欢谁？
# %% guess="5"
my_front = {"breaks most": None, "liked least": None}       # "both", "preference only" or "rules only"
# %%
log = kit.stored()
runs = [*log["parts"].values()]                                                          # one a seed
kit.tell("made_by" if len(runs) > 1 else "made_once", seeds=len(runs), **log["about"])


def of_stage(stage, measure):
    """Over the seeds, the mean of a measure with the interval of its prompts."""
    each = [run["stages"][stage][measure] for run in runs]                               # (mean, standard error)
    mean, half = sum(m for m, _ in each) / len(each), 1.96 * sum(se ** 2 for _, se in each) ** 0.5 / len(each)
    return kit.evaluate.Estimate(mean, mean - half, mean + half, len(each))


trained = ["both", "preference only", "rules only"]
kit.guessed(my_front, {"breaks most": max(trained, key=lambda name: of_stage(name, "broken").mean),
                       "liked least": min(trained, key=lambda name: of_stage(name, "score").mean)})
kit.table({"": ["SFT", *trained], **{kit.words(key): [of_stage(name, key).mean for name in ["sft", *trained]]
                                     for key in ("score", "kept", "broken", "helpful", "gold")}})
kit.plots.bars({"SFT" if name == "sft" else name: of_stage(name, "broken") for name in ["sft", *trained]},
               unit="share that breaks a rule", title="Rules", size=(5, 2.7))
# %%
apart = {key: log["differences"][name] for key, name in {
    "d_liked": "a: score, preference only - rules only", "d_broken": "a: broken, preference only - rules only",
    "d_both": "a: broken, both - SFT", "d_area": "b: area, rule's text (its wording) - is it bad",
    "d_bad": "b: area, rule's text (its wording, answers that break some rule) - is it bad",
    "d_stray": "c: score, candidates - stray reply, with distractors", "d_plain": "c: score, candidates - stray reply, without",
    "d_centred": "d: mean score, with centring", "d_free": "d: mean score, without"}.items() if name in log["differences"]}
bounds = {key: (one["mean"] - 1.96 * one["se"], one["mean"] + 1.96 * one["se"]) for key, one in apart.items()}
kit.table({kit.words("difference"): [kit.words(key) for key in apart], kit.words("mean"): [one["mean"] for one in apart.values()],
           kit.words("low"): [low for low, _ in bounds.values()], kit.words("high"): [high for _, high in bounds.values()]})
kit.tell("clear", n=sum(low > 0 or high < 0 for low, high in bounds.values()), of=len(bounds))
# %% [markdown] lang="en"
# Read the intervals before the means: they are of prompts (or answers), within these seeds. The last two rows are no differences: 0 is where centring wants them. The paper's tension: preference alone
# raised violations, rules alone lowered the preference rate, the mix was best. Where an interval here holds 0, our small model does not show it.
#
# ## Rerank
#
# When nothing is learned any more, Sparrow writes **eight** candidates and shows the best. The exact score is from memory and a garbled copy; as we have it, $\bar r$ being the candidates' mean:
#
# $$s_i = \frac{e^{r_i}}{e^{r_i} + e^{\bar r}} \cdot \Big(\prod_{k=1}^{R} q_{ik}\Big)^{1/R}$$
# %% [markdown] lang="zh" of="e4f4"
# 先看区间，再看平均：区间说的是这些种子里的各条提示（或回答）。最后两行不是差：居中项要的就是 0。论文里的矛盾是：只用偏好，违规更多；只用规则，更不讨人喜欢；
# 混着用最好。哪里的区间包含 0，哪里就是我们的小模型没有显出来。
#
# ## 重排
#
# 不再学习的时候，Sparrow 写**八条**候选，给人看最好的一条。这个得分的准确形式出自记忆和一份残缺的抄本；我们用的是（$\bar r$ 是各候选的平均）：
#
# $$s_i = \frac{e^{r_i}}{e^{r_i} + e^{\bar r}} \cdot \Big(\prod_{k=1}^{R} q_{ik}\Big)^{1/R}$$
# %% [markdown] lang="en"
# ### ✏️ Exercise 5c.7 - Rerank
#
# `Difficulty ●●○○ · Importance ●●●○ · 10 min · 2 points`
#
# In: `preference`, `[N]`, the scores r of N candidates, at least one, of any size; `kept`, `[N, R]`, the probabilities q, maybe 0. Out: `best`, the place
# (from 0) of the highest s, the *earlier* one if several are equal; `score`, `[N]`, all s, finite for preferences up to ±1000.
#
# Preferences (2, 0, -2), kept ((0.95, 0.9, 0.2), (1, 0.9, 1), (1, 1, 1)): scores 0.8808 · 0.5550 = 0.4889, 0.5 · 0.9655 = 0.4827 and 0.1192; best 0.
# %% [markdown] lang="zh" of="c648"
# ### ✏️ 练习 5c.7 - 重排
#
# `难度 ●●○○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 输入：`preference`，`[N]`，N 条候选的得分 r，至少一条，大小不限；`kept`，`[N, R]`，概率 q，可能是 0。输出：`best`，s 最高的那条的位置（从 0 数起），
# 有几条相同就取*前面*的；`score`，`[N]`，全部的 s，偏好在 ±1000 以内时都是有限的数。
#
# 例如偏好 (2, 0, -2)，kept ((0.95, 0.9, 0.2), (1, 0.9, 1), (1, 1, 1))：得分 0.8808 · 0.5550 = 0.4889，0.5 · 0.9655 = 0.4827，还有 0.1192；best 是 0。
# %% exercise="5c.7"
# EXERCISE 5c.7
def rerank(preference, kept):
    """(place of the best candidate, score of each [N])."""
    # solution:
    score = torch.sigmoid(preference - preference.mean()) * kept.prod(1) ** (1 / kept.shape[1])
    return score.tolist().index(score.max().item()), score
    # end
# %% [markdown] lang="en" hints="5c.7"
# <details><summary>Hint 1: the idea</summary>
#
# The first factor is the probability of beating an average candidate: divide above and below by $e^{r_i}$.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.sigmoid`, `kept.prod(1)`; `list.index` finds the first place of a value.
#
# </details>
# %% [markdown] lang="zh" of="3dc1" hints="5c.7"
# <details><summary>线索 1：思路</summary>
#
# 第一个因子是胜过一条平均的候选的概率：分子分母都除以 $e^{r_i}$。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.sigmoid`、`kept.prod(1)`；`list.index` 找到一个值第一次出现的位置。
#
# </details>
# %% check="5c.7"
rerank = kit.check("5c.7", rerank)
# %%
noise, shown = torch.Generator().manual_seed(3), {"first": [], "best liked": [], "arithmetic": [], "rerank": []}
for prompt, responses in task.candidates(120, 8, seed=5, split="heldout"):
    wanted = torch.tensor([task.hs(prompt, response).helpful for response in responses])
    broken = torch.tensor([[v.broken for v in task.rules(prompt, response).values()] for response in responses])
    kept = torch.where(broken, 0.1, 0.97) - 0.05 * torch.rand(broken.shape, generator=noise)          # (8, 12)
    preference = 4 * wanted + 0.5 * torch.randn(8, generator=noise)                                   # (8,)
    mean_of_rules = torch.sigmoid(preference - preference.mean()) * kept.mean(1)
    for name, best in zip(shown, (0, preference.argmax().item(), mean_of_rules.argmax().item(), rerank(preference, kept)[0])):
        shown[name].append((wanted[best].item(), float(broken[best].any())))
kit.table({"": [kit.words(f"show_{name}") for name in ("first", "liked", "arithmetic", "rerank")],
           kit.words("helpful"): [sum(h for h, _ in rows) / len(rows) for rows in shown.values()],
           kit.words("broken"): [sum(b for _, b in rows) / len(rows) for rows in shown.values()]})
kit.plots.bars({name: kit.evaluate.mean(torch.tensor([b for _, b in rows]), (0, 1)) for name, rows in shown.items()},
               unit="share that breaks a rule", title="Which of eight is shown", size=(5, 2.7))
# %% [markdown] lang="en"
# These two judges are made up, of the truth and some noise, so the rules are known well. An arithmetic mean over twelve rules hardly feels one that is broken; the geometric one does.
#
# ## Find what is wrong: seven sentences
#
# Each stands in some article, or could. Enter `"right"` or `"wrong"`.
#
# - **a** The preference model's loss on a pair is log(1 + e^bad - e^good).
# - **b** Of the five levels of a rule label, the middle one is not learned from.
# - **c** That Sparrow's reward is the raw preference plus the sum over the rules is beyond doubt.
# - **d** Four models that share 64 of 80 layers hold 40 % of the layers of four whole ones.
# - **e** The square of a turn's mean score, as a loss, pulls its candidates closer together.
# - **f** Distractors are replies that broke a rule.
# - **g** Under attack, people could make Sparrow break a rule 8 % of the time.
# %% [markdown] lang="zh" of="2873"
# 这里的两个评判是编出来的，由真相加一点噪声做成，所以对规则了解得很准。十二条规则取算术平均，破了一条几乎感觉不到；几何平均感觉得到。
#
# ## 找错：七句话
#
# 每一句都出自某篇文章，或者很可能出自。填 `"right"`（对）或 `"wrong"`（错）。
#
# - **a** 偏好模型在一对上的损失是 log(1 + e^bad - e^good)。
# - **b** 规则标签的五级里，中间的一级不拿来学。
# - **c** Sparrow 的奖励是原始偏好分加各条规则之和，这一点毫无疑问。
# - **d** 四个模型共用 80 层里的 64 层，一共存的层数是四个完整模型的 40%。
# - **e** 把一个回合平均分的平方当作损失，会把这个回合的候选拉得更近。
# - **f** 干扰项是违反了规则的回答。
# - **g** 有人存心引诱时，Sparrow 有 8% 的时候会违规。
# %% guess="6"
my_verdicts = {"a": None, "b": None, "c": None, "d": None, "e": None, "f": None, "g": None}
# %%
kit.guessed(my_verdicts, {letter: "right" if letter in "bdg" else "wrong" for letter in my_verdicts})
# %% [markdown] lang="en"
# **a**: log(1 + e^(bad - good)). **c**: one account has that, another the normalised score and the mean. **e**: it only takes away the freedom to shift all scores; the
# mean of the squares would pull them together. **f**: they come from other dialogues, and may be fine there.
#
# ## Recap
#
# | piece | why |
# |---|---|
# | two questions, apart | each judge learns one thing, and the trade-off is made in the open |
# | the rule's text in the input | one model for all rules, and for new wordings |
# | choice + pairs + centring | who was picked, and a zero that means something |
# | distractors | off the topic is worst |
# | normalise, then weigh | no trade-off by accident |
# | A2C with a teacher, one trunk | little memory: 128 layers instead of 320 |
# | rerank of eight, geometric mean | being liked does not make up for a broken rule |
#
# **Break it.** (1) Train `learned_scores` with `share=0.2`, Sparrow's fifth: does it still read the rule? (2) `rlhf-kit train sparrow --rule-weight 0 --output runs/liked`: what becomes of the rules?
#
# **Left out:** Sparrow also searches and quotes its evidence (78 % of such answers were supported by it).
#
# **Next:** what goes wrong, and how to see it: [lesson 06](06_when_rlhf_goes_wrong.ipynb).
#
# **References.** Sparrow: Glaese et al. 2022, arXiv:2209.14375. GopherCite: Menick et al. 2022, arXiv:2203.11147.
# %% [markdown] lang="zh" of="b3eb"
# **a**：是 log(1 + e^(bad - good))。**c**：一份材料这么说，另一份说的是标准化的得分加平均。**e**：它只去掉了整体平移的自由；拉近候选的是平方的平均。
# **f**：它们来自别的对话，放在那里也许很好。
#
# ## 小结
#
# | 部件 | 为什么 |
# |---|---|
# | 两个问题，分开问 | 每个评判只学一件事，取舍摆在明处 |
# | 规则的原文写进输入 | 一个模型管所有规则，换个说法也行 |
# | 选择 + 各对 + 居中 | 选了谁；零点有了意义 |
# | 干扰项 | 跑题最差 |
# | 先标准化，再加权 | 不会不知不觉就做了取舍 |
# | 带老师的 A2C，一个主干 | 省内存：128 层，而不是 320 层 |
# | 八选一重排，几何平均 | 讨人喜欢抵不了违规 |
#
# **弄坏它。**（1）用 `share=0.2`，即 Sparrow 的五分之一，来训练 `learned_scores`：它还读规则吗？
# （2）`rlhf-kit train sparrow --rule-weight 0 --output runs/liked`：规则会怎样？
#
# **没有讲的：**Sparrow 还会搜索，引用证据（这样的回答有 78% 得到证据支持）。
#
# **下一课：**会出什么毛病，怎么看出来：[第 06 课](06_when_rlhf_goes_wrong.ipynb)。
#
# **参考文献。** Sparrow：Glaese 等 2022，arXiv:2209.14375。GopherCite：Menick 等 2022，arXiv:2203.11147。
# %% [markdown] lang="en"
# **Play with it.** Be a rater: pick the answer that you prefer, and ask yourself which rule it breaks.
# %% [markdown] lang="zh" of="1dd6"
# **玩一玩。** 当一回评审：选出你更喜欢的回答，再问问自己，它违反了哪条规则。
# %%
kit.panel("rank", LANG, models={"base": sft}, task=task.name, folder="runs/lesson-05c",
          lists=task.candidates(3, 4, seed=21, split="heldout"))
