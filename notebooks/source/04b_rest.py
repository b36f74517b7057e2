# %% [markdown] lang="en"
# # ReST: write, filter, learn, repeat
#
# Best-of-n pays with every answer, for ever. ReST (DeepMind, 2023) pays once: the policy writes a data set, a reward scores it, and
# the policy learns from its ever better part. The picture you will make: score and gold after each Improve, over two Grows.
#
# Level 4, part 2 of 2 · about 60 minutes · CPU only · no account · works offline after install ·
# [part 1](04a_best_of_n.ipynb) comes first.
#
# It explains `rlhf_kit/formulas/offline.py` and `rlhf_kit/methods/rest.py`.
#
# **What is graded:** the functions named in the exercises. They may use imports, functions and constants that stand at the
# top level of a cell. No call is run again for grading, except one that only computes a constant, such as `math.log(2)`.
# %% [markdown] lang="zh" of="e194"
# # ReST：写、筛、学，再来一遍
#
# best-of-n 每回答一次，就要付一次代价，永远如此。ReST（DeepMind，2023）只付一次：策略写出一批数据，奖励给它打分，策略再从其中越来越好的部分学习。
# 你会画出这样一张图：两次 Grow 里，每个 Improve 之后的得分和真值。
#
# 第 4 级，共两部分之二 · 约 60 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 请先学[之一](04a_best_of_n.ipynb)。
#
# 本课讲解的是 `rlhf_kit/formulas/offline.py` 和 `rlhf_kit/methods/rest.py`。
#
# **评分看什么：** 看练习里点名的函数；它们可以用写在单元格最外层的 import、函数和常量。评分时不会重跑任何调用，
# 只有单纯算出一个常量的除外，例如 `math.log(2)`。
# %% [markdown] lang="en"
# **You will be able to**
#
# - say what Grow and Improve do, and count what they cost;
# - choose thresholds, and see what they leave over;
# - write the losses that learn from old responses, and tell when a small set is learnt by heart.
# %% [markdown] lang="zh" of="322d"
# **学完之后你能够**
#
# - 说清 Grow 和 Improve 各做什么，并算出它们的开销；
# - 选定阈值，看它留下了什么；
# - 写出从旧回答里学习的损失，并看出一小批数据什么时候被背了下来。
# %% [markdown] lang="en"
# ## Guess first
#
# The translator of part 1 has imitated translations that people wrote with mistakes. That is *behaviour cloning*, BC. Now it
# writes by itself: a **Grow** draws several translations of each source and asks the reward model about each, once. The next cell
# does this for 96 sources, four times each, at temperature 0.5 (~5 s on a laptop CPU; the first time, the two models are trained
# here, once: about four minutes).
#
# Suppose we keep the tenth with the highest rewards. Mean gold of *all* draws is printed below. What is it among the kept ones?
# %% [markdown] lang="zh" of="2534"
# ## 先猜一猜
#
# 之一里的翻译模型，模仿的是人写的、带着错误的译文，这叫*行为克隆 (behaviour cloning)*，简称 BC。现在由它自己来写：一次 **Grow**
# 给每段原文抽几种译文，每种问奖励模型一次。下一格对 96 段原文各抽四种，温度 0.5（笔记本电脑 CPU 上约 5 秒；
# 第一次要在这里训练这两个模型，只此一次：约四分钟）。
#
# 设想只留下奖励最高的十分之一。*全部*采样的平均真值会打印在下面。留下的那些，平均真值是多少？
# %%
import torch
from rlhf_kit.formulas import offline
from rlhf_kit.tasks.translation import Translation

task = Translation()
policy, judge = kit.load_policy("tiny-translator"), kit.load_reward_model("tiny-rm-translation")
reward, gold = kit.rewards.learned(judge, output="probability"), kit.rewards.gold(task)
sampling = kit.Sampling(max_new_tokens=64, temperature=0.5)
sources = [source for source in task.prompts("train", 96, seed=4) for _ in range(4)]
grown = kit.sample_rollout(policy, sources, sampling)
scores = reward(grown.prompts, grown.responses).double()                                 # (N,) the reward, asked once
truth = torch.tensor([task.gold(*pair) for pair in zip(grown.prompts, grown.responses)])       # (N,)
kit.tell("grown", n=len(scores), score=scores.mean(), gold=truth.mean())
# %% guess="1"
my_kept_gold = None         # between 0 and 1
# %% [markdown] lang="en"
# ## Improve: filter, then imitate
#
# An **Improve** keeps what lies above a threshold τ and imitates it. Its data set $D_g$ holds the drawn responses and the
# *original* ones that people wrote:
#
# $$F(x, y; \tau) = 1[R(x, y) > \tau], \qquad J = E_{(x, y) \sim D_g}\big[F(x, y; \tau)\, L(x, y; \theta)\big]$$
#
# In this kit the original responses always stay in: they keep the policy near language that people wrote, however small the kept
# part becomes.
# %% [markdown] lang="zh" of="b24f"
# ## Improve：先筛，再模仿
#
# 一个 **Improve** 留下高于阈值 τ 的，再去模仿它们。它的数据集 $D_g$ 里有抽取的回答，也有人写的*原始*回答：
#
# $$F(x, y; \tau) = 1[R(x, y) > \tau], \qquad J = E_{(x, y) \sim D_g}\big[F(x, y; \tau)\, L(x, y; \theta)\big]$$
#
# 在这个工具包里，原始回答一直留着：不管筛剩的有多少，它们都让策略不离开人写的语言。
# %% [markdown] lang="en"
# ### ✏️ Exercise 4b.1 - What is kept
#
# `Difficulty ●○○○ · Importance ●●●● · 5 min · 1 point`
#
# In: `reward`, `[N]`; `original`, `[N]`, booleans, True on responses that people wrote (nobody asked about their reward: anything may
# stand there, NaN and infinity too); `threshold`, a number. Out: booleans, `[N]`: True for each original response, and for each drawn one whose
# reward is *above* the threshold; equal is not above.
#
# Rewards (0.2, 0.7, 0.8, 0.1), the last one original, threshold 0.75: (False, False, True, True).
# %% [markdown] lang="zh" of="3e7c"
# ### ✏️ 练习 4b.1 - 留下什么
#
# `难度 ●○○○ · 重要 ●●●● · 5 分钟 · 1 分`
#
# 输入：`reward`，`[N]`；`original`，`[N]`，布尔值，人写的回答处是 True（没有人问过它们的奖励，那里可能是任何数，NaN 和无穷大也可能）；
# `threshold`，一个数。输出：布尔值，`[N]`：每条原始回答是 True，抽取的回答里奖励*高于*阈值的是 True；等于不算高于。
#
# 例如奖励 (0.2, 0.7, 0.8, 0.1)，最后一条是原始回答，阈值 0.75，结果是 (False, False, True, True)。
# %% exercise="4b.1"
# EXERCISE 4b.1
def kept_rows(reward, original, threshold):
    """True for original responses and for drawn ones above the threshold, [N]."""
    # solution:
    return original | (reward > threshold)
    # end
# %% [markdown] lang="en" hints="4b.1"
# <details><summary>Hint 1: the idea</summary>
#
# Two reasons to stay, and one of them is enough.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `>` compares entry by entry, `|` is "or" for booleans. A comparison with NaN is False, without an error.
#
# </details>
# %% [markdown] lang="zh" of="4a67" hints="4b.1"
# <details><summary>线索 1：思路</summary>
#
# 留下的理由有两个，满足一个就够。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `>` 逐个比较，`|` 是布尔值的“或”。和 NaN 比较得 False，不会报错。
#
# </details>
# %% check="4b.1"
kept_rows = kit.check("4b.1", kept_rows)
# %%
none = torch.zeros(len(scores), dtype=torch.bool)                                        # nothing original in this Grow
marks = {f"top {top}%": scores.quantile(1 - top / 100).item() for top in (100, 50, 25, 10)}
kept = {name: truth[kept_rows(scores, none, tau - 1e-9)] for name, tau in marks.items()}
kit.table({"": [*kept], kit.words("kept"): [len(each) for each in kept.values()], "tau": [*marks.values()],
           kit.words("gold"): [each.mean().item() for each in kept.values()]})
kit.guessed(my_kept_gold, kept["top 10%"].mean().item())
kit.plots.bars({name: kit.evaluate.mean(each, (0, 1)) for name, each in kept.items()}, unit="mean gold", title="What the filter leaves")
# %%
kit.tell("worth" if kept["top 10%"].mean() > truth.mean() + 0.02 else "worthless", more=kept["top 10%"].mean() - truth.mean())
# %% [markdown] lang="en"
# This is the ceiling of one Improve: imitation becomes as good as what it imitates, hardly better. And it depends on the reward model
# alone, before anything is trained.
#
# ## Which threshold?
#
# DeepMind's thresholds were fixed, 0.7 to 0.99, on rewards scaled to [0, 1]. Fixed numbers mean something only if rewards mean
# the same everywhere. Two others come from the data: a **percentile**, and a point **between** the mean and the highest,
# $\tau_\gamma = \gamma \max R + (1-\gamma)\,\text{mean}\,R$. In each Grow the thresholds rise: $\tau_1 < \tau_2 < \dots$, one for each Improve.
# %% [markdown] lang="zh" of="9399"
# 这就是一个 Improve 的天花板：模仿最多和被模仿的一样好，很难更好。而它只取决于奖励模型，这时还什么都没训练。
#
# ## 取哪个阈值？
#
# DeepMind 的阈值是固定的，0.7 到 0.99，奖励都缩放到 [0, 1]。只有奖励在哪里都是一个意思，固定的数才有意义。另外两种取自数据本身：
# **百分位 (percentile)**，以及平均和最高**之间**的一点，$\tau_\gamma = \gamma \max R + (1-\gamma)\,\text{mean}\,R$。
# 每次 Grow 里阈值逐步升高：$\tau_1 < \tau_2 < \dots$，每个 Improve 一个。
# %% [markdown] lang="en"
# ### ✏️ Exercise 4b.2 - Two kinds of thresholds
#
# `Difficulty ●●○○ · Importance ●●●○ · 10 min · 2 points`
#
# In: `reward`, `[N]`, at least one, in no order, of any sign; `percent`, 0 ≤ percent < 100; `gamma`, 0 ≤ γ < 1. Out: two numbers.
# `percentile`: sort the rewards upwards, go to place percent/100 · (N - 1), counted from 0, and interpolate in a straight line between
# the two neighbours. `interpolated`: γ · highest + (1 - γ) · mean.
#
# For (0.2, 0.4, 0.6, 1.0), 50 and 0.5: place 1.5 lies half way between 0.4 and 0.6, so 0.5; and 0.5 · 1.0 + 0.5 · 0.55 = 0.775.
# %% [markdown] lang="zh" of="0e8d"
# ### ✏️ 练习 4b.2 - 两种阈值
#
# `难度 ●●○○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 输入：`reward`，`[N]`，至少一个，没有排序，可正可负；`percent`，0 ≤ percent < 100；`gamma`，0 ≤ γ < 1。输出两个数。
# `percentile`：把奖励从小到大排好，走到位置 percent/100 · (N - 1)，从 0 数起，在相邻两个之间按直线插值。
# `interpolated`：γ · 最高的 + (1 - γ) · 平均。
#
# 例如 (0.2, 0.4, 0.6, 1.0)、50、0.5：位置 1.5 在 0.4 和 0.6 正中间，所以是 0.5；0.5 · 1.0 + 0.5 · 0.55 = 0.775。
# %% exercise="4b.2"
# EXERCISE 4b.2
def two_thresholds(reward, percent, gamma):
    """(the percentile of the rewards, gamma of the way from the mean to the highest)."""
    # solution:
    percentile = torch.quantile(reward, percent / 100)                                   # interpolates in a line
    return percentile, gamma * reward.max() + (1 - gamma) * reward.mean()
    # end
# %% [markdown] lang="en" hints="4b.2"
# <details><summary>Hint 1: the idea</summary>
#
# Four rewards stand at places 0, 1, 2, 3; 90 % is place 2.7, so 0.7 of the way from the third to the fourth.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.quantile(reward, share)` does it, with a share from 0 to 1; or `.sort().values` by hand.
#
# </details>
# %% [markdown] lang="zh" of="c179" hints="4b.2"
# <details><summary>线索 1：思路</summary>
#
# 四个奖励在位置 0、1、2、3；90% 是位置 2.7，也就是从第三个往第四个走 0.7。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.quantile(reward, share)` 就行，share 从 0 到 1；也可以用 `.sort().values` 自己算。
#
# </details>
# %% check="4b.2"
two_thresholds = kit.check("4b.2", two_thresholds)
# %%
rows = {f"{p}%": two_thresholds(scores, p, 0.0)[0].item() for p in (50.0, 75.0, 90.0)}
rows |= {f"γ = {g}": two_thresholds(scores, 0.0, g)[1].item() for g in (0.25, 0.5, 0.75)} | {"0.7": 0.7, "0.8": 0.8, "0.9": 0.9}
kit.table({"": [*rows], "tau": [*rows.values()], kit.words("kept"): [int(kept_rows(scores, none, tau).sum()) for tau in rows.values()]})
kit.plots.histograms({"all": scores.tolist(), "above the 75th percentile": scores[kept_rows(scores, none, rows["75.0%"])].tolist()},
                     across="reward", title="What was drawn, and what is kept")
# %% [markdown] lang="en"
# A percentile always leaves the same share. A fixed threshold may leave everything or nothing, which is no accident that a long run
# should meet at night: the kit checks all thresholds when a Grow is scored, before the first update.
#
# ## What it costs
#
# Each Grow is followed by I Improves of so many updates. The reward model is asked about a response when it is drawn, and never
# again: filtering only compares stored numbers. An online method such as PPO asks about every batch.
# %% [markdown] lang="zh" of="16a3"
# 百分位留下的比例总是一样的。固定阈值却可能全留，也可能一条不留；这种事不该等长时间的训练跑到半夜才撞上：工具包在给一次 Grow 打完分时、
# 第一次更新之前，就检查所有的阈值。
#
# ## 开销有多大
#
# 每次 Grow 之后是 I 个 Improve，每个 Improve 有若干次更新。一条回答只在抽取时问奖励模型一遍，以后不再问：筛选只是比较存好的数。
# PPO 这样的在线方法，每一批都要问。
# %% [markdown] lang="en"
# ### ✏️ Exercise 4b.3 - Where are we, and what was asked?
#
# `Difficulty ●●○○ · Importance ●●○○ · 5 min · 1 point`
#
# In: whole numbers: `update`, counted **from 0** over the whole run; `improves`, how many follow a Grow; `updates` of each Improve; `drawn`,
# the responses of one Grow. Out: three whole numbers for the moment of that update: `grow` and `improve`, both counted **from 1** (each
# Grow begins with Improve 1); and `calls`, how many responses the reward model has been asked about so far, this Grow's included.
#
# For 130, 2, 50, 400: updates 100 to 199 belong to Grow 2, the first 50 of them to Improve 1: (2, 1, 800).
# %% [markdown] lang="zh" of="fa16"
# ### ✏️ 练习 4b.3 - 到哪里了，问了多少
#
# `难度 ●●○○ · 重要 ●●○○ · 5 分钟 · 1 分`
#
# 输入都是整数：`update`，整个训练里**从 0** 数起的更新；`improves`，一次 Grow 之后有几个 Improve；`updates`，每个 Improve 的更新次数；
# `drawn`，一次 Grow 的回答数。输出那次更新时的三个整数：`grow` 和 `improve`，都**从 1** 数起（每次 Grow 都从 Improve 1 开始）；
# `calls`，到这时一共就多少条回答问过奖励模型，连这次 Grow 的也算。
#
# 例如 130、2、50、400：更新 100 到 199 属于 Grow 2，其中前 50 次属于 Improve 1：(2, 1, 800)。
# %% exercise="4b.3"
# EXERCISE 4b.3
def rest_clock(update, improves, updates, drawn):
    """(Grow, Improve, reward calls so far) at an update that is counted from 0."""
    # solution:
    grow, rest = divmod(update, improves * updates)
    return grow + 1, rest // updates + 1, (grow + 1) * drawn
    # end
# %% [markdown] lang="en" hints="4b.3"
# <details><summary>Hint 1: the idea</summary>
#
# A Grow lasts `improves * updates` updates. How many whole ones have passed, and what is left?
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `divmod(a, b)` gives both; `//` once more for the Improve.
#
# </details>
# %% [markdown] lang="zh" of="441a" hints="4b.3"
# <details><summary>线索 1：思路</summary>
#
# 一次 Grow 持续 `improves * updates` 次更新。过去了几个整的，还剩多少？
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `divmod(a, b)` 两个都给；再用一次 `//` 得到 Improve。
#
# </details>
# %% check="4b.3"
rest_clock = kit.check("4b.3", rest_clock)
# %% [markdown] lang="en"
# Two Grows of 800 responses, three Improves each of 40 updates with 16 responses; beside it, an online method that draws 16 new
# responses for every update. Which has asked the reward model more often at the end? Enter "ReST" or "online".
# %% [markdown] lang="zh" of="245d"
# 两次 Grow，每次 800 条回答；各三个 Improve，每个 40 次更新，每次 16 条回答。旁边是一个在线方法，每次更新新抽 16 条。
# 最后哪个问奖励模型问得多？填 "ReST" 或 "online"（在线）。
# %% guess="2"
my_calls = None             # "ReST" or "online"
# %%
calls = {"ReST": [rest_clock(u, 3, 40, 800)[2] for u in range(240)], "online": [16 * (u + 1) for u in range(240)]}
kit.guessed(my_calls, max(calls, key=lambda name: calls[name][-1]))
kit.tell("used", times=240 * 12 / 1600, online=calls["online"][-1], rest=calls["ReST"][-1])
kit.plots.lines(range(1, 241), calls, across="update", unit="reward calls so far", title="Who asks when")
# %% [markdown] lang="en"
# Steps against a ramp. What saves calls is reuse: with more updates for each Grow the steps stay, and the ramp grows. The price: the
# data get older while the policy moves.
#
# ## Learning from old responses
#
# The simplest loss is imitation again (BC), on what was kept:
#
# $$L_{\text{BC}} = -\,\text{mean over kept tokens of } \log \pi(y_t)$$
# %% [markdown] lang="zh" of="f51e"
# 一边是台阶，一边是斜坡。省下调用靠的是重复使用：每次 Grow 的更新多一些，台阶不变，斜坡却更高。代价是：策略在走，数据却越来越旧。
#
# ## 从旧回答里学
#
# 最简单的损失还是模仿 (BC)，只不过模仿的是留下的：
#
# $$L_{\text{BC}} = -\,\text{对留下的词元取平均：} \log \pi(y_t)$$
# %% [markdown] lang="en"
# ### ✏️ Exercise 4b.4 - Imitate what was kept
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 2 points`
#
# In: `logprob`, `[B, T]`, log π of each response token; `mask`, `[B, T]`, True on real tokens (elsewhere anything may stand, NaN and `-inf` too);
# `kept`, `[B]`, booleans. Out: a tensor with one number, **minus the mean** of `logprob` over all real tokens of all kept
# responses, every token alike; 0 if there is none. The gradient flows into `logprob`, and none of what is left out may spoil it.
#
# For [[-1, -3], [-2, -8], [-5, -5]] where the -8 is padding and the last response is not kept: (1 + 3 + 2)/3 = 2.
# %% [markdown] lang="zh" of="4412"
# ### ✏️ 练习 4b.4 - 模仿留下的
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入：`logprob`，`[B, T]`，每个回答词元的 log π；`mask`，`[B, T]`，真实的词元处是 True（其余的地方可能是任何数，NaN 和 `-inf` 也可能）；
# `kept`，`[B]`，布尔值。输出：只含一个数的张量，对所有留下的回答的所有真实词元，取 `logprob` 的**平均，再取负**，每个词元一样重；
# 一个都没有就是 0。梯度流进 `logprob`，不算的部分不许把它弄坏。
#
# 例如 [[-1, -3], [-2, -8], [-5, -5]]，-8 是填充，最后一条没有留下：(1 + 3 + 2)/3 = 2。
# %% exercise="4b.4"
# EXERCISE 4b.4
def bc_loss(logprob, mask, kept):
    """Minus the mean log-probability over the real tokens of the kept responses; 0 without any."""
    # solution:
    counted = mask & kept[:, None]                                                       # (B, T)
    return -torch.where(counted, logprob, 0.0).sum() / counted.sum().clamp(min=1)
    # end
# %% [markdown] lang="en" hints="4b.4"
# <details><summary>Hint 1: the idea</summary>
#
# One mask for both conditions. Sum over it, and divide by how many it marks, at least by 1.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `mask & kept[:, None]`, `torch.where(counted, logprob, 0.0)`, `.clamp(min=1)`.
#
# </details>
# %% [markdown] lang="zh" of="24d6" hints="4b.4"
# <details><summary>线索 1：思路</summary>
#
# 两个条件合成一个掩码。在它上面求和，再除以它标出的个数，至少除以 1。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `mask & kept[:, None]`、`torch.where(counted, logprob, 0.0)`、`.clamp(min=1)`。
#
# </details>
# %% check="4b.4"
bc_loss = kit.check("4b.4", bc_loss)
# %%
seen = kit.sampling.given_rollout(policy, grown.prompts[:64], grown.responses[:64])      # read at temperature 1
tau = two_thresholds(scores[:64], 75.0, 0.0)[0]
kept_now = kept_rows(scores[:64], none[:64], tau)
losses = {"all": torch.ones(64, dtype=torch.bool), "kept": kept_now, "filtered out": ~kept_now}
losses = {name: bc_loss(seen.logprob, seen.mask, which).item() for name, which in losses.items()}
kit.plots.bars(losses, unit="BC loss, nats per token", title="How much there is to learn")
# %% [markdown] lang="en"
# The loss on the policy's own draws is roughly its entropy: they do not surprise it. Learning here means to *shift* weight onto the kept
# ones.
#
# **GOLD** (Pang and He, 2021) weighs each token: by how likely the policy itself finds it, so that odd tokens of a good response count
# less, and by a quality $\hat Q_t$:
#
# $$L_{\text{GOLD}} = -\,\text{mean over tokens of } \max(u, \text{sg}[\pi(y_t)])\cdot \text{sg}[\hat Q_t]\cdot \log \pi(y_t)$$
#
# sg, *stop gradient*, means: a plain number here, nothing flows back through it. The floor u keeps a token in the running that the
# policy has never liked.
# %% [markdown] lang="zh" of="f11d"
# 在策略自己写的回答上，损失大致就是它的熵：这些回答并不让它意外。这里的学习，是把权重*挪*到留下的那些上面去。
#
# **GOLD**（Pang 和 He，2021）给每个词元加权：策略自己觉得它有多可能，于是好回答里古怪的词元就轻一些；再乘一个质量 $\hat Q_t$：
#
# $$L_{\text{GOLD}} = -\,\text{对词元取平均：} \max(u, \text{sg}[\pi(y_t)])\cdot \text{sg}[\hat Q_t]\cdot \log \pi(y_t)$$
#
# sg 是*停止梯度 (stop gradient)*：在这里只当一个普通的数，梯度不从它流过。下限 u 让策略从来不喜欢的词元也还有机会。
# %% [markdown] lang="en"
# ### ✏️ Exercise 4b.5 - GOLD's loss
#
# `Difficulty ●●●○ · Importance ●●●○ · 15 min · 3 points`
#
# In: `logprob`, log π, and `quality`, $\hat Q$, both `[B, T]`, of any sign; `mask`, `[B, T]`, True on real tokens, at least one
# (elsewhere anything may stand, NaN and `-inf` too); `floor`, u, from 0 to 1. Out: a tensor with one number, the loss above, the mean over
# all real tokens. The gradient flows into `logprob` only where it stands at the end of the formula; none flows into `quality`.
#
# For log π = (-0.5, -4), $\hat Q$ = (2, 1), u = 0.1: the weights are 0.6065 and 0.1 (as $e^{-4}$ is less), the loss
# (0.6065 · 2 · 0.5 + 0.1 · 1 · 4)/2 = 0.5033.
# %% [markdown] lang="zh" of="b220"
# ### ✏️ 练习 4b.5 - GOLD 的损失
#
# `难度 ●●●○ · 重要 ●●●○ · 15 分钟 · 3 分`
#
# 输入：`logprob`，log π，和 `quality`，$\hat Q$，都是 `[B, T]`，可正可负；`mask`，`[B, T]`，真实的词元处是 True，至少一个
# （其余的地方可能是任何数，NaN 和 `-inf` 也可能）；`floor`，即 u，从 0 到 1。输出：只含一个数的张量，即上面的损失，对所有真实词元取平均。
# 梯度只从公式末尾的 log π 流进 `logprob`；`quality` 里没有梯度。
#
# 例如 log π = (-0.5, -4)，$\hat Q$ = (2, 1)，u = 0.1：权重是 0.6065 和 0.1（因为 $e^{-4}$ 更小），
# 损失是 (0.6065 · 2 · 0.5 + 0.1 · 1 · 4)/2 = 0.5033。
# %% exercise="4b.5"
# EXERCISE 4b.5
def gold_loss(logprob, quality, mask, floor):
    """- mean over real tokens of max(u, sg[pi]) sg[Q] log pi."""
    # solution:
    now, worth = logprob[mask], quality[mask].detach()                                   # (real tokens,)
    weight = now.detach().exp().clamp(min=floor)
    return -(weight * worth * now).mean()
    # end
# %% [markdown] lang="en" hints="4b.5"
# <details><summary>Hint 1: the idea</summary>
#
# Take the real tokens out first: then neither NaN nor padding is there any more. Three factors, of which two are constants.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `logprob[mask]`, `.detach()`, `.exp().clamp(min=floor)`.
#
# </details>
# %% [markdown] lang="zh" of="ac41" hints="4b.5"
# <details><summary>线索 1：思路</summary>
#
# 先把真实的词元取出来：NaN 和填充就都不在了。三个因子，其中两个是常数。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `logprob[mask]`、`.detach()`、`.exp().clamp(min=floor)`。
#
# </details>
# %% check="4b.5"
gold_loss = kit.check("4b.5", gold_loss)
# %% [markdown] lang="en"
# One kept response, token by token. The last two columns show how hard each loss *pulls* at the log-probability of a token: BC with 1,
# whatever the token, GOLD with $\max(u, \pi)\,\hat Q_t$. Here $\hat Q_t$ is the sum of the imitating model's probabilities of this token and the
# next four, as in ReST.
# %% [markdown] lang="zh" of="6aee"
# 一条留下的回答，一个词元一个词元地看。最后两列是每种损失*拉*这个词元的对数概率有多用力：BC 不管是哪个词元都是 1，
# GOLD 是 $\max(u, \pi)\,\hat Q_t$。这里的 $\hat Q_t$ 是模仿模型给这个词元和后面四个词元的概率之和，和 ReST 一样。
# %%
row = min(kept_now.nonzero()[:, 0].tolist(), key=lambda r: seen.logprob[r][seen.mask[r]].min().item())   # its oddest token is the oddest
logprob, mask = seen.logprob[row:row + 1], seen.mask[row:row + 1]
quality = offline.gold_quality(logprob, mask, "s", unroll=5)                             # (1, T)
names = policy.tokenizer.convert_ids_to_tokens(policy.tokenizer(grown.responses[row]).input_ids)[:mask.sum()]
columns = {"log π": logprob, "max(u, π)": logprob.exp().clamp(min=0.1), "Q": quality}
kit.table({"": names[:12], **{name: each[0, :len(names[:12])].tolist() for name, each in columns.items()},
           "BC": [1.0] * len(names[:12]), "GOLD": (logprob.exp().clamp(min=0.1) * quality)[0, :len(names[:12])].tolist()}, digits=2)
kit.tell("losses", bc=bc_loss(logprob, mask, torch.tensor([True])), gold=gold_loss(logprob, quality, mask, 0.1))
# %% [markdown] lang="en"
# Where the policy is surprised, GOLD pulls least: it trusts what the policy knows more than what one sample says. In the paper plain BC
# won among four losses; the others are in `formulas/offline.py`, too.
#
# ## What an Improve goes through
#
# With each threshold the kept set shrinks, but the number of updates does not. So the policy goes through fewer responses more
# often, until it knows them by heart. The original share of every batch, and smaller learning rates, hold against that.
# %% [markdown] lang="zh" of="79a3"
# 策略越是意外的地方，GOLD 拉得越轻：比起单单一次采样，它更相信策略已经知道的。论文里四种损失比下来，赢的是朴素的 BC；
# 其余几种也都在 `formulas/offline.py` 里。
#
# ## 一个 Improve 要过几遍
#
# 阈值每高一级，留下的就少一些，更新次数却不变。于是策略在越来越少的回答上过得越来越多遍，直到背下来。
# 每批里的那份原始数据，以及逐步调小的学习率，就是用来抵挡这一点的。
# %% [markdown] lang="en"
# ### ✏️ Exercise 4b.6 - How often is the kept set seen?
#
# `Difficulty ●●●○ · Importance ●●●○ · 10 min · 2 points`
#
# In: `reward`, `[N]`, of drawn responses; `thresholds`, a list of I rising numbers; `size` of a batch, at least 1; `share` of original data in
# it, 0 ≤ share < 1; `updates` of each Improve. A batch holds size · share original rows, **rounded** to the nearest whole number (it never ends in
# one half), but **at most size - 1**; the rest are kept responses. Out: two tensors, `[I]`. `kept`, whole numbers: responses *above* each
# threshold. `passes`, floats: how often an Improve goes through them, all its rows of kept responses over `kept`; infinity where nothing is kept.
#
# For (0.2, 0.6, 0.7, 0.9), thresholds [0.5, 0.8], size 4, share 0.25, 6 updates: 3 rows a batch, 18 in all: kept (3, 1), passes (6, 18).
# %% [markdown] lang="zh" of="356c"
# ### ✏️ 练习 4b.6 - 留下的要过几遍
#
# `难度 ●●●○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 输入：`reward`，`[N]`，抽取的回答的奖励；`thresholds`，I 个逐步升高的数的列表；`size`，一批的大小，至少 1；`share`，其中原始数据的比例，0 ≤ share < 1；
# `updates`，每个 Improve 的更新次数。一批里有 size · share 行原始数据，**四舍五入**成整数（不会恰好是一半），但**最多 size - 1** 行；其余是留下的回答。
# 输出两个张量，`[I]`。`kept`，整数：*高于*各阈值的回答数。`passes`，浮点数：一个 Improve 把它们过几遍，
# 也就是它取的留下的回答的总行数除以 `kept`；一条都没留下处是无穷大。
#
# 例如 (0.2, 0.6, 0.7, 0.9)，阈值 [0.5, 0.8]，size 4，share 0.25，6 次更新：每批 3 行，共 18 行：kept 是 (3, 1)，passes 是 (6, 18)。
# %% exercise="4b.6"
# EXERCISE 4b.6
def improve_plan(reward, thresholds, size, share, updates):
    """(responses above each threshold [I], passes over them [I])."""
    # solution:
    kept = torch.stack([(reward > tau).sum() for tau in thresholds])                     # (I,)
    original = min(round(size * share), size - 1)
    return kept, updates * (size - original) / kept.float()                              # x / 0 = inf in tensors
    # end
# %% [markdown] lang="en" hints="4b.6"
# <details><summary>Hint 1: the idea</summary>
#
# Count the rows of kept responses in one batch, then in all updates; divide by how many different ones there are.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `round`, `min`; `torch.stack` of counts. Dividing a number by a float tensor gives `inf` for 0, where Python would raise.
#
# </details>
# %% [markdown] lang="zh" of="db26" hints="4b.6"
# <details><summary>线索 1：思路</summary>
#
# 先数一批里有几行是留下的回答，再数所有更新里有几行；除以不同的回答数。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `round`、`min`；用 `torch.stack` 把个数拼起来。数除以浮点张量，遇到 0 得 `inf`，Python 的数却会报错。
#
# </details>
# %% check="4b.6"
improve_plan = kit.check("4b.6", improve_plan)
# %%
levels = [two_thresholds(scores, p, 0.0)[0].item() for p in (0.0, 50.0, 75.0, 90.0, 97.0)]
counts, passes = improve_plan(scores, levels, 16, 0.25, 20)
kit.table({"percent": [0, 50, 75, 90, 97], "tau": levels, kit.words("kept"): counts.tolist(), kit.words("passes"): passes.tolist()}, digits=2)
kit.plots.bars({f"{p}%": n for p, n in zip((0, 50, 75, 90, 97), passes.tolist())}, unit="passes over the kept set", title="One Improve of 20 updates")
# %% [markdown] lang="en"
# The higher the threshold, the fewer translations are left, and the more often the same 20 updates read each of them.
#
# ## ReST, live
#
# One Grow with six responses to each of 128 sources, and three Improves at the 50th, 75th and 90th percentile, 20 updates each
# (~25 s on a laptop CPU). After each Improve the policy answers 128 held-out sources. Score is what was filtered by; gold is only measured. What will gold do from BC to
# the last Improve: "rise", "fall", or "stay", if the change is within two standard errors?
# %% [markdown] lang="zh" of="08b7"
# 门槛越高，留下的译文越少，同样的 20 次更新就把每条读得越多遍。
#
# ## ReST，现场来一次
#
# 一次 Grow，128 段原文各抽六条；三个 Improve，分别在第 50、75、90 百分位，各 20 次更新（笔记本电脑 CPU 上约 25 秒）。
# 每个 Improve 之后，策略翻译 128 段留出的原文。筛选看的是得分，真值只用来观察。从 BC 到最后一个 Improve，真值会怎样：
# "rise"（升）、"fall"（降），还是 "stay"（变化不超过两个标准误）？
# %% guess="3"
my_gold = None              # "rise", "fall" or "stay"
# %%
config = kit.rest.Config(grows=1, responses=6, thresholds=(50.0, 75.0, 90.0), kind="percentile", updates=20, batch_size=16,
                         original_share=0.25, learning_rate=3e-4, sampling=sampling)
reference, held_out = policy.reference(), task.prompts("heldout", 128)
watched = {"score": reward, "gold": gold}
measured = [kit.evaluate.evaluate(policy, reference, held_out, watched, sampling, seed=1)]
history = []
for step in kit.progress(kit.rest.steps(policy, task.prompts("train", 128), task.original(400), reward, config), config.steps):
    if (step.number + 1) % config.updates == 0:                                          # an Improve ends
        history.append(step.metrics)
        measured.append(kit.evaluate.evaluate(policy, reference, held_out, watched, sampling, seed=1))
# %%
change = torch.tensor(measured[-1].each["gold"]) - torch.tensor(measured[0].each["gold"])       # (128,) source by source
error = (change.std() / len(change) ** 0.5).item()
moved = change.mean().item()
kit.table({"": ["BC", *(f"Improve {int(m['improve'])}" for m in history)], kit.words("kept"): ["", *(int(m["kept"]) for m in history)],
           **{kit.words(name): [each.scores[name].mean for each in measured] for name in watched},
           "KL": [abs(round(each.kl, 2)) for each in measured]})
kit.guessed(my_gold, "stay" if abs(moved) < 2 * error else "rise" if moved > 0 else "fall")
kit.tell("live", moved=moved, error=error, score=measured[-1].mean["score"] - measured[0].mean["score"])
kit.plots.bands(range(4), {name: [each.scores[name] for each in measured] for name in watched}, across="Improve (0 = BC)",
                unit="mean over 128 held-out sources", title="One Grow, three Improves")
# %% [markdown] lang="en"
# ## The same, over several seeds
#
# One run of so few updates shows a direction at best. Below are runs that came with the kit, over several seeds: two Grows, three Improves
# each, and best-of-n on top. Lines are means over the seeds with 95 % intervals; 0 is BC, 4 the first Improve of the second Grow.
# %% [markdown] lang="zh" of="93e6"
# ## 换几个种子，再来一遍
#
# 只跑一次，更新又这么少，最多只看得出方向。下面是随工具包附带的几次运行，用了几个不同的种子：两次 Grow，各三个 Improve，最后再叠加 best-of-n。
# 线是各种子的平均，带 95% 区间；0 是 BC，4 是第二次 Grow 的第一个 Improve。
# %%
log = kit.stored()
runs = [*log["parts"].values()]                                                          # one a seed


def over_seeds(pick):
    """The mean over the seeds, with its interval, of what `pick` takes out of a run."""
    return kit.evaluate.mean(torch.tensor([pick(run) for run in runs]))


def after(place, name):
    """Score or gold behind Improve number `place`, counted over both Grows; 0 is BC."""
    return over_seeds(lambda run: (run["rest"][place - 1] if place else run["bc"])[name][0])


kit.tell("made_by", seeds=len(runs), **log["about"])
kit.plots.bands(range(7), {name: [after(place, name) for place in range(7)] for name in watched}, across="Improve (0 = BC)",
                unit="mean over the seeds", title="Two Grows of three Improves, stored")
# %%
def best(part, name, n):
    """The same for the best of n of a policy's draws."""
    return over_seeds(lambda run: run[part]["curves"][name][n - 1][0])


rows = {name: [after(0, name), after(3, name), after(6, name),
               best("best_of_bc", name, 16), best("best_of_rest", name, 4)] for name in watched}
kit.table({"": ["BC", "ReST, G = 1", "ReST, G = 2", "BC, best of 16", "ReST, best of 4"],
           **{kit.words(name): [str(one).split(",")[0] for one in each] for name, each in rows.items()}})
second = over_seeds(lambda run: run["rest"][5]["score"][0] - run["rest"][2]["score"][0])
kit.tell("second", gain=second.mean, low=second.low, high=second.high)
kit.tell("reached" if rows["score"][4].mean >= rows["score"][3].mean else "not_reached")
# %% [markdown] lang="en"
# In the paper, on translation, BC had an average reward of 70.9, ReST 77.8 with one Grow and 83.1 with two, and PPO 71.6 with about as
# many samples, at a loss of 8 points of BLEU. ReST with fewer than 10 draws on top matched BC with 200. People, though, liked one Grow
# best. That is over-optimisation again: each round trusts the same reward model further away from what it has seen.
#
# ## Recap
#
# | piece | what it gives |
# |---|---|
# | Grow | a data set, scored once |
# | a rising threshold | an ever better, ever smaller part of it |
# | original data | a hold on the language of people |
# | BC, GOLD | learning without asking anybody |
# | passes over the kept set | a warning: known by heart |
# | a second Grow | draws from where the policy is now |
#
# **Break it.** (1) `original_share=0.0`. (2) `kind="fixed"` with thresholds 0.7, 0.8, 0.9: what happens? (3) `kit.rest.raft(config)`: one
# threshold, nothing original. (4) `loss="gold"`.
#
# **Next:** [lesson 05](05a_instructgpt.ipynb) puts the pieces together as OpenAI, Anthropic and DeepMind did.
#
# **References.** ReST: Gulcehre et al. 2023, arXiv:2308.08998. GOLD: Pang and He 2021, arXiv:2009.07839. RAFT: Dong et al. 2023, arXiv:2304.06767. Rejection
# sampling at scale: Touvron et al. 2023, arXiv:2307.09288.
# %% [markdown] lang="zh" of="723c"
# 论文里的翻译任务，平均奖励 BC 是 70.9；ReST 一次 Grow 是 77.8，两次是 83.1；采样数差不多的 PPO 是 71.6，BLEU 还掉了 8 分。
# ReST 再叠加不到 10 次抽取，就赶上了 BC 抽 200 次。可是让人来评，最喜欢的却是只做一次 Grow 的。
# 这又是过度优化：每一轮都在离奖励模型见过的更远的地方，继续信任同一个奖励模型。
#
# ## 小结
#
# | 部件 | 它给出什么 |
# |---|---|
# | Grow | 一批数据，只打一次分 |
# | 逐步升高的阈值 | 其中越来越好、越来越少的一部分 |
# | 原始数据 | 拉住策略，不离开人的语言 |
# | BC、GOLD | 不问任何人也能学 |
# | 留下的过几遍 | 一个警告：背下来了 |
# | 第二次 Grow | 从策略现在的位置再抽 |
#
# **弄坏它。**（1）`original_share=0.0`。（2）`kind="fixed"`，阈值 0.7、0.8、0.9：会怎样？（3）`kit.rest.raft(config)`：一个阈值，不要原始数据。
# （4）`loss="gold"`。
#
# **下一课：**[第 05 课](05a_instructgpt.ipynb)像 OpenAI、Anthropic 和 DeepMind 那样，把各个部件装到一起。
#
# **参考文献。** ReST：Gulcehre 等 2023，arXiv:2308.08998。GOLD：Pang 和 He 2021，arXiv:2009.07839。RAFT：Dong 等 2023，arXiv:2304.06767。大规模的拒绝采样：
# Touvron 等 2023，arXiv:2307.09288。
# %% [markdown] lang="en"
# **Play with it.** The translator before and after your ReST, side by side:
# %% [markdown] lang="zh" of="b39f"
# **玩一玩。** 翻译模型在你的 ReST 前后，并排放在一起：
# %%
kit.panel("compare", LANG, models={"BC": reference, "ReST": policy, "reward model": judge}, prompts=held_out[:6], task="translation", folder="runs/lesson-04b")
