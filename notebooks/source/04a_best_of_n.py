# %% [markdown] lang="en"
# # Best-of-n: choose instead of train
#
# Draw n responses and keep the one that a reward model likes best. Nothing is trained, so all about it can be computed: what it
# does to the policy, how far it goes, and where it stops helping. The picture you will make: score and gold of the best of n
# against KL, with intervals.
#
# Level 4, part 1 of 2 · about 50 minutes · CPU only · no account · works offline after install · you should have seen a reward
# model and a KL: [lesson 02](02_rank_loss_reward_model.ipynb), [lesson 03c](03c_ppo_and_cheating.ipynb).
# [Part 2](04b_rest.ipynb) goes on here.
#
# It explains `rlhf_kit/formulas/best_of_n.py` and `rlhf_kit/methods/best_of_n.py`.
#
# **What is graded:** the functions named in the exercises. They may use imports, functions and constants that stand at the
# top level of a cell. No call is run again for grading, except one that only computes a constant, such as `math.log(2)`.
# %% [markdown] lang="zh" of="6f54"
# # best-of-n：不训练，只挑选
#
# 抽 n 条回答，留下奖励模型最喜欢的那一条。什么都不训练，所以关于它的一切都能算出来：它把策略变成什么样、走了多远、到哪里就不再有用。
# 你会画出这样一张图：n 条里最好的那条，得分和真值随 KL 怎样变，带区间。
#
# 第 4 级，共两部分之一 · 约 50 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 需要认识奖励模型和 KL：
# [第 02 课](02_rank_loss_reward_model.ipynb)、[第 03c 课](03c_ppo_and_cheating.ipynb)。下一部分：[之二](04b_rest.ipynb)。
#
# 本课讲解的是 `rlhf_kit/formulas/best_of_n.py` 和 `rlhf_kit/methods/best_of_n.py`。
#
# **评分看什么：** 看练习里点名的函数；它们可以用写在单元格最外层的 import、函数和常量。评分时不会重跑任何调用，
# 只有单纯算出一个常量的除外，例如 `math.log(2)`。
# %% [markdown] lang="en"
# **You will be able to**
#
# - write down the exact law of the best of n draws, and say what it can never reach;
# - tell the KL of best-of-n from its famous formula, which is only a bound;
# - measure every n from one set of draws, and choose one.
# %% [markdown] lang="zh" of="7fb2"
# **学完之后你能够**
#
# - 写出 n 次抽取里最好者的精确分布，并说清它永远到不了哪里；
# - 分清 best-of-n 的 KL 和那个有名的公式：后者只是上界；
# - 用同一批采样量出每一个 n，再从中选一个。
# %% [markdown] lang="en"
# ## Guess first
#
# WebGPT (OpenAI, 2021) answered questions with a browser. Its best model was not its RL model: it answered 64 times, and a
# reward model chose. Here the task is to translate short Chinese texts into English. The **translator** has learned from
# imperfect translations; the **reward model** reads source and translation and says how good it finds them; **gold**, the truth,
# reads back what both sides say and compares.
#
# The next cell draws 32 translations of each of 48 sources (~12 s on a laptop CPU; the first time, the two models are trained here,
# once: about four minutes). Then it shows one source, a faithful translation, and four of the draws. Which of the four does the
# reward model choose, and which is best in truth? Enter your guesses.
# %% [markdown] lang="zh" of="32ec"
# ## 先猜一猜
#
# WebGPT（OpenAI，2021）用浏览器查资料来回答问题。它最好的模型并不是强化学习得到的那个，而是回答 64 遍，由奖励模型来挑。
# 本课的任务，是把短小的中文译成英文。**翻译模型**是从有错的译文里学来的；**奖励模型**看原文和译文，说它觉得有多好；
# **真值 (gold)** 把两边说的意思读出来，再比较。
#
# 下一格给 48 段原文各抽 32 种译文（笔记本电脑 CPU 上约 12 秒；第一次要在这里训练这两个模型，只此一次：约四分钟）。
# 然后给出一段原文、一个忠实的译文，和抽到的四种。四种里奖励模型会选哪一种？真正最好的是哪一种？填上你的猜测。
# %%
import math
import torch
from rlhf_kit.tasks.translation import Translation

task = Translation()
policy, judge = kit.load_policy("tiny-translator"), kit.load_reward_model("tiny-rm-translation")
reward, gold = kit.rewards.learned(judge, output="probability"), kit.rewards.gold(task)
sources = task.prompts("heldout", 48)
config = kit.best_of_n.Config(n=32, batch_size=8, sampling=kit.Sampling(max_new_tokens=64))
drawn = list(kit.best_of_n.draws(policy, sources, reward, config, evaluation_rewards={"gold": gold}))
# %%
proxy = torch.tensor([one.scores for one in drawn], dtype=torch.float64)                 # (B, N) what chooses
truth = torch.tensor([one.others["gold"] for one in drawn], dtype=torch.float64)         # (B, N) what is meant
one = max(range(48), key=lambda b: (proxy[b, :4].argmax() != truth[b, :4].argmax()) * truth[b, :4].std().item())
print(drawn[one].prompt, task.references([drawn[one].prompt])[0].strip(), sep="\n")
for number in range(4):
    print(f"  {number + 1}  {drawn[one].responses[number].strip()}")
# %% guess="1"
my_picks = {"reward model": None, "gold": None}             # 1, 2, 3 or 4
# %%
kit.table({"": [1, 2, 3, 4], kit.words("score"): proxy[one, :4].tolist(), kit.words("gold"): truth[one, :4].tolist()}, digits=2)
kit.guessed({kit.words("rm"): my_picks["reward model"], kit.words("gold"): my_picks["gold"]},
            {kit.words("rm"): 1 + proxy[one, :4].argmax().item(), kit.words("gold"): 1 + truth[one, :4].argmax().item()})
# %% [markdown] lang="en"
# ## What is not drawn cannot be chosen
#
# Before asking who chooses, ask what there is to choose from. If one draw is good with probability p, then all n fail with
# probability $(1-p)^n$. So at least one of n is good with probability $1-(1-p)^n$.
# %% [markdown] lang="zh" of="fd61"
# ## 抽不到的，无从选起
#
# 先别问由谁来选，先问有没有可选的。如果抽一次，好的概率是 p，那么 n 次全都不好的概率是 $(1-p)^n$，
# 至少有一次好的概率就是 $1-(1-p)^n$。
# %% [markdown] lang="en"
# ### ✏️ Exercise 4a.1 - How many draws?
#
# `Difficulty ●○○○ · Importance ●●●○ · 5 min · 1 point`
#
# In: `p`, the probability that one draw is good, from 0 to 1, both included; `q`, strictly between 0 and 1. Out: the smallest whole
# number n ≥ 1 for which at least one of n draws is good with probability *at least* q; **-1** if no n is enough. Rare things may
# need tens of thousands of draws. For 0.1 and 0.5 it is 7: six draws reach 0.469, seven 0.522.
# %% [markdown] lang="zh" of="8ff1"
# ### ✏️ 练习 4a.1 - 要抽几次？
#
# `难度 ●○○○ · 重要 ●●●○ · 5 分钟 · 1 分`
#
# 输入：`p`，抽一次好的概率，从 0 到 1，两端都包括；`q`，严格在 0 和 1 之间。输出：最小的整数 n ≥ 1，使得 n 次里至少有一次好的概率*不小于* q；
# 哪个 n 都不够，就是 **-1**。少见的东西可能要抽几万次。0.1 和 0.5 的结果是 7：抽六次是 0.469，抽七次是 0.522。
# %% exercise="4a.1"
# EXERCISE 4a.1
def draws_needed(p, q):
    """The least n with 1 - (1 - p)^n >= q; -1 if there is none."""
    # solution:
    if p <= 0 or p >= 1:
        return -1 if p <= 0 else 1
    n = max(1, math.floor(math.log(1 - q) / math.log(1 - p)))
    while 1 - (1 - p) ** n < q:
        n += 1
    return n
    # end
# %% [markdown] lang="en" hints="4a.1"
# <details><summary>Hint 1: the idea</summary>
#
# Two values of p need no counting. For the others, count n up from 1 until the probability is there.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# A `while` loop is quick enough. Solved for n it is log(1 - q) / log(1 - p), rounded up: `math.ceil`.
#
# </details>
# %% [markdown] lang="zh" of="1c65" hints="4a.1"
# <details><summary>线索 1：思路</summary>
#
# p 有两个值不用数。其余的，n 从 1 往上数，直到概率够了为止。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `while` 循环就够快。解出 n 则是 log(1 - q) / log(1 - p)，向上取整：`math.ceil`。
#
# </details>
# %% check="4a.1"
draws_needed = kit.check("4a.1", draws_needed)
# %% [markdown] lang="en"
# Call a translation *good* if its gold is at least 0.9. For what share of the 48 sources is **none** of the 32 draws good? Enter a
# number between 0 and 1.
# %% [markdown] lang="zh" of="9ddd"
# 真值不小于 0.9 的译文叫作*好的*。48 段原文里，32 种译文**一种好的都没有**的占多少？填一个 0 到 1 之间的数。
# %% guess="2"
my_none = None              # between 0 and 1
# %%
good = (truth >= 0.9).double().mean(1)                                                   # (B,) p of each source
needed = [draws_needed(p, 0.9) for p in good.tolist()]
kit.guessed(my_none, needed.count(-1) / len(needed))
groups = {"1 to 4": range(1, 5), "5 to 16": range(5, 17), "17 and more": range(17, 10 ** 6), "none seen": [-1]}
kit.plots.bars({name: sum(n in group for n in needed) / len(needed) for name, group in groups.items()},
               unit="share of sources", title="Draws until a good one, with probability 0.9")
# %% [markdown] lang="en"
# "None of 32" does not prove that p is 0, but for those sources choosing helps little: best-of-n can only pick what the policy
# already says now and then. The same holds for PPO and ReST, which learn from draws. Hence the order: first imitate until good
# answers occur, then select.
#
# ## The law of the best
#
# Let π be the law of one draw. The best of n has a reward of at most r if *all n* have: $F(r)^n$, where $F(r)$ is the probability
# of a reward up to r. With $F^-(r)$ for rewards strictly below r:
#
# $$\pi_n(y) = \big(F(r_y)^n - F^-(r_y)^n\big)\cdot\frac{\pi(y)}{F(r_y) - F^-(r_y)}$$
#
# The first factor is the probability that the best reward is this one. The second shares it out among outcomes that **tie**: the
# one drawn first is kept, so they share in proportion to π.
# %% [markdown] lang="zh" of="a37f"
# “32 次里没有”并不证明 p 就是 0，但对这些原文，怎么挑也没有多大用：best-of-n 只能挑出策略本来偶尔就会说的话。
# PPO 和 ReST 也是从采样里学，同样如此。所以才有这样的次序：先模仿，直到好的回答抽得到，然后再挑选。
#
# ## 最好者的分布
#
# 设 π 是抽一次的分布。n 次里最好的，奖励不超过 r，就等于 *n 次全都*不超过 r：$F(r)^n$，其中 $F(r)$ 是奖励不超过 r 的概率。
# 再用 $F^-(r)$ 表示奖励严格低于 r 的概率：
#
# $$\pi_n(y) = \big(F(r_y)^n - F^-(r_y)^n\big)\cdot\frac{\pi(y)}{F(r_y) - F^-(r_y)}$$
#
# 前一个因子，是最好的奖励恰好等于它的概率。后一个因子把这个概率分给奖励**相同**的各个结果：留下的是先抽到的那个，所以按 π 的比例分。
# %% [markdown] lang="en"
# ### ✏️ Exercise 4a.2 - The law of the best of n
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 2 points`
#
# In: `probability`, π of V outcomes, `[V]`, which sum to 1, some may be 0; `reward`, `[V]`, of any sign, in no order, some may be
# equal; `n`, a whole number, at least 1. Out: $\pi_n$, a tensor of floats, `[V]`, in the same order as the arguments. What π never draws
# has probability 0.
#
# For (0.5, 0.3, 0.2), rewards (0, 1, 1) and n = 2: the worst is best only if it is drawn twice, 0.25. The other two share 0.75
# as 3 : 2, so the result is (0.25, 0.45, 0.30).
# %% [markdown] lang="zh" of="2b2f"
# ### ✏️ 练习 4a.2 - n 次里最好者的分布
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入：`probability`，V 个结果的 π，`[V]`，和为 1，有的可以是 0；`reward`，`[V]`，可正可负，没有排序，有的可以相同；`n`，不小于 1 的整数。
# 输出：$\pi_n$，浮点数张量，`[V]`，次序和参数相同。π 从来抽不到的，概率是 0。
#
# 例如 (0.5, 0.3, 0.2)，奖励 (0, 1, 1)，n = 2：最差的要两次都抽到才轮得上，0.25；另外两个按 3 : 2 分 0.75，
# 结果是 (0.25, 0.45, 0.30)。
# %% exercise="4a.2"
# EXERCISE 4a.2
def best_law(probability, reward, n):
    """(F^n - F-^n) pi / (F - F-), [V]; 0 where pi is 0."""
    # solution:
    up_to = torch.where(reward[None, :] <= reward[:, None], probability, 0.0).sum(1)     # (V,) F
    below = torch.where(reward[None, :] < reward[:, None], probability, 0.0).sum(1)      # (V,) F-
    share = probability / (up_to - below).clamp(min=1e-30)
    return torch.where(probability > 0, (up_to ** n - below ** n) * share, 0.0)
    # end
# %% [markdown] lang="en" hints="4a.2"
# <details><summary>Hint 1: the idea</summary>
#
# For every outcome, add up the probabilities of all outcomes with a reward up to its own, and of those below. Comparing each with
# each makes a table, `[V, V]`, and needs no sorting.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `reward[None, :] <= reward[:, None]` is that table; `torch.where(table, probability, 0.0).sum(1)`. Where nothing can be drawn, F - F⁻
# may be 0: `torch.where` again.
#
# </details>
# %% [markdown] lang="zh" of="aedd" hints="4a.2"
# <details><summary>线索 1：思路</summary>
#
# 对每个结果，把奖励不超过它的各个结果的概率加起来，再把低于它的加起来。两两比较得到一张表，`[V, V]`，用不着排序。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 那张表就是 `reward[None, :] <= reward[:, None]`；再用 `torch.where(table, probability, 0.0).sum(1)`。抽不到的地方 F - F⁻ 可能是 0：
# 还是用 `torch.where`。
#
# </details>
# %% check="4a.2"
best_law = kit.check("4a.2", best_law)
# %%
ten = torch.full((11,), 0.1, dtype=torch.float64)
ten[10] = 0.0                                                                # the best of all, and never drawn
ranks = torch.arange(11, dtype=torch.float64)
laws = {f"n = {n}": best_law(ten, ranks, n).tolist() for n in (1, 2, 4, 16)}
kit.tell("never", n=10 ** 6, top=best_law(ten, ranks, 10 ** 6)[9], beyond=best_law(ten, ranks, 10 ** 6)[10])
kit.plots.lines(range(1, 12), laws, across="outcome, from worst to best", unit="probability", title="Ten that are drawn, one that is not")
# %% [markdown] lang="en"
# Only the *order* of the rewards matters: a reward twice as large changes nothing. And the law stays on π's support, whatever n is.
#
# ## How far it goes
#
# The price of choosing is distance from π. Papers quote $\text{KL} = \log n - \frac{n-1}{n}$ (Anthropic's even log n). It holds exactly
# where no two draws can tie. Otherwise it is an **upper bound**. Take two outcomes, equally likely, and let n grow: the bound grows for ever.
# To which number does the true KL grow?
# %% [markdown] lang="zh" of="e95f"
# 起作用的只有奖励的*次序*：奖励翻一倍，什么都不变。而且不管 n 多大，分布都留在 π 的支撑集 (support) 上。
#
# ## 走了多远
#
# 挑选的代价，是离开 π 的距离。论文里引用的是 $\text{KL} = \log n - \frac{n-1}{n}$（Anthropic 甚至用 log n）。只有抽取之间不可能打平时，
# 它才精确成立，否则只是**上界**。设有两个结果，概率相同，让 n 越来越大：上界会一直增长。真正的 KL 会趋近哪个数？
# %% guess="3"
my_limit = None             # nats
# %% [markdown] lang="en"
# ### ✏️ Exercise 4a.3 - The KL and its bound
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 2 points`
#
# In: `law` and `probability`, two laws of the same V outcomes, `[V]`, either may hold zeros (`law` is 0 wherever `probability` is); `n`,
# a whole number, at least 1. Out: two numbers. `kl`, $\sum_y \text{law}(y)\log\frac{\text{law}(y)}{\pi(y)}$ in nats, where an outcome
# with law 0 adds 0; and `bound`, $\log n - \frac{n-1}{n}$. Both as they come, whether or not `law` really belongs to that n.
#
# For (0.0625, 0.9375), (0.5, 0.5) and n = 4: 0.4594 and 0.6363.
# %% [markdown] lang="zh" of="6cf9"
# ### ✏️ 练习 4a.3 - KL 和它的上界
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入：`law` 和 `probability`，同样 V 个结果的两个分布，`[V]`，都可以有 0（`probability` 为 0 处 `law` 也是 0）；`n`，不小于 1 的整数。
# 输出两个数：`kl`，$\sum_y \text{law}(y)\log\frac{\text{law}(y)}{\pi(y)}$，单位奈特，law 为 0 的结果加 0；
# `bound`，$\log n - \frac{n-1}{n}$。不管 `law` 是不是真的属于这个 n，两个都照实算。
#
# 例如 (0.0625, 0.9375)、(0.5, 0.5)、n = 4，结果是 0.4594 和 0.6363。
# %% exercise="4a.3"
# EXERCISE 4a.3
def kl_and_bound(law, probability, n):
    """(KL of law from probability, log n - (n - 1)/n)."""
    # solution:
    drawn = law > 0
    kl = (law[drawn] * (law[drawn] / probability[drawn]).log()).sum()
    return kl, torch.tensor(math.log(n) - (n - 1) / n)
    # end
# %% [markdown] lang="en" hints="4a.3"
# <details><summary>Hint 1: the idea</summary>
#
# Which of the two laws stands in front? The one that is drawn from now. And 0 · log 0 is 0 on paper, NaN in a computer.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# Pick first: `law[law > 0]`, and the same places of `probability`. `math.log(n)` for the bound.
#
# </details>
# %% [markdown] lang="zh" of="afca" hints="4a.3"
# <details><summary>线索 1：思路</summary>
#
# 两个分布哪个在前？现在从哪个抽，哪个就在前。还有，0 · log 0 在纸上是 0，在计算机里是 NaN。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 先挑出来：`law[law > 0]`，`probability` 也取同样的位置。上界用 `math.log(n)`。
#
# </details>
# %% check="4a.3"
kl_and_bound = kit.check("4a.3", kl_and_bound)
# %%
many, curves = [1, 2, 4, 8, 16, 32, 64], {}
for size in (2, 10, 1000):
    even, ranks = torch.full((size,), 1 / size, dtype=torch.float64), torch.arange(size)
    curves[f"{size} outcomes"] = [kl_and_bound(best_law(even, ranks, n), even, n)[0].item() for n in many]
curves["bound"] = [kl_and_bound(even, even, n)[1].item() for n in many]
kit.guessed(my_limit, curves["2 outcomes"][-1])
kit.plots.lines([math.log2(n) for n in many], curves, across="doublings of n", unit="nats", dashed=["bound"],
                title="KL of the best of n, all outcomes equally likely")
# %% [markdown] lang="en"
# No law on 2 outcomes can be further than log 2 from an even one: once only the best is left, choosing from more draws moves
# nothing. With 1,000 outcomes the bound is as good as exact, because no outcome is likely to be drawn twice.
#
# ## Every n from one set of draws
#
# What is the best of 4 worth, when 32 were drawn? You could look at the first 4, but that wastes 28. WebGPT averages over *all* choices
# of 4 of the 32 instead, without listing them. Sort the draws by the proxy, the reward that chooses. The i-th smallest is the best of
# a choice if the other n - 1 come from the i - 1 below it:
#
# $$E[\text{value of the best of } n] = \sum_{i=n}^{N} \frac{\binom{i-1}{n-1}}{\binom{N}{n}}\; \text{value}_{(i)}$$
# %% [markdown] lang="zh" of="5d07"
# 2 个结果上的任何分布，离均匀分布都不会超过 log 2：只剩下最好的之后，抽得再多也不会再动。有 1,000 个结果时，上界和精确值几乎没有差别，
# 因为哪个结果都不太可能抽到两次。
#
# ## 用一批采样量出每一个 n
#
# 抽了 32 次，那么 4 次里最好的值多少？可以只看前 4 次，但那就浪费了 28 次。WebGPT 的做法是对 32 次里取 4 次的*所有*选法取平均，
# 又用不着一一列出。按代理奖励（也就是用来挑选的奖励）从小到大排好。第 i 小的要成为某种选法里最好的，
# 其余 n - 1 次就得从它下面的 i - 1 次里取：
#
# $$E[n \text{ 次里最好的值多少}] = \sum_{i=n}^{N} \frac{\binom{i-1}{n-1}}{\binom{N}{n}}\; \text{value}_{(i)}$$
# %% [markdown] lang="en"
# ### ✏️ Exercise 4a.4 - Best of every n
#
# `Difficulty ●●●○ · Importance ●●●● · 15 min · 3 points`
#
# In: `proxy` and `value`, `[B, N]`, B prompts with N draws each, N at most 64; where two proxies of a row are equal, their values are,
# too (the same text, drawn twice). Out: floats, `[B, N]`: column n - 1 holds the expectation above for the best of n, chosen by the proxy.
#
# For the proxies (0.1, 0.5, 0.9, 0.3) and values (1, 2, 0, 3): (1.5, 1.1667, 0.5, 0). This proxy loves the worst draw.
# %% [markdown] lang="zh" of="6175"
# ### ✏️ 练习 4a.4 - 每一个 n
#
# `难度 ●●●○ · 重要 ●●●● · 15 分钟 · 3 分`
#
# 输入：`proxy` 和 `value`，`[B, N]`，B 个提示各抽 N 次，N 不超过 64；同一行里两个代理奖励相等时，它们的 value 也相等（同一段文本抽到了两次）。
# 输出：浮点数，`[B, N]`：第 n - 1 列是上面那个期望，即由代理奖励从 n 次里挑出的那条值多少。
#
# 例如代理奖励 (0.1, 0.5, 0.9, 0.3)，value (1, 2, 0, 3)，结果是 (1.5, 1.1667, 0.5, 0)。这个代理奖励偏爱最差的。
# %% exercise="4a.4"
# EXERCISE 4a.4
def best_of_every_n(proxy, value):
    """[B, N]: column n - 1 is the expected value of the best of n of a row's draws."""
    # solution:
    size = proxy.shape[1]
    ordered = value.double().gather(1, proxy.argsort(dim=1))                             # (B, N) by proxy, rising
    weight = [[math.comb(i - 1, n - 1) / math.comb(size, n) for n in range(1, size + 1)] for i in range(1, size + 1)]
    return ordered @ torch.tensor(weight, dtype=torch.float64)                           # (N, N): rows i, columns n
    # end
# %% [markdown] lang="en" hints="4a.4"
# <details><summary>Hint 1: the idea</summary>
#
# Two steps: put each row's values in the order of its proxies; then multiply with a table of weights, a row for each i, a column
# for each n.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `value.gather(1, proxy.argsort(dim=1))`, and `math.comb(a, b)`, which is 0 where b is larger than a. Every column of weights sums to 1.
#
# </details>
# %% [markdown] lang="zh" of="69dd" hints="4a.4"
# <details><summary>线索 1：思路</summary>
#
# 分两步：先把每一行的 value 按它的代理奖励排好；再乘一张权重表，每个 i 一行，每个 n 一列。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `value.gather(1, proxy.argsort(dim=1))`，还有 `math.comb(a, b)`，b 大于 a 时它就是 0。权重表每一列的和都是 1。
#
# </details>
# %% check="4a.4"
best_of_every_n = kit.check("4a.4", best_of_every_n)
# %% [markdown] lang="en"
# Now the real draws. From n = 1 to n = 32 the reward model's score must rise. Compare with what would happen if *gold itself* chose: what
# share of that gain in gold does choosing by the reward model bring? Enter a number; below 0 means that gold falls.
# %% [markdown] lang="zh" of="00a3"
# 现在看真实的采样。从 n = 1 到 n = 32，奖励模型的得分一定会升。再和*由真值自己来挑*相比：真值能升的那一截，
# 由奖励模型来挑能拿到几成？填一个数；小于 0 表示真值反而降了。
# %% guess="4"
my_share = None             # such as 0.5; 1 = as good as gold
# %%
worth = {"score": best_of_every_n(proxy, proxy), "gold": best_of_every_n(proxy, truth), "chosen by gold": best_of_every_n(truth, truth)}
curves = {name: [kit.evaluate.mean(column) for column in each.T] for name, each in worth.items()}
gain = {name: curve[-1].mean - curve[0].mean for name, curve in curves.items()}
bound = [kl_and_bound(even, even, n)[1].item() for n in range(1, 33)]
names = [kit.words("score"), kit.words("gold"), kit.words("chosen_by_gold")]
kit.table({"n": many[:6], **{name: [str(curve[n - 1]) for n in many[:6]] for name, curve in zip(names, curves.values())}})
kit.guessed(my_share, gain["gold"] / gain["chosen by gold"])
kit.plots.bands(bound, curves, across="KL, at most (nats)", unit="mean over 48 sources", title="Best of 1 to 32", dashed=["chosen by gold"])
# %%
kit.tell("gap", gained=gain["gold"], possible=gain["chosen by gold"])
part = gain["gold"] / gain["chosen by gold"]
kit.tell("blind" if part < 0.4 else "sees" if part > 0.7 else "half")
# %% [markdown] lang="en"
# That is the picture. Three things to notice. The first doublings bring most, and each further one costs twice as many draws. Score
# and gold are different things, as in lesson 03c, and the gap between *gold* and *chosen by gold* is what a better reward model
# would bring, without any training of the policy. And no gradient has touched the policy, so nothing can diverge.
#
# ## How far did *we* go?
#
# The horizontal axis is the bound. The law itself is out of reach: nobody can list all translations. But the probability
# ε of the response that was *chosen* is known, and with it a sharper estimate (Beirami et al. 2024):
#
# $$(1-\varepsilon)^n\Big(\log n + (n-1)\log(1-\varepsilon) - \frac{n-1}{n}\Big) + \big(1-(1-\varepsilon)^n\big)\log\frac{1-(1-\varepsilon)^n}{\varepsilon}$$
# %% [markdown] lang="zh" of="bdfb"
# 这就是那张图。注意三点。起初几次翻倍收益最大，而之后每翻一倍，要抽的就多一倍。得分和真值是两回事，和第 03c 课一样；
# *真值*和*由真值来挑*之间的差距，就是更好的奖励模型能带来的，策略一点也不用训练。还有，没有任何梯度碰过策略，所以也就不会发散。
#
# ## *我们*走了多远？
#
# 横轴是上界。真正的分布算不出来：谁也列不全所有译文。但*选中*的那条回答有多大概率 ε 是知道的，由它可以得到更准的估计（Beirami 等 2024）：
#
# $$(1-\varepsilon)^n\Big(\log n + (n-1)\log(1-\varepsilon) - \frac{n-1}{n}\Big) + \big(1-(1-\varepsilon)^n\big)\log\frac{1-(1-\varepsilon)^n}{\varepsilon}$$
# %% [markdown] lang="en"
# ### ✏️ Exercise 4a.5 - A sharper estimate
#
# `Difficulty ●●●○ · Importance ●●○○ · 15 min · 2 points`
#
# In: `n`, a whole number, at least 1; `logprob`, `[B]`, float64: log ε of each chosen response, from -200 to 0, both included. Out: the
# estimate for each, `[B]`, in nats. Where ε is 1 it is 0. Where ε is tiny, 1 - ε is rounded to 1: write log(1 - ε) so that it survives.
#
# For n = 4 and ε = 0.5 it is 0.4991, between the exact 0.4594 and the bound 0.6363.
# %% [markdown] lang="zh" of="a81b"
# ### ✏️ 练习 4a.5 - 更准的估计
#
# `难度 ●●●○ · 重要 ●●○○ · 15 分钟 · 2 分`
#
# 输入：`n`，不小于 1 的整数；`logprob`，`[B]`，float64：每条选中的回答的 log ε，从 -200 到 0，两端都包括。输出：每条的估计，`[B]`，单位奈特。
# ε 为 1 处是 0。ε 极小时，1 - ε 会被舍入成 1：log(1 - ε) 要换个写法，才不会丢掉。
#
# 例如 n = 4，ε = 0.5，结果是 0.4991，在精确的 0.4594 和上界 0.6363 之间。
# %% exercise="4a.5"
# EXERCISE 4a.5
def kl_estimate(n, logprob):
    """Beirami's estimate of the KL from the chosen responses' log-probabilities, [B]."""
    # solution:
    epsilon = logprob.double().exp().clamp(max=1 - 1e-12)                                # (B,) 1 itself has no log(1 - e)
    miss = torch.log1p(-epsilon)                                                         # log(1 - e)
    drawn = -torch.expm1(n * miss)                                                       # 1 - (1 - e)^n
    seldom = (n * miss).exp() * (math.log(n) + (n - 1) * miss - (n - 1) / n)
    return seldom + drawn * (drawn.log() - logprob.double())
    # end
# %% [markdown] lang="en" hints="4a.5"
# <details><summary>Hint 1: the idea</summary>
#
# Name the pieces: log(1 - ε), then $(1-\varepsilon)^n$ as the exp of n times that, then 1 minus it. Each appears twice.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.log1p(-x)` is log(1 - x) and `-torch.expm1(y)` is 1 - exp(y), both exact for tiny numbers. Keep ε a hair below 1, or treat it
# with `torch.where`.
#
# </details>
# %% [markdown] lang="zh" of="6a7b" hints="4a.5"
# <details><summary>线索 1：思路</summary>
#
# 给各部分起名字：log(1 - ε)；它乘 n 再取 exp，就是 $(1-\varepsilon)^n$；再用 1 减去它。每一个都出现两次。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.log1p(-x)` 就是 log(1 - x)，`-torch.expm1(y)` 就是 1 - exp(y)，数再小也准。让 ε 比 1 略小一点，或者用 `torch.where` 处理。
#
# </details>
# %% check="4a.5"
kl_estimate = kit.check("4a.5", kl_estimate)
# %%
logprob = torch.tensor([one.logprob for one in drawn], dtype=torch.float64).clamp(-200, 0)      # (B,) of the best of 32
estimate = kl_estimate(32, logprob)
kit.tell("estimate", bound=bound[-1], mean=estimate.mean(), least=estimate.min(), likely=logprob.max().exp())
surprise = torch.linspace(0, 10, 101, dtype=torch.float64)                               # -log of the chosen one's probability
curves = {f"n = {n}": kl_estimate(n, -surprise).tolist() for n in (4, 32)} | {f"bound, n = {n}": [bound[n - 1]] * 101 for n in (4, 32)}
kit.plots.lines(surprise.tolist(), curves, across="-log of the chosen response's probability (nats)", unit="nats",
                title="Estimated KL of best-of-n", dashed=["bound, n = 4", "bound, n = 32"])
# %% [markdown] lang="en"
# On the left the chosen response is likely, it would often be drawn anyway, and the KL is small; on the right the estimate meets the
# bound. Whole translations are mostly less likely than 1/32 and lie on the right; short answers, or a policy that has lost its
# entropy, lie on the left. Compare: how many nats did PPO pay in lesson 03c for its gain?
#
# ## Which n?
#
# Below is a longer run that came with the kit: more sources, up to 128 draws. Every draw costs time at *every* answer, for ever. So
# take the smallest n that cannot be told from the best one that you can afford.
# %% [markdown] lang="zh" of="e7f8"
# 在左边，选中的回答本来就常抽到，KL 很小；在右边，估计和上界重合。整段译文的概率大多不到 1/32，都在右边；要是回答很短，
# 或者策略已经没有多少熵，就在左边。
# 比一比：第 03c 课的 PPO，为了它的收益付了多少奈特？
#
# ## 取哪个 n？
#
# 下面是随工具包附带的一次更长的运行：原文更多，最多抽 128 次。每多抽一次，以后*每次*回答都要多花一份时间。
# 所以，在花得起的范围里，取和最好的分不出高下的、最小的 n。
# %%
log = kit.stored()
draws = log["parts"]["draws"]
long = {name: [kit.evaluate.Estimate(m, m - 1.96 * e, m + 1.96 * e, draws["prompts"]) for m, e in curve] for name, curve in draws["curves"].items()}
kit.tell("made_by", **log["about"])
kit.plots.bands([math.log(n) - (n - 1) / n for n in range(1, draws["n"] + 1)], long, across="KL, at most (nats)", unit="mean over the sources",
                title="Best of 1 to 128, from the stored run", dashed=["chosen by gold"])
# %% [markdown] lang="en"
# ### ✏️ Exercise 4a.6 - The smallest n that is good enough
#
# `Difficulty ●●●○ · Importance ●●●○ · 10 min · 2 points`
#
# In: `gold` and `error`, lists: entry n - 1 is the mean gold of the best of n and its standard error; `budget`, a whole number, at least
# 1, which may exceed what was measured. Look at n ≤ `budget` only. The *best n* is the one with the highest gold (of equal ones
# the smallest). Out: the smallest n whose gold is lower than that of the best n by **not more than** the best n's standard error.
#
# For gold (0.5, 0.58, 0.61, 0.6), all errors 0.04 and budget 4: the best n is 3, the bar 0.57, the answer 2.
# %% [markdown] lang="zh" of="b0b9"
# ### ✏️ 练习 4a.6 - 够好的最小的 n
#
# `难度 ●●●○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 输入：`gold` 和 `error`，列表：第 n - 1 项是 n 次里最好的那条的平均真值，和它的标准误；`budget`，不小于 1 的整数，可以超过量过的 n。
# 只看 n ≤ `budget`。*最好的 n* 是真值最高的那个（并列就取最小的）。
# 输出：真值比最好的 n 低**不超过**最好的 n 的标准误的、最小的 n。
#
# 例如真值 (0.5, 0.58, 0.61, 0.6)，标准误都是 0.04，预算 4：最好的 n 是 3，门槛 0.57，答案是 2。
# %% exercise="4a.6"
# EXERCISE 4a.6
def choose_n(gold, error, budget):
    """The least n within the budget that is within one standard error of the best."""
    # solution:
    within = gold[:budget]
    best = within.index(max(within))
    bar = within[best] - error[best]
    return 1 + next(i for i, worth in enumerate(within) if worth >= bar)
    # end
# %% [markdown] lang="en" hints="4a.6"
# <details><summary>Hint 1: the idea</summary>
#
# Cut first, then find the best, then one bar for all, then the first that reaches it.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `gold[:budget]`, `.index(max(...))`; places count from 0 and n from 1.
#
# </details>
# %% [markdown] lang="zh" of="e599" hints="4a.6"
# <details><summary>线索 1：思路</summary>
#
# 先截断，再找最好的，再定一个共同的门槛，最后找第一个达到它的。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `gold[:budget]`、`.index(max(...))`；位置从 0 数起，n 从 1 数起。
#
# </details>
# %% check="4a.6"
choose_n = kit.check("4a.6", choose_n)
# %%
means, errors = zip(*draws["curves"]["gold"])
chosen = {budget: choose_n(list(means), list(errors), budget) for budget in (2, 4, 16, 64, 128)}
kit.table({kit.words("budget"): [*chosen], "n": [*chosen.values()], kit.words("gold"): [means[n - 1] for n in chosen.values()],
           kit.words("score"): [draws["curves"]["score"][n - 1][0] for n in chosen.values()]})
peak = max(range(len(means)), key=lambda i: means[i])
kit.tell("falls" if means[peak] - means[-1] > errors[-1] else "levels", n=peak + 1, most=means[peak], last=means[-1])
# %% [markdown] lang="en"
# A curve of one run wobbles together: its points come from the same sources, so differences between neighbours are surer than
# single points, and this rule is careful. It has another use: if gold *falls* with n, n is where over-optimisation begins.
#
# ## Recap
#
# | piece | what it gives |
# |---|---|
# | 1 - (1 - p)^n | nothing is chosen that is not drawn |
# | F^n - F⁻^n, ties shared | the exact law, on π's support |
# | log n - (n - 1)/n | an upper bound of the KL, exact without ties |
# | all choices of n of N | every n from one set of draws, unbiased |
# | ε of the chosen response | an estimate of the KL that can be computed |
# | one standard error | a small n that is good enough |
#
# **Break it.** (1) `temperature=0.5` in the sampling: what happens to *chosen by gold*, and to the estimate? (2) Choose by
# `kit.rewards.length(24)`. (3) Choose by gold plus noise of 0.3. (4) Let `best_law` see rewards that all tie.
#
# **Next:** [part 2](04b_rest.ipynb) pays once instead of with every answer: the policy learns from what was chosen.
#
# **References.** WebGPT: Nakano et al. 2021, arXiv:2112.09332. The KL as a formula: Stiennon et al. 2020, arXiv:2009.01325. Bound and estimate:
# Beirami et al. 2024, arXiv:2401.01879. Over-optimisation: Gao et al. 2022, arXiv:2210.10760. log k: Bai et al. 2022, arXiv:2204.05862.
# %% [markdown] lang="zh" of="1bc5"
# 同一次运行的曲线是一起波动的：各点来自同样的原文，所以相邻两点之差比单独的点更可靠，这条规则偏于谨慎。
# 它还有一个用处：要是真值随 n *下降*，过度优化就从那个 n 开始。
#
# ## 小结
#
# | 部件 | 它给出什么 |
# |---|---|
# | 1 - (1 - p)^n | 抽不到的，选不出来 |
# | F^n - F⁻^n，相同的按比例分 | 精确的分布，留在 π 的支撑集上 |
# | log n - (n - 1)/n | KL 的上界，不打平时精确 |
# | N 次里取 n 次的所有选法 | 用一批采样量出每一个 n，无偏 |
# | 选中的回答的 ε | 算得出来的 KL 估计 |
# | 一个标准误 | 够好的、小的 n |
#
# **弄坏它。**（1）采样时取 `temperature=0.5`：*由真值来挑*会怎样，估计又会怎样？（2）用 `kit.rewards.length(24)` 来挑。（3）用真值加上 0.3 的噪声来挑。
# （4）让 `best_law` 面对全都相同的奖励。
#
# **下一课：**[之二](04b_rest.ipynb)只付一次，不必每次回答都付：让策略去学那些选出来的。
#
# **参考文献。** WebGPT：Nakano 等 2021，arXiv:2112.09332。作为公式的 KL：Stiennon 等 2020，arXiv:2009.01325。上界和估计：
# Beirami 等 2024，arXiv:2401.01879。过度优化：Gao 等 2022，arXiv:2210.10760。log k：Bai 等 2022，arXiv:2204.05862。
# %% [markdown] lang="en"
# **Play with it.** The translator in the studio, with the reward model that chose. Ask for several translations of one source:
# %% [markdown] lang="zh" of="9490"
# **玩一玩。** 演示间里有这个翻译模型，还有负责挑选的奖励模型。让它把同一段原文多译几遍：
# %%
kit.panel("compare", LANG, models={"translator": policy, "reward model": judge}, prompts=sources[:6], task="translation", folder="runs/lesson-04a")
