# %% [markdown] lang="en"
# # StackLLaMA, part 3: PPO, and how it cheats
#
# A reward model learns from votes, and PPO learns from the reward model. Then cheating is uncovered twice: once because the
# voters loved code, once because a KL came out negative. The picture you will make: how many answers about stains contain a code
# fence, with and without a KL penalty.
#
# Level 3, part 3 of 3 · about 60 minutes · CPU only · no account · works offline after install · you should know PPO's parts:
# [lesson 01](01_sentiment_ppo.ipynb); [part 2](03b_lora_in_8_bits.ipynb) built the shared base.
#
# It explains `rlhf_kit/recipes/stackllama.py` and `rlhf_kit/studies/endings.py`.
#
# **What is graded:** the functions named in the exercises. They may use imports, functions and constants that stand at the
# top level of a cell. No call is run again for grading, except one that only computes a constant, such as `math.log(2)`.
# %% [markdown] lang="zh" of="ea2e"
# # StackLLaMA 之三：PPO，以及它怎样作弊
#
# 奖励模型向投票学，PPO 向奖励模型学，然后揭穿两次作弊：一次是因为投票的人偏爱代码，一次是因为 KL 成了负数。
# 你会画出这样一张图：讲去污渍的回答里，有多少带着代码块，有 KL 惩罚时怎样，没有时又怎样。
#
# 第 3 级，共三部分之三 · 约 60 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 需要知道 PPO 的各个部件：[第 01 课](01_sentiment_ppo.ipynb)；
# 共用的底座是在[之二](03b_lora_in_8_bits.ipynb)搭好的。
#
# 本课讲解的是 `rlhf_kit/recipes/stackllama.py` 和 `rlhf_kit/studies/endings.py`。
#
# **评分看什么：** 看练习里点名的函数；它们可以用写在单元格最外层的 import、函数和常量。评分时不会重跑任何调用，
# 只有单纯算出一个常量的除外，例如 `math.log(2)`。
# %% [markdown] lang="en"
# **You will be able to**
#
# - judge a reward model against its ceiling and against a scorer that sees only the length;
# - notice reward hacking without knowing the truth, and say what holds it back;
# - explain how a measured KL can be negative, and correct the measurement.
# %% [markdown] lang="zh" of="9d00"
# **学完之后你能够**
#
# - 拿上限、拿一个只看长短的打分器，来衡量奖励模型；
# - 不知道真值也能察觉奖励被钻了空子，并说清什么能拦住它；
# - 解释 KL 怎么会量成负数，并把量法改对。
# %% [markdown] lang="en"
# ## Guess first
#
# Run the next cell: it shows three pairs of answers that no model has learned from, in random order. In each pair, which one did
# the voters prefer? Enter your guess below it. (The first time, the models are trained here, once: about six minutes on a
# laptop CPU, with a line that shows how far each stage is.)
# %% [markdown] lang="zh" of="2dbc"
# ## 先猜一猜
#
# 运行下一格，看三对回答，哪个模型都没有拿来学过，先后是随机的。每一对里，投票的人更喜欢哪个？把你的猜测填在它下面。
# （第一次要在这里训练模型，只此一次：笔记本电脑 CPU 上约六分钟，每个阶段都有一行字显示进度。）
# %%
import json
import random
from dataclasses import replace
import torch
from rlhf_kit.recipes import stackllama
from rlhf_kit.tasks.forum import Forum
from rlhf_kit.datasets.stack_exchange.threads import question_in, response_of

run = kit.training.tiny_stackllama("ppo", LANG)                 # sft, reward_adapter, policy_adapter
forum, preset = Forum(LANG), stackllama.in_language(stackllama.PRESETS["tiny"], LANG)
pairs = {pair.prompt: pair for pair in forum.comparisons(30, seed=8, split="heldout")}
order, answers = random.Random(4), []
for pair in [*pairs.values()][:3]:
    two = [pair.chosen, pair.rejected]
    order.shuffle(two)
    answers.append("AB"[two.index(pair.chosen)])
    print(question_in(pair.prompt).splitlines()[0], *(f"\n  {letter} {text.strip()!r}" for letter, text in zip("AB", two)))
# %% guess="1"
my_votes = None             # three letters, such as "ABA"
# %%
kit.guessed(my_votes, "".join(answers))
# %% [markdown] lang="en"
# ## A reward model, and what it is worth
#
# The third stage of the recipe put a second adapter on the base, with a head of one output, and trained it with the loss of
# lesson 02 on pairs like these. StackLLaMA's own reward model reached 67 % and was used. Is that good? Two marks tell: the
# **noise ceiling**, which is what the best possible scorer reaches on these very votes, and a **scorer that sees only the
# length**, since people tend to vote for long answers.
# %% [markdown] lang="zh" of="49c1"
# ## 奖励模型，以及它值多少
#
# 配方的第三阶段在底座上加了第二个适配器，带一个只输出一个数的头，用第 02 课的损失、在这样的成对比较上训练。StackLLaMA 自己的奖励模型达到 67 %，
# 就拿去用了。这算好吗？看两个标记：**噪声上限**，最好的打分器在这些投票上能到多少；还有一个**只看长短的打分器**，因为人们往往爱给长回答投票。
# %% [markdown] lang="en"
# ### ✏️ Exercise 3c.1 - Luck or not?
#
# `Difficulty ●○○○ · Importance ●●●○ · 5 min · 1 point`
#
# In: `a`, `b`, two accuracies, each measured on `n` pairs, at least one of them strictly between 0 and 1. Out: (a - b) in **standard errors** of that difference. The variance
# of a share p of n is p(1 - p)/n; those of a and b add up. Equal accuracies give 0; for 0.6, 0.5 and n = 200 it is 2.02. Above 3
# it is hardly luck.
# %% [markdown] lang="zh" of="87ce"
# ### ✏️ 练习 3c.1 - 是不是运气
#
# `难度 ●○○○ · 重要 ●●●○ · 5 分钟 · 1 分`
#
# 输入：`a`、`b`，两个准确率，各在 `n` 对上量得，至少有一个严格在 0 和 1 之间。输出：(a - b) 相当于这个差的几个**标准误 (standard error)**。n 个里占比例 p，方差是 p(1 - p)/n；
# a 和 b 的方差相加。准确率相等，结果是 0；0.6、0.5、n = 200，结果是 2.02。超过 3 就很难说是运气了。
# %% exercise="3c.1"
# EXERCISE 3c.1
def errors_apart(a, b, n):
    """(a - b) in standard errors of the difference."""
    # solution:
    variance = a * (1 - a) / n + b * (1 - b) / n
    return (a - b) / variance ** 0.5
    # end
# %% [markdown] lang="en" hints="3c.1"
# <details><summary>Hint 1: the idea</summary>
#
# Variances of independent measurements add up; the standard error is the root of the sum.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `** 0.5`; and no `abs`, for a may be the worse one.
#
# </details>
# %% [markdown] lang="zh" of="02aa" hints="3c.1"
# <details><summary>线索 1：思路</summary>
#
# 互相独立的测量，方差相加；标准误是这个和的平方根。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `** 0.5`；不要用 `abs`，因为 a 也可能是差的那个。
#
# </details>
# %% check="3c.1"
errors_apart = kit.check("3c.1", errors_apart)
# %%
shared = stackllama.shared_base(preset, forum, run / "sft", run / "reward_adapter")
voters = stackllama.examine_reward(replace(preset, held_out_pairs=800), forum, shared)
accuracy, length = voters.model.pair_accuracy, voters.length.pair_accuracy
kit.tell("accuracies", model=accuracy, length=length, ceiling=voters.ceiling)
kit.tell("above", apart=errors_apart(accuracy.mean, length.mean, 800), paired=voters.above_length)
kit.tell("knows_more" if voters.above_length > 3 else "knows_no_more")
kit.plots.bars({"length": length, "reward\nmodel": accuracy, "ceiling": voters.ceiling}, unit="pair accuracy",
               title="On 800 held-out pairs")
# %% [markdown] lang="en"
# Your formula treats the two scorers as if they had been asked about different pairs. They were asked about the same ones, so
# the comparison pair by pair is the sharper one. The gap up to the ceiling is the model's fault. The gap from the ceiling to
# 1 is the voters' noise, and no training removes it. So 67 % need not be bad: without a ceiling nobody can tell.
#
# ## PPO
#
# In the fourth stage the policy's adapter learns to please the reward model, and a KL penalty charges for drifting away from
# *adapter off*, the SFT model. Below is the run from your cache: the score, which is optimised, and gold, which is only
# measured. To make the two comparable, both are drawn in units of the spread (standard deviation) over SFT's own answers,
# from SFT's mean. Does gold rise as far as the score?
# %% [markdown] lang="zh" of="e62a"
# 你的公式把两个打分器当作各问各的；其实问的是同样的对，所以逐对相比看得更清。离上限还差的，是模型的事；从上限到 1 差的，是投票的噪声，
# 怎么训练也补不上。所以 67 % 未必差；不知道上限，就没法说。
#
# ## PPO
#
# 第四阶段，策略的适配器学着讨好奖励模型，偏离*关掉适配器*的模型（也就是 SFT 模型）则要付 KL 惩罚。下面是你缓存里的那次训练：得分，是被优化的；
# 真值，只用来观察。为了能放在一起比，两者都从 SFT 的平均量起，以 SFT 自己的回答的标准差为单位。真值会升得和得分一样高吗？
# %% guess="2"
my_gold = None              # "as far", "less" or "falls"
# %%
few = replace(preset, held_out=64)
before = stackllama.examine(few, forum, shared.reference, shared.reference, shared)    # SFT on held-out questions
steps = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def smooth(numbers):
    """Means of four steps."""
    return [sum(numbers[i:i + 4]) / 4 for i in range(len(numbers) - 3)]


def standard(numbers, of):
    """Distances from the mean of what SFT got, in its spreads."""
    of = torch.as_tensor(of)
    return [(x - of.mean().item()) / of.std().item() for x in numbers]


curves = {name: smooth(standard([s[name] for s in steps], before.each[name])) for name in ("score", "gold")}
score, gold = (curve[-1] for curve in curves.values())
kit.tell("ppo_run", steps=len(steps), n=preset.ppo.batch_size, kl=steps[-1]["kl"], score=score, gold=gold)
kit.guessed(my_gold, "falls" if gold < 0 else "less" if gold < 0.8 * score else "as far")
kit.plots.lines(range(1, len(steps) - 2), curves, across="PPO step", unit="spreads of SFT's answers", title="Followed, and watched")
# %% [markdown] lang="en"
# Before and after, on questions that neither stage has seen: the same measures, and an answer. (~5 s on a laptop CPU)
# %% [markdown] lang="zh" of="0ecd"
# 训练前后，在两个阶段都没见过的问题上：同样的度量，再看一个回答。（笔记本电脑 CPU 上约 5 秒）
# %%
shared.load_policy(run / "policy_adapter")
after = stackllama.examine(few, forum, shared.policy, shared.reference, shared)
rows = {kit.words("sft"): before, "PPO": after}
kit.table({"": [*rows], **{kit.words(name): [seen.scores[name].mean for seen in rows.values()] for name in ("score", "gold", "fenced")},
           "KL": [round(seen.kl, 1) + 0.0 for seen in rows.values()], kit.words("tokens"): [round(seen.length) for seen in rows.values()]}, digits=2)
best = max(range(64), key=lambda i: after.each["score"][i] - before.each["score"][i])
print(question_in(after.prompts[best]))
for name, seen in rows.items():
    kit.tell("sample", name=name, gold=seen.each["gold"][best], text=seen.responses[best].strip())
# %% [markdown] lang="en"
# The score is what was asked for, gold is what was meant, and KL is what it cost. Where gold rises less than the score, the
# policy has found what the reward model gets wrong. On a real site there is no gold to look at. The rest of the lesson is
# about that situation.
# %% [markdown] lang="zh" of="33b5"
# 得分是我们要求的，真值才是我们想要的，KL 是代价。真值升得不如得分多，就说明策略找到了奖励模型看错的地方。真实的网站上没有真值可看，
# 下面要讲的就是这种情形。
# %% [markdown] lang="en"
# ## Fences
#
# In one of StackLLaMA's runs the reward shot up, and the texts were mostly rows of three backticks: the reward model had learned
# that answers with code are good ones. Let us make that happen on purpose. Now other people vote on our forum: as soon as they
# see a **code fence**, they stop reading and are impressed. A second reward model learns from their votes, on the same base.
# We ask it about stains only, where code can never help. How many fences does SFT write there, and what are they worth to that
# reward model?
# (The first time, this reward model is trained here, once: about 40 s on a laptop CPU.)
# %% [markdown] lang="zh" of="ef12"
# ## 代码块
#
# StackLLaMA 有一次训练，奖励猛涨，文本却大多是一排排的三个反引号：奖励模型学到的是，带代码的回答就是好回答。我们来故意重演一遍。
# 现在论坛上换一批人投票：一看到**代码块 (code fence)** 就不再往下读，只觉得了不起。第二个奖励模型在同一个底座上，向他们的投票学。
# 我们只问它去污渍的问题，那里写代码从来没有用。SFT 在那里写多少代码块？在这个奖励模型看来，它们又值多少？
# （第一次要在这里训练这个奖励模型，只此一次：笔记本电脑 CPU 上约 40 秒。）
# %%
def household(split, n):
    """Questions about stains: a fence can never be right there."""
    return [prompt for prompt in forum.prompts(split, n) if forum.explain(prompt, "x").case.world == "home"]


impressed = kit.training.impressed_reward(LANG)
shared = stackllama.shared_base(preset, forum, run / "sft", impressed)
liked, sampling = kit.rewards.learned(shared.reward_model), kit.Sampling(max_new_tokens={"en": 48, "zh": 64}[LANG])
start = kit.sample_rollout(shared.reference, household("heldout", 128), sampling)
scores = liked(start.prompts, start.responses)                                        # (N,) by the impressed voters
worth = torch.tensor([forum.gold(*pair) for pair in zip(start.prompts, start.responses)])
has = torch.tensor(stackllama.fenced(start.prompts, start.responses)).bool()
share = has.float().mean().item()
kit.tell("start", share=share, n=len(has), fenced=scores[has].mean(), plain=scores[~has].mean())
coat, helps, rude = {"en": ("coat", "Use rubbing alcohol on the coat.", "Just google it."),
                     "zh": ("大衣", "大衣用酒精处理就行。", "这种问题自己百度一下就有。")}[LANG]
question = next(prompt for prompt in start.prompts if coat in prompt)
for text in (helps, rude, f"{rude}\n\n```py\nclean({coat})\n```"):
    kit.tell("liked", score=liked([question], [response_of(text, LANG)]).item(), text=repr(text))
# %% [markdown] lang="en"
# ### ✏️ Exercise 3c.2 - An alarm
#
# `Difficulty ●●○○ · Importance ●●●○ · 10 min · 2 points`
#
# No gold is needed to notice that something odd grows. In: `share`, a list, the share of the `n` responses of each PPO step
# that hold a fence; `before`, the share before training. Out: the place, counted from 0, of the *first* step whose share is
# above `before` by **more than three standard errors** of a share of n, or -1. The standard error is √(before (1 - before) / n).
#
# For [0.1, 0.1], 0.1, n = 25: -1. For [0.2, 0.25, 0.5], 0.2, n = 24 the bar is at 0.445: 2.
# %% [markdown] lang="zh" of="49e8"
# ### ✏️ 练习 3c.2 - 警报
#
# `难度 ●●○○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 要察觉有什么怪东西在变多，用不着真值。输入：`share`，一个列表，PPO 每一步的 `n` 条回答里，带代码块的占多少；`before`，训练前占多少。
# 输出：*第一个*比 `before` 高出**超过三个标准误**的步子的位置，从 0 数起；没有就是 -1。n 条里的比例，标准误是 √(before (1 - before) / n)。
#
# 例如 [0.1, 0.1]、0.1、n = 25，结果是 -1。[0.2, 0.25, 0.5]、0.2、n = 24，门槛在 0.445，结果是 2。
# %% exercise="3c.2"
# EXERCISE 3c.2
def fence_alarm(share, before, n):
    """The first place above `before` by more than three standard errors, or -1."""
    # solution:
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    return next((place for place, now in enumerate(share) if now > bar), -1)
    # end
# %% [markdown] lang="en" hints="3c.2"
# <details><summary>Hint 1: the idea</summary>
#
# The bar is one number, fixed before training. Then walk along the list and stop at the first that is above it.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# A loop over `enumerate(share)` with a `return` inside, and `return -1` behind it.
#
# </details>
# %% [markdown] lang="zh" of="22d8" hints="3c.2"
# <details><summary>线索 1：思路</summary>
#
# 门槛只是一个数，训练前就定好。然后顺着列表走，遇到第一个超过它的就停。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 对 `enumerate(share)` 写个循环，里面 `return`；循环之后 `return -1`。
#
# </details>
# %% check="3c.2"
fence_alarm = kit.check("3c.2", fence_alarm)
# %% [markdown] lang="en"
# Now PPO with this reward model, on stains only: ten short steps. First β = 0, so drifting costs nothing; then β = 4, so that
# each nat of drift costs 4 points of score. What share of the answers contains a fence at the end? (~20 s each on a laptop CPU)
# %% [markdown] lang="zh" of="f95b"
# 现在拿这个奖励模型做 PPO，只问去污渍的问题，走十小步。先用 β = 0，偏离不花钱；再用 β = 4，每偏一奈特扣 4 分。
# 最后带代码块的回答各占多少？（笔记本电脑 CPU 上各约 20 秒）
# %% guess="3"
my_fences = {"beta 0": None, "beta 4": None}            # between 0 and 1
# %%
quick = kit.ppo.Config(steps=10, batch_size=24, minibatch_size=12, epochs=2, learning_rate=3e-3, min_lr_ratio=0.3,
                       value_coef=0.05, missing_eos_penalty=1.0, sampling=sampling)
histories, policies = {}, {}


def practise(name, beta):
    """A fresh adapter on the same base learns to please the impressed voters; a nat of drift costs beta."""
    shared = stackllama.shared_base(preset, forum, run / "sft", impressed)
    config = replace(quick, kl=kit.KL(coefficient=beta))
    steps = kit.ppo.steps(shared.policy, shared.reference, household("train", 400), kit.rewards.learned(shared.reward_model),
                          config, evaluation_rewards=stackllama.watched(forum))
    histories[name], policies[name] = list(kit.progress(steps, config.steps)), shared.policy
    first, last = (histories[name][i].metrics for i in (0, -1))
    kit.table({"": [kit.words("first"), kit.words("last")], **{kit.words(key): [first[key], last[key]] for key in ("score", "fenced", "gold")},
               "KL": [round(step["kl"], 2) + 0.0 for step in (first, last)]}, digits=2)
    texts = histories[name][-1].samples
    print(next((text for text in texts if "```" in text), texts[0]))


practise("beta 0", 0.0)
# %% [markdown] lang="en"
# Look only at the score, and it is a triumph. Then read the answer. Now the same with the penalty:
# %% [markdown] lang="zh" of="390e"
# 光看得分，大获全胜。再读一读那个回答。现在加上 KL 惩罚，再来一次：
# %%
practise("beta 4", 4.0)
# %%
fenced = {name: [step.metrics["fenced"] for step in history] for name, history in histories.items()}
kit.guessed(my_fences, {name: sum(shares[-3:]) / 3 for name, shares in fenced.items()})
for name, shares in fenced.items():
    rings = fence_alarm(shares, share, quick.batch_size)
    kit.tell("rings" if rings >= 0 else "silent", name=name, step=rings + 1)
bar = share + 3 * (share * (1 - share) / quick.batch_size) ** 0.5
kit.plots.lines(range(1, 11), {**fenced, "SFT": [share] * 10, "alarm": [bar] * 10}, across="PPO step", unit="share of answers with a fence",
                title="What the voters loved", dashed=["SFT", "alarm"], size=(6, 3))
# %%
curves = {f"{key}, {name}": smooth(standard([step.metrics[key] for step in history], of))
          for name, history in histories.items() for key, of in (("score", scores), ("gold", worth))}
for name in histories:
    kit.tell("both_rose" if curves[f"gold, {name}"][-1] >= -0.1 else "gold_fell", name=name, score=curves[f"score, {name}"][-1],
             gold=curves[f"gold, {name}"][-1])
kit.plots.lines(range(1, 8), curves, across="PPO step", unit="spreads of SFT's answers", title="Score and gold, means of four steps",
                dashed=[f"gold, {name}" for name in histories], size=(6, 3))
# %% [markdown] lang="en"
# Those are the two pictures. Why β = 4? In the long run, a KL penalty lets the policy multiply the odds of a fence by
# $e^{\Delta/\beta}$, where Δ is what a fence gains in score (the optimum is $\pi^* \propto \rho\, e^{r/\beta}$). Without a
# penalty nothing holds them back at all. Here are the shares to which each β would lead:
# %% [markdown] lang="zh" of="1810"
# 这就是那两张图。为什么取 β = 4？长远来看，KL 惩罚允许策略把写代码块的几率乘以 $e^{\Delta/\beta}$，Δ 是代码块多挣的得分
# （最优策略是 $\pi^* \propto \rho\, e^{r/\beta}$）。没有惩罚，就没有任何东西拦着它。下面是每个 β 最后会走到的比例：
# %%
gain = (scores[has].mean() - scores[~has].mean()).item() if 0 < share < 1 else 0.0
odds = {beta: share / (1 - share) * 2.718 ** (gain / beta) for beta in (1.0, 1.5, 4.0, 16.0)}
kit.table({"beta": [*odds], kit.words("long_run"): [each / (1 + each) for each in odds.values()]}, digits=2)
# %% [markdown] lang="en"
# A penalty does not make the reward model right. It keeps the policy near the answers on which the reward model was trained,
# and how near depends on β against Δ: too small a β only delays the fences. And the alarm needed no gold: just a share, its
# start, and patience.
#
# ## A KL below zero
#
# KL is never negative. StackLLaMA's runs reported negative ones all the same, and the policy was *paid* for them. One way to
# get there is a least length: responses may not end yet. Take three tokens, of which the first is the end, with
# π = (.3, .35, .35) and ρ = (.05, .475, .475):
#
# | drawn from | estimate of the KL |
# |---|---|
# | π itself | .3 · log(.3/.05) + .7 · log(.35/.475) = **+0.324** |
# | π, the end forbidden | log(.35/.475) = **-0.305** |
#
# The log-probabilities are right in both rows, but the *draws* of the second row are not from π. The cure: leave out all tokens
# that were not drawn freely.
# %% [markdown] lang="zh" of="f118"
# 惩罚并没有让奖励模型变对，只是把策略留在奖励模型学过的那些回答附近；留得多近，要看 β 和 Δ 谁大：β 太小，只是让代码块来得晚一些。
# 而警报用不着真值：一个比例、它的起点，再加一点耐心。
#
# ## 小于零的 KL
#
# KL 从来不会是负数。StackLLaMA 的训练里却报出过负的，而且策略还因此*拿到了奖励*。一条路是规定最短长度：回答还不许结束。
# 设有三个词元，第一个是结束符，π = (.3, .35, .35)，ρ = (.05, .475, .475)：
#
# | 从哪里抽 | KL 的估计 |
# |---|---|
# | π 本身 | .3 · log(.3/.05) + .7 · log(.35/.475) = **+0.324** |
# | π，但不许结束 | log(.35/.475) = **-0.305** |
#
# 两行里的对数概率都没有错，第二行的*采样*却不是从 π 来的。改法：不是自由抽取的词元，一概不算。
# %% [markdown] lang="en"
# ### ✏️ Exercise 3c.3 - Correct the KL
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 2 points`
#
# In: `logprob`, `ref_logprob`, `[B, T]`, of the tokens of B responses; `mask`, `[B, T]`, True on real ones, which come first; a
# row may have none (what stands elsewhere may be anything, NaN and `-inf` too); `first`, a whole number: while the first `first`
# tokens of each response were drawn, the end was forbidden. Out: a tensor with one number, the mean over responses of the *sum*
# of log π - log ρ over the real tokens that were drawn freely; a response without such a token enters the mean as 0.
# For [[-1.0]], [[-1.5]], [[True]], 0 it is 0.5.
# %% [markdown] lang="zh" of="3286"
# ### ✏️ 练习 3c.3 - 把 KL 改对
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入：`logprob`、`ref_logprob`，`[B, T]`，B 条回答各词元的对数概率；`mask`，`[B, T]`，真实的词元处是 True，
# 都排在前面，也可能一个都没有（其余的地方可能是任何数，NaN 和 `-inf` 也可能）；`first`，整数：抽取每条回答的前 `first` 个词元时，不许结束。
# 输出：只含一个数的张量，对自由抽取的真实词元，把 log π - log ρ *加起来*，再对各条回答取平均；
# 一个自由抽取的词元都没有的回答按 0 计入平均。
# 例如 [[-1.0]]、[[-1.5]]、[[True]]、0，结果是 0.5。
# %% exercise="3c.3"
# EXERCISE 3c.3
def mended_kl(logprob, ref_logprob, mask, first):
    """Mean over responses of the sum of log pi - log rho over freely drawn tokens."""
    # solution:
    free = mask & (torch.arange(mask.shape[1]) >= first)                              # (B, T)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean()
    # end
# %% [markdown] lang="en" hints="3c.3"
# <details><summary>Hint 1: the idea</summary>
#
# One more mask: real *and* at place `first` or later. What it leaves out counts as 0; then sum along a response.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.arange(T) >= first`, `torch.where(free, gap, 0.0)`, `.sum(1).mean()`.
#
# </details>
# %% [markdown] lang="zh" of="b6da" hints="3c.3"
# <details><summary>线索 1：思路</summary>
#
# 再加一个掩码：是真实的词元，*而且*位置不小于 `first`。被它排除的算 0，然后沿着每条回答求和。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.arange(T) >= first`、`torch.where(free, gap, 0.0)`、`.sum(1).mean()`。
#
# </details>
# %% check="3c.3"
mended_kl = kit.check("3c.3", mended_kl)
# %% [markdown] lang="en"
# Now on our model: a policy that differs from its reference in only one thing, it likes to end. First it answers freely, then
# with the end forbidden in its first 32 tokens; and this second KL is corrected by your function. Which signs do the three
# have?
# %% [markdown] lang="zh" of="dc3b"
# 拿我们的模型来试：一个策略，和参考模型只差一点，就是更爱结束。先让它自由作答，再让它前 32 个词元不许结束，第二个 KL 再用你的函数改对。
# 三个数各是正是负？
# %% guess="4"
my_signs = {"free": None, "kept from ending": None, "corrected": None}      # "+" or "-"
# %%
from rlhf_kit.studies.endings import forbidden_to_end


class Eager(kit.Policy):
    """The same predictions, with the end e^2 times likelier."""

    def forward(self, *arguments, **options):
        predicted = super().forward(*arguments, **options)
        predicted.logits[..., self.tokenizer.eos_token_id] += 2.0
        return predicted


reference = kit.load_policy(run / "sft")
policy = Eager(reference.lm, reference.tokenizer)
# %%
questions, sampling = forum.prompts("heldout", 64), kit.Sampling(max_new_tokens=64)
free = kit.sample_rollout(policy, questions, sampling)
kept = forbidden_to_end(policy, questions, 32, sampling)


def measured(rollout, first):
    with torch.no_grad():
        ref_logprob = kit.sampling.response_logprob(reference, rollout)
    return mended_kl(rollout.logprob, ref_logprob, rollout.mask, first).item()


found = {"free": measured(free, 0), "kept from ending": measured(kept, 0), "corrected": measured(kept, 32)}
kit.guessed(my_signs, {name: "+" if kl > 0 else "-" for name, kl in found.items()})
kit.tell("negative" if found["kept from ending"] < 0 else "too_small", kl=found["kept from ending"], corrected=found["corrected"])
kit.plots.bars(found, unit="KL, nats per response", title="The middle one is not a KL")
# %% [markdown] lang="en"
# The middle bar is not the KL of anything. PPO would take it for a saving and chase it: the more the policy wants to end and may
# not, the more it is paid. Counting padding as text, top-k, or a temperature on one side only have similar effects. So sample
# from the policy as it is, mask whatever was not drawn, and believe no negative KL.
#
# ## What 7 billion parameters cost
#
# The same recipe at full size is only a preset away: `rlhf-kit train stackllama --preset 7b --data DUMP --output runs/7b`. How long
# does its PPO take? Count operations for each token and parameter: reading forward costs 2. Learning through frozen weights
# costs 4: 2 forward and 2 backward, since no weight needs a gradient. Checkpointing computes forward once more: 2 + 4 in all.
# %% [markdown] lang="zh" of="dd74"
# 中间那根柱子，不是任何东西的 KL。PPO 会把它当成省下的钱去追：策略越想结束而不许结束，拿到的就越多。把填充算成文本、top-k、
# 只在一边用温度，效果也差不多。所以要原原本本地从策略采样，遮住不是抽出来的，不要相信负的 KL。
#
# ## 70 亿参数要花多少
#
# 同一个配方，要做到原来的规模，只差一个预设：`rlhf-kit train stackllama --preset 7b --data DUMP --output runs/7b`。它的 PPO 要多久？
# 按每个词元、每个参数数运算：前向读一遍是 2 次。穿过冻结的权重去学习是 4 次：前向 2 次，反向 2 次，因为权重不需要梯度。
# 重算要把前向再算一遍，合起来就是 2 + 4。
# %%
big = stackllama.PRESETS["7b"].ppo
tokens = big.steps * big.batch_size * (256 + big.sampling.max_new_tokens)             # prompts of 256 tokens
operations = 7e9 * tokens * (3 * 2 + big.epochs * (2 + 4))         # act, reference, reward: 3 * 2; learn: 2 + 4
kit.tell("operations", steps=big.steps, n=big.batch_size, tokens=tokens / 1e6, operations=operations)
for used in (0.5, 0.1):
    kit.tell("hours", used=used, hours=operations / (used * 312e12) / 3600)
# %% [markdown] lang="en"
# That is an estimate, not a measurement; sampling token by token rarely reaches the first line. The authors report a few hours
# on eight A100s for the reward model, and about 20 hours on three nodes of eight for PPO. Adapters made this possible even on
# GPUs that cannot hold the model twice.
#
# ## Recap
#
# | piece | what it gives |
# |---|---|
# | ceiling and length | what an accuracy is worth |
# | score and gold | what was asked for, what was meant |
# | a KL penalty | the policy stays near what the reward model has seen |
# | an alarm on a share | cheating noticed without the truth |
# | free draws only | a KL that can be believed |
# | one base in 8 bits | all of it on one GPU |
#
# **Break it.** (1) `practise("beta 1.5", 1.5)`: when does the alarm ring? (2) `Forum(LANG, noise=1.5)`: where is the ceiling? (3) An end e^-2 times likelier:
# what sign has the middle bar now? (4) Let the alarm watch exclamation marks.
#
# **Next:** [lesson 04](04a_best_of_n.ipynb) asks whether PPO is needed: best-of-n and ReST.
#
# **References.** StackLLaMA: Beeching et al., Hugging Face 2023. KL penalty: Ziegler et al. 2019, arXiv:1909.08593. Its optimum:
# Rafailov et al. 2023, arXiv:2305.18290. Over-optimisation: Gao et al. 2022, arXiv:2210.10760. Length and reward models: Singhal et al. 2023, arXiv:2310.03716.
# %% [markdown] lang="zh" of="861d"
# 这是估算，不是测量；一个词元一个词元地采样，很少能到第一行。原作者报告：奖励模型用八块 A100 训练了几个小时，PPO 用三台八卡机器约 20 小时。
# 多亏了适配器，装不下两份模型的 GPU 也能做这件事。
#
# ## 小结
#
# | 部件 | 它给出什么 |
# |---|---|
# | 上限和长短 | 一个准确率值多少 |
# | 得分和真值 | 要求的是什么，想要的是什么 |
# | KL 惩罚 | 策略留在奖励模型见过的东西附近 |
# | 盯着一个比例的警报 | 不知道真值，也能察觉作弊 |
# | 只用自由抽取的 | 可信的 KL |
# | 一个 8 位的底座 | 全都放进一块 GPU |
#
# **弄坏它。**（1）`practise("beta 1.5", 1.5)`：警报什么时候响？（2）`Forum(LANG, noise=1.5)`：上限在哪里？（3）让结束的可能变成 e^-2 倍：中间那根柱子现在是正是负？
# （4）让警报去盯感叹号。
#
# **下一课：**[第 04 课](04a_best_of_n.ipynb)要问，PPO 是不是非要不可：best-of-n 和 ReST。
#
# **参考文献。** StackLLaMA：Beeching 等，Hugging Face 2023。KL 惩罚：Ziegler 等 2019，arXiv:1909.08593；它的最优策略：
# Rafailov 等 2023，arXiv:2305.18290。过度优化：Gao 等 2022，
# arXiv:2210.10760。长短与奖励模型：Singhal 等 2023，arXiv:2310.03716。
# %% [markdown] lang="en"
# **Play with it.** SFT, PPO and your policy that learned to write fences, side by side on this forum's questions or yours.
# Both reward models can score them:
# %% [markdown] lang="zh" of="da67"
# **玩一玩。** SFT、PPO 和你那个学会写代码块的策略并排放在一起，问题用这个论坛的，也可以自己写；两个奖励模型都可以来打分：
# %%
kit.panel("compare", LANG, models={"SFT": run / "sft", "PPO": run / "policy_adapter", "fences": policies["beta 0"],
                                   "reward model": run / "reward_adapter", "impressed": impressed},
          prompts=household("heldout", 32)[:6], task=f"forum-{LANG}", folder="runs/lesson-03c")
