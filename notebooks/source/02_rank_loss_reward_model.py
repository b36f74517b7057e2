# %% [markdown] lang="en"
# # A reward model from rankings
#
# People rank texts; a reward model turns their rankings into a score for any text. You write its loss, train it, find out
# how good it could possibly be, fool it, and let a policy learn from it. The picture you will make: how the scores of the
# best and the worst reviews move apart, and where they still overlap.
#
# Level 2 · about 60 minutes · CPU only · no account · works offline after install · you should know what a gradient step
# and a sigmoid are; [lesson 00](00_map.ipynb) says where a reward model stands.
#
# It explains `rlhf_kit/methods/reward_model.py` and `rlhf_kit/formulas/preference.py`: InstructGPT's K-wise batches and the
# rank-list model of transformers_tasks.
#
# **What is graded:** the functions named in the exercises. They may use imports, functions and constants that stand at the
# top level of a cell. No call is run again for grading, except one that only computes a constant, such as `math.log(2)`.
# %% [markdown] lang="zh" of="3dc9"
# # 从排序到奖励模型 (reward model)
#
# 人给文本排序，奖励模型从这些排序里学会给任何文本打分。损失由你来写，模型由你来训；再弄清它最好能有多好，想办法骗过它，
# 最后让策略向它学习。你会画出这样一张图：最好和最差的评论，得分怎样分开，又在哪里仍然重叠。
#
# 第 2 级 · 约 60 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 需要知道什么是梯度更新、什么是 sigmoid；
# 奖励模型用在哪一步，见[第 00 课](00_map.ipynb)。
#
# 本课讲解的是 `rlhf_kit/methods/reward_model.py` 和 `rlhf_kit/formulas/preference.py`，也就是 InstructGPT 的 K 项批次 (K-wise batch)，
# 以及 transformers_tasks 的排序列表奖励模型。
#
# **评分看什么：** 看练习里点名的函数；它们可以用写在单元格最外层的 import、函数和常量。评分时不会重跑任何调用，
# 只有单纯算出一个常量的除外，例如 `math.log(2)`。
# %% [markdown] lang="en"
# **You will be able to**
#
# - write the ranking loss for batches of K responses, and say why its logarithm matters;
# - judge a reward model: accuracy against its noise ceiling, over-fitting, calibration;
# - name what it does not know, before a policy finds out.
# %% [markdown] lang="zh" of="c3a7"
# **学完之后你能够**
#
# - 写出 K 个回答一批的排序损失，并说清其中的对数为什么要紧；
# - 评价一个奖励模型：准确率离噪声上限多远，有没有过拟合，校准得怎样；
# - 在策略发现之前，先说出它不懂什么。
# %% [markdown] lang="en"
# ## Guess first
#
# You are the **labeler**. Run the next cell and read four reviews of one product. Then enter two things below it: points
# from 0 to 10 for each review, and an order, best first. Which of the two took you longer? Which would you give again next week?
# %% [markdown] lang="zh" of="aab2"
# ## 先猜一猜
#
# 这次你来当**标注者 (labeler)**。运行下一格，读同一件商品的四条评论，再在它下面填两样东西：每条打 0 到 10 分；排个先后，最好的在前。
# 哪一样更费时间？下周再做一遍，哪一样不会变？
# %%
import random
import torch

reviews = kit.Reviews(LANG)
gold = kit.rewards.gold(reviews)                      # the truth: measured, never learned from
four = reviews.rankings(1, k=4, seed=23)[0]
shown = random.Random(1).sample(four.responses, 4)
print(four.prompt)
for letter, response in zip("ABCD", shown):
    print(f"  {letter} {response.strip()}")
# %% guess="1"
my_labels = {"points": None,        # four numbers from 0 to 10, for A, B, C and D, such as [7, 2, 5, 9]
             "order": None}         # best first, such as "DACB"
# %% [markdown] lang="en"
# ## Why rankings and not scores
#
# Now four made-up labelers read the same reviews. They share one opinion, but each has a private **offset** (strict or
# generous) and a private **scale** (cautious or dramatic), and none of them gives exactly the same points twice.
# %% [markdown] lang="zh" of="d342"
# ## 为什么要排序，不要打分
#
# 现在请四位虚拟的标注者来读这几条评论。他们的看法其实一样，只是每人有自己的**起点**（严格或宽松）和自己的**幅度**（谨慎或夸张），
# 而且谁也没法两次打出完全相同的分数。
# %%
labelers = {"strict": (0, 4), "generous": (5, 5), "cautious": (4, 1.5), "dramatic": (0, 10)}   # offset, scale


def points(quality, offset, scale):
    """What one labeler says: the same opinion, shaky, on a private scale."""
    return offset + scale * (quality + 0.05 * torch.randn(quality.shape))


def in_order(numbers):
    """Letters, that of the largest number first."""
    return "".join("ABCD"[i] for i in torch.as_tensor(numbers).argsort(descending=True))


worth = gold([four.prompt] * 4, shown)                                                # (4,) the truth
for name, own in labelers.items():
    said = points(worth, *own)                                                        # (4,)
    print(f"{name:9}", *(f"{letter} {x:4.1f}  " for letter, x in zip("ABCD", said)), in_order(said))
if my_labels["points"]:
    kit.tell("your_points", order=in_order(my_labels["points"]))
kit.guessed(my_labels["order"], in_order(worth))
# %% [markdown] lang="en"
# The same with 40 reviews:
# %% [markdown] lang="zh" of="7f7d"
# 换成 40 条评论：
# %%
pile = [(r.prompt, text) for r in reviews.rankings(10, seed=3) for text in r.responses]
quality = gold(*zip(*pile)).sort().values                                             # (40,) worst to best
judged_by = {name: points(quality, *own) for name, own in labelers.items()}
said = torch.stack([*judged_by.values()])                                             # (4, 40)
order = (said[:, :, None] > said[:, None, :])[:, *torch.triu_indices(40, 40, 1)]      # (4, pairs)
a, b = torch.triu_indices(4, 4, 1)                                                    # two labelers
kit.tell("four_scales", apart=(said[a] - said[b]).abs().mean(), alike=(order[a] == order[b]).float().mean())
kit.plots.lines(range(1, 41), judged_by, across="review, worst to best", unit="points", title="One opinion, four scales")
# %% [markdown] lang="en"
# The points differ wildly. The orders nearly agree; only reviews of almost the same quality change places. A model trained
# on points would have to learn *who* gave them. So people rank instead, and each ranking is split into **pairs**: a better
# and a worse response.
# %% [markdown] lang="zh" of="0014"
# 分数天差地别，先后却几乎一致，只有好坏相近的才会换位。拿分数去训练，模型就得先学会*这是谁打的*。所以让人来排序，
# 再把一次排序拆成一个个**成对比较**：哪个更好，哪个更差。
# %% [markdown] lang="en"
# ### ✏️ Exercise 2.1 - From ranks to pairs
#
# `Difficulty ●○○○ · Importance ●●●○ · 5 min · 1 point`
#
# In: `ranks`, a list of whole numbers, 1 for the best; equal ranks are a tie and say nothing. Out: a tensor of whole numbers,
# `[P, 2]`, the *places* (better, worse) of every pair with a winner, sorted by the first place, then the second; `[0, 2]`
# where there is no such pair. `[1, 2, 3]` gives `[[0, 1], [0, 2], [1, 2]]`.
# %% [markdown] lang="zh" of="e361"
# ### ✏️ 练习 2.1 - 从名次到成对比较
#
# `难度 ●○○○ · 重要 ●●●○ · 5 分钟 · 1 分`
#
# 输入：`ranks`，一列名次，都是整数，1 最好；名次相同是平局，什么也没说。输出：整数张量，`[P, 2]`，每个分出胜负的对（赢家、输家）的*位置*，
# 先按第一个位置排，再按第二个；一对都没有时是 `[0, 2]`。`[1, 2, 3]` 的结果是 `[[0, 1], [0, 2], [1, 2]]`。
# %% exercise="2.1"
# EXERCISE 2.1
def rank_to_pairs(ranks):
    """(better, worse), the places of every pair with a winner, sorted."""
    # solution:
    rank = torch.tensor(ranks)                                                        # (K,)
    return (rank[:, None] < rank[None, :]).nonzero()                                  # (P, 2)
    # end
# %% [markdown] lang="en" hints="2.1"
# <details><summary>Hint 1: the idea</summary>
#
# Try every i with every j, also j before i. The pair counts if rank i is *strictly* smaller.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# Two loops, or a table of all comparisons, `rank[:, None] < rank[None, :]`, and `.nonzero()`, which comes sorted.
#
# </details>
# %% [markdown] lang="zh" of="2dda" hints="2.1"
# <details><summary>线索 1：思路</summary>
#
# 每个 i 都和每个 j 配一遍，j 在 i 前面的也要。名次 i *严格*更小，这一对才算。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 写两层循环，或者一次比较完：`rank[:, None] < rank[None, :]`，再 `.nonzero()`，出来就是排好的。
#
# </details>
# %% check="2.1"
rank_to_pairs = kit.check("2.1", rank_to_pairs)
# %% [markdown] lang="en"
# ## The loss by hand
#
# Give every text a score r. Say that A beats B with probability σ(r_A - r_B): that is **Bradley-Terry**. To make what people
# said likely is to minimise
#
# $$L = -\log \sigma(r_{\text{better}} - r_{\text{worse}})$$
#
# For the scores (2, 1, 0, -1), best first, the six pairs have the gaps
#
# | gap | pairs | σ | -log σ |
# |---|---|---|---|
# | 1 | 3 | 0.7311 | 0.3133 |
# | 2 | 2 | 0.8808 | 0.1269 |
# | 3 | 1 | 0.9526 | 0.0486 |
#
# The mean is (3 · 0.3133 + 2 · 0.1269 + 0.0486) / 6 = 0.2070. With all scores 0 it is log 2 = 0.6931: a coin. Adding a
# constant to all scores changes nothing.
# %% [markdown] lang="zh" of="2739"
# ## 手算损失
#
# 给每段文本一个得分 r，并约定 A 赢 B 的概率是 σ(r_A - r_B)，这就是 **Bradley-Terry 模型**。让人们说过的话尽量可能，就是要最小化
#
# $$L = -\log \sigma(r_{\text{赢家}} - r_{\text{输家}})$$
#
# 从好到坏的得分若是 (2, 1, 0, -1)，六对的差是：
#
# | 差 | 几对 | σ | -log σ |
# |---|---|---|---|
# | 1 | 3 | 0.7311 | 0.3133 |
# | 2 | 2 | 0.8808 | 0.1269 |
# | 3 | 1 | 0.9526 | 0.0486 |
#
# 平均是 (3 · 0.3133 + 2 · 0.1269 + 0.0486) / 6 = 0.2070。得分全是 0 时，它等于 log 2 = 0.6931，也就是抛硬币。
# 所有得分加上同一个数，什么都不变。
# %% [markdown] lang="en"
# ### ✏️ Exercise 2.2 - The loss of pairs
#
# `Difficulty ●●○○ · Importance ●●●● · 5-10 min · 2 points`
#
# In: `chosen`, `rejected`, scores, `[N]` each. Out: the mean of -log σ(chosen - rejected), a tensor with one number that can
# be differentiated, also where a gap is -1000. For scores of 2 and 1 it is 0.3133.
# %% [markdown] lang="zh" of="aff2"
# ### ✏️ 练习 2.2 - 成对比较的损失
#
# `难度 ●●○○ · 重要 ●●●● · 5-10 分钟 · 2 分`
#
# 输入：`chosen`（选中的）和 `rejected`（落选的）的得分，各 `[N]`。输出：-log σ(chosen - rejected) 的平均，
# 只含一个数的张量，可以求导；差是 -1000 时也要算得出来。例如得分 2 和 1，结果是 0.3133。
# %% exercise="2.2"
# EXERCISE 2.2
def pair_loss(chosen, rejected):
    """Mean over pairs of -log sigma(chosen - rejected)."""
    # solution:
    return -torch.nn.functional.logsigmoid(chosen - rejected).mean()
    # end
# %% [markdown] lang="en" hints="2.2"
# <details><summary>Hint 1: the idea</summary>
#
# σ(-1000) is 0 for a computer, and log 0 is minus infinity. The true value is -1000: let one function do both.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.nn.functional.logsigmoid`, or `softplus` of the negative gap.
#
# </details>
# %% [markdown] lang="zh" of="ad9a" hints="2.2"
# <details><summary>线索 1：思路</summary>
#
# 在计算机里 σ(-1000) 就是 0，log 0 是负无穷；而正确的值是 -1000。要让一个函数把两步一起算完。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.nn.functional.logsigmoid`，或者对负的差取 `softplus`。
#
# </details>
# %% check="2.2"
pair_loss = kit.check("2.2", pair_loss)
# %% [markdown] lang="en"
# What a gap costs; the line marks one pair. Move the slider, or change the `1.0` in the last line.
# %% [markdown] lang="zh" of="e87a"
# 一个差要付多少损失；竖线标出其中一对。拖动滑块，或者改最后一行的 `1.0`。
# %%
def at_gap(gap):
    """The loss of all gaps, and of one."""
    gaps = torch.linspace(-6, 6, 49)
    cost = [pair_loss(one[None], torch.zeros(1)).item() for one in (*gaps, torch.tensor(gap))]
    figure = kit.plots.lines(gaps.tolist(), {"-log sigma": cost[:-1]}, across="gap of the pair", unit="nats",
                             title=f"σ({gap:+.1f}) = {torch.sigmoid(torch.tensor(gap)):.2f}, -log σ = {cost[-1]:.2f}")
    figure.axes[0].axvline(gap, color="0.3", lw=1)
    return figure


kit.slide(at_gap, gap=(-6.0, 6.0, 0.5, 1.0))
# %% [markdown] lang="en"
# ## Two losses
#
# The first version of transformers_tasks left the logarithm out: -σ(gap). Both losses fall as the gap grows. Start from a
# pair that is *confidently wrong*, with a gap of -5, and walk downhill with step size 1. How many steps does each loss need
# until the pair is in the right order? Enter your guess first.
# %% [markdown] lang="zh" of="e4bb"
# ## 两种损失
#
# transformers_tasks 的第一版没有取对数，用的是 -σ(差)。差越大，两种损失都越小。从*错得很有把握*的一对出发，差是 -5，以步长 1
# 往下走：用每种损失，各要几步才能纠正过来？先填上你的猜测。
# %% guess="2"
my_steps = {"-log sigma": None, "-sigma": None}         # whole numbers
# %%
def bounded_loss(chosen, rejected):
    """Mean of -sigma: between -1 and 0."""
    return -torch.sigmoid(chosen - rejected).mean()


def pull(loss, gap):
    """How strongly the loss pulls a pair apart: minus its gradient in the better score."""
    better = torch.tensor([gap], requires_grad=True)
    loss(better, torch.zeros(1)).backward()
    return -better.grad.item()


gaps, paths, needed, pulls = (-5.0, -2.0, 0.0, 1.0, 5.0), {}, {}, {}
for name, loss in {"-log sigma": pair_loss, "-sigma": bounded_loss}.items():
    path = paths[name] = [-5.0]
    while len(path) <= 200:
        path.append(path[-1] + pull(loss, path[-1]))
    needed[name] = next(n for n, gap in enumerate(path) if gap > 0)
    pulls[name] = [pull(loss, gap) for gap in gaps]
kit.table({kit.words("gap"): gaps, **{kit.words("pull", loss=name): each for name, each in pulls.items()}}, digits=4)
kit.guessed(my_steps, needed)
kit.plots.lines(range(201), paths, across="gradient step", unit="gap of the pair", title="From a wrong start")
# %% [markdown] lang="en"
# The pull of -log σ is 1 - σ(gap); that of -σ is σ(gap) times as much. So -σ always pulls more weakly: 0.20 against 0.27 at
# a gap of 1, half at 0, and 150 times more weakly at -5. It gives up on a pair that is badly wrong. That has a good side: a
# mislabelled pair cannot pull hard either. But -σ is not a likelihood, so the scores it gives are not log-odds, and we shall
# need log-odds.
#
# ## K passes for K(K-1)/2 pairs
#
# InstructGPT's labelers ranked K = 4 to 9 responses at a time. All pairs of one prompt stay together in **one batch
# element**: each response goes through the model once, and the pairs are formed from the K scores. The loss of a ranking is
# the *mean* over its pairs; the loss of a batch is the mean over its rankings.
# %% [markdown] lang="zh" of="2668"
# -log σ 的拉力是 1 - σ(差)，-σ 的拉力是它的 σ(差) 倍。所以 -σ 总是拉得轻一些：差是 1 时，0.20 对 0.27；差是 0 时，只有一半；
# 差是 -5 时，轻了 150 倍：错得厉害的一对，它等于放弃了。这也有好处：标错的一对同样拉不动它。但 -σ 不是似然，得分也就不是对数几率，
# 而我们后面正要用到对数几率。
#
# ## K 次前向计算，换来 K(K-1)/2 对
#
# InstructGPT 的标注者一次排 K = 4 到 9 个回答。同一个提示的所有对放在批次的**同一个元素**里：每个回答只过一遍模型，
# 再用这 K 个得分组成各对。一个排序的损失是它各对的*平均*；一个批次的损失是各排序的平均。
# %% [markdown] lang="en"
# ### ✏️ Exercise 2.3 - The ranking loss
#
# `Difficulty ●●●○ · Importance ●●●● · 10-15 min · 3 points`
#
# In: `score`, `rank`, `[B, K]`; `mask`, `[B, K]`, True where there is a response. Padding may hold any score, even `-inf` or
# NaN, and has rank 0. Out: a tensor with one number that can be differentiated, without NaN in the gradient. A ranking of
# nothing but ties is left out of the mean; at least one ranking of the batch has a winner. For the scores (2, 1, 0, -1) with
# ranks (1, 2, 3, 4) it is 0.2070.
# %% [markdown] lang="zh" of="c9fa"
# ### ✏️ 练习 2.3 - 排序损失
#
# `难度 ●●●○ · 重要 ●●●● · 10-15 分钟 · 3 分`
#
# 输入：`score`、`rank`，`[B, K]`；`mask`，`[B, K]`，有回答的地方是 True。填充处的得分可能是任何数，甚至 `-inf` 或 NaN，名次是 0。
# 输出：只含一个数的张量，可以求导，填充处有 NaN 时梯度也不是 NaN；全是平局的排序不计入平均；一批里至少有一个排序分出了胜负。
# 例如得分 (2, 1, 0, -1)、名次 (1, 2, 3, 4)，结果是 0.2070。
# %% exercise="2.3"
# EXERCISE 2.3
def ranking_loss(score, rank, mask):
    """-log sigma(better - worse): mean over each ranking's pairs with a winner, then over rankings."""
    # solution:
    score = score.masked_fill(~mask, 0.0)                                             # (B, K)
    better = rank[:, :, None] < rank[:, None, :]                                      # (B, K, K)
    better = better & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]                                       # (B, K, K)
    cost = torch.where(better, -torch.nn.functional.logsigmoid(gap), 0.0).sum((1, 2))  # (B,)
    pairs = better.sum((1, 2))                                                        # (B,)
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()
    # end
# %% [markdown] lang="en" hints="2.3"
# <details><summary>Hint 1: the idea</summary>
#
# Two tables for each ranking, K by K: which response is better than which (both must exist), and the gaps between scores.
# A *smaller* rank is better. Add up the cost where there is a winner, then divide by the number of those pairs.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# First `score.masked_fill(~mask, 0.0)`, or a NaN in the padding would reach the gradient. Then `rank[:, :, None] < rank[:, None, :]`,
# the same with `score` and a minus; `torch.where(better, cost, 0.0)`. Divide by the number of pairs of each ranking,
# `.clamp(min=1)`; then take the mean over the rankings that have any.
#
# </details>
# %% [markdown] lang="zh" of="d8cb" hints="2.3"
# <details><summary>线索 1：思路</summary>
#
# 每个排序做两张 K × K 的表：哪个比哪个好（两个都得存在），以及得分之差。名次*小*的更好。把有胜负处的代价加起来，再除以有几对。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 先 `score.masked_fill(~mask, 0.0)`，不然填充里的 NaN 会跑进梯度。再 `rank[:, :, None] < rank[:, None, :]`，得分之差也这样写，换成减号；
# 用 `torch.where(better, cost, 0.0)`。每个排序的和除以它分出胜负的对有几个，
# 先 `.clamp(min=1)`；最后只对有胜负的排序取平均。
#
# </details>
# %% check="2.3"
ranking_loss = kit.check("2.3", ranking_loss)
# %% [markdown] lang="en"
# Now the model: a small encoder that has learned to tell good reviews from bad ones. It gets a new head with one output,
# which is 0 for every text at first. (That is the idea of preference model pretraining.) Count the texts it reads in one
# update: first with each ranking of nine kept together, then with the same pairs taken apart.
# %% [markdown] lang="zh" of="236e"
# 轮到模型上场了：一个学过分辨好评差评的小编码器，换上一个只输出一个数的新头，一开始对什么都输出 0。（从一个已经懂得一些好坏的模型出发，
# 正是**偏好模型预训练 (preference model pretraining)** 的思路。）数一数更新一次它读了多少段文本：先让九个回答的排序整个放在一起，再拆成同样的那些对。
# %%
def fresh():
    """A reward model that has not seen a ranking yet."""
    model = kit.load_reward_model(f"tiny-judge-{LANG}", new_head=True)
    torch.nn.init.zeros_(model.model.classifier.weight)
    return model


def judged(model, rankings):
    """Scores, ranks and mask, (N, K) each."""
    texts = [(r.prompt, text) for r in rankings for text in r.responses]
    rank = torch.tensor([r.ranks for r in rankings])
    return kit.rewards.learned(model)(*zip(*texts)).view(rank.shape), rank, torch.ones_like(rank).bool()


nine = reviews.rankings(8, k=9, noise=0.1, seed=4)
apart = [pair for ranking in nine for pair in ranking.pairs()]
for name, data in {"together": nine, "apart": apart}.items():
    model, read = fresh(), []
    model.register_forward_pre_hook(lambda module, inputs, read=read: read.append(len(inputs[0])))
    kit.reward_model.train(model, data, kit.reward_model.Config(steps=1, batch_size=len(data)))
    kit.tell(name, read=sum(read), pairs=len(apart))
kit.tell("untrained", loss=ranking_loss(*judged(fresh(), nine)))
# %% [markdown] lang="en"
# Taken apart, the same pairs cost K - 1 = 8 times the work. Worse, each response then moves the model K - 1 times an epoch;
# InstructGPT's model **over-fitted** within a single one. The loss starts at log 2: the new head knows nothing.
#
# ## Train it
#
# 600 rankings of four, made by labelers who err: the better of two responses is only *more likely* to be placed first. We
# make 150 updates of eight rankings each. (~12 s on a laptop CPU)
# %% [markdown] lang="zh" of="c068"
# 同样的对，拆开要读 K - 1 = 8 倍的文本。更糟的是，一遍数据里每个回答要推动模型 K - 1 次，InstructGPT 的模型
# 这样只过一遍就**过拟合 (over-fitting)** 了。损失从 log 2 开始：新的头什么都不懂。
#
# ## 训练
#
# 600 次排序，每次四个回答，标注者会出错：两个回答里，好的那个只是*更可能*排在前面。更新 150 次，每次用八个排序。（笔记本电脑 CPU 上约 12 秒）
# %%
train = reviews.rankings(600, k=4, noise=0.1, seed=1)
heldout = reviews.rankings(200, k=4, noise=0.1, seed=2, split="heldout")             # products never trained on
config = kit.reward_model.Config(steps=150, batch_size=8)
model = fresh()
untrained = judged(model, heldout)[0]
history = list(kit.progress(kit.reward_model.steps(model, train, config), config.steps))
smooth = [sum(s.metrics["loss"] for s in history[i:i + 10]) / 10 for i in range(141)]
kit.plots.lines(range(1, 142), {"training loss": smooth, "a coin, log 2": [0.6931] * 141}, across="update",
                unit="nats per pair", title="Mean over ten updates", dashed=["a coin, log 2"])
# %% [markdown] lang="en"
# ### ✏️ Exercise 2.4 - How often it is right
#
# `Difficulty ●●○○ · Importance ●●●○ · 10 min · 2 points`
#
# In: `score`, `rank`, `[B, K]`. Out: two tensors with one number each. **Pair accuracy**: of all pairs with a winner, the share
# whose winner scores higher; equal scores count half. **List accuracy**: the share of rankings in which every such pair is
# right; here equal scores are not right, and a ranking of nothing but ties is. Some pair always has a winner. Four random
# scores reach 1/2 and 1/24.
#
# | scores | ranks | pairs right | list right |
# |---|---|---|---|
# | 2, 1, 0, -1 | 1, 2, 3, 4 | 6 of 6 | yes |
# | 0, 2, 1, -1 | 1, 2, 3, 4 | 4 of 6 | no |
#
# Together 10 / 12 and 1 / 2.
# %% [markdown] lang="zh" of="037e"
# ### ✏️ 练习 2.4 - 它有多少次是对的
#
# `难度 ●●○○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 输入：`score`、`rank`，`[B, K]`。输出：两个张量，各含一个数。**成对准确率**：所有分出胜负的对里，赢家得分更高的占多少；得分相同算一半。
# **整列准确率**：每个分出胜负的对都对的排序占多少；这里得分相同不算对，名次全是平局的算对。至少有一对分出了胜负。
# 四个随机得分，分别是 1/2 和 1/24。
#
# | 得分 | 名次 | 对了几对 | 整列对吗 |
# |---|---|---|---|
# | 2, 1, 0, -1 | 1, 2, 3, 4 | 6 对里 6 对 | 对 |
# | 0, 2, 1, -1 | 1, 2, 3, 4 | 6 对里 4 对 | 不对 |
#
# 合起来是 10 / 12 和 1 / 2。
# %% exercise="2.4"
# EXERCISE 2.4
def accuracies(score, rank):
    """(pair accuracy, list accuracy)"""
    # solution:
    better = rank[:, :, None] < rank[:, None, :]                                      # (B, K, K)
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    whole = ((gap > 0) | ~better).all(2).all(1)                                       # (B,)
    return right[better].mean(), whole.float().mean()
    # end
# %% [markdown] lang="en" hints="2.4"
# <details><summary>Hint 1: the idea</summary>
#
# The table of exercise 2.3 again, and the gaps. For the list: nowhere a pair with a winner whose gap is not positive.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `((gap > 0) + 0.5 * (gap == 0))[better].mean()` for pairs, `((gap > 0) | ~better).all(2).all(1).float().mean()`
# for lists.
#
# </details>
# %% [markdown] lang="zh" of="baec" hints="2.4"
# <details><summary>线索 1：思路</summary>
#
# 还是练习 2.3 的那张表，加上得分之差。整列对，就是没有哪个有胜负的对，差不是正数。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 成对用 `((gap > 0) + 0.5 * (gap == 0))[better].mean()`，
# 整列用 `((gap > 0) | ~better).all(2).all(1).float().mean()`。
#
# </details>
# %% check="2.4"
accuracies = kit.check("2.4", accuracies)
# %%
score, rank, mask = judged(model, heldout)
for name, numbers in {"before": untrained, "after": score}.items():
    pair, whole = accuracies(numbers, rank)
    kit.tell(name, pair=pair, whole=whole, loss=ranking_loss(numbers, rank, mask))
kit.plots.histograms({f"rank {place}": score[rank == place].tolist() for place in (1, 4)},
                     across="score of a held-out review", title="The best and the worst of each ranking")
# %% [markdown] lang="en"
# That is the picture. Some of the overlap is the model's fault. How much is the labelers'?
#
# ## The noise ceiling
#
# If labelers err, even the truth disagrees with them. Suppose each of two labelers is right about a pair with probability
# q, and that they err **independently** of each other. They agree if both are right or both are wrong: a = q² + (1 - q)².
# Their agreement a can be measured without knowing the truth, and it gives q.
# %% [markdown] lang="zh" of="796b"
# 这就是那张图。重叠的部分，有一些是模型的错。有多少该怪标注者呢？
#
# ## 噪声上限
#
# 标注者会出错，那么连真值也会和他们不一致，这就是**噪声上限 (noise ceiling)**。设两个标注者对一对回答各以概率 q 判断正确，
# 而且出错**互相独立**。两个人都对或者都错，就一致：a = q² + (1 - q)²。一致率 a 不用知道真相就能测，由它就能算出 q。
# %% [markdown] lang="en"
# ### ✏️ Exercise 2.5 - How good is a labeler?
#
# `Difficulty ●○○○ · Importance ●●●○ · 5 min · 1 point`
#
# In: `agreement`, a number. Out: q, at least 1/2. An agreement below 1/2 can only be bad luck: then q is 1/2. For a = 1, q = 1.
# %% [markdown] lang="zh" of="dc49"
# ### ✏️ 练习 2.5 - 标注者有多准
#
# `难度 ●○○○ · 重要 ●●●○ · 5 分钟 · 1 分`
#
# 输入：`agreement`，一致率，一个数。输出：q，至少 1/2。一致率低于 1/2 只能是运气不好，这时 q 取 1/2。例如 a = 1 时 q = 1。
# %% exercise="2.5"
# EXERCISE 2.5
def labeler_quality(agreement):
    """q of q^2 + (1 - q)^2 = agreement, 1/2 or more."""
    # solution:
    return (1 + max(2 * agreement - 1, 0.0) ** 0.5) / 2
    # end
# %% [markdown] lang="en" hints="2.5"
# <details><summary>Hint 1: the idea</summary>
#
# It is a quadratic equation, 2q² - 2q + 1 - a = 0. Of its two roots take the larger.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# Under the square root stands 2a - 1; `max(2 * a - 1, 0.0) ** 0.5` survives bad luck.
#
# </details>
# %% [markdown] lang="zh" of="8210" hints="2.5"
# <details><summary>线索 1：思路</summary>
#
# 这是一元二次方程：2q² - 2q + 1 - a = 0。两个根里取大的。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 根号里是 2a - 1；写成 `max(2 * a - 1, 0.0) ** 0.5`，运气不好时也不会出错。
#
# </details>
# %% check="2.5"
labeler_quality = kit.check("2.5", labeler_quality)
# %%
from rlhf_kit.tasks.rankings import ordered

kit.tell("published", hh=labeler_quality(0.63), instruct=labeler_quality(0.73), summaries=labeler_quality(0.77))
rng, alike = random.Random(0), {"level": [], "close": [], "near": [], "far": []}      # how far apart in gold
for ranking in heldout:                                                               # two more labelers read it
    worth = [reviews.gold(ranking.prompt, text) for text in ranking.responses]
    one, other = (ordered(worth, 0.1, rng)[0] for _ in range(2))                      # places, best first
    for i, j in torch.combinations(torch.arange(4)).tolist():
        apart = abs(worth[i] - worth[j])
        same = (one.index(i) < one.index(j)) == (other.index(i) < other.index(j))
        alike["level" if apart < 0.05 else "close" if apart < 0.15 else "near" if apart < 0.3 else "far"].append(same)
sizes = [len(same) for same in alike.values()]
shares = [sum(same) / len(same) for same in alike.values()]
overall = labeler_quality(sum(map(sum, alike.values())) / sum(sizes))
by_kind = sum(n * labeler_quality(share) for n, share in zip(sizes, shares)) / sum(sizes)
kit.table({kit.words("pairs"): [kit.words(kind) for kind in alike], kit.words("how_many"): sizes,
           kit.words("agree"): shares, "q": [labeler_quality(share) for share in shares]}, digits=2)
kit.tell("labelers", overall=overall, by_kind=by_kind)
# %% [markdown] lang="en"
# The published figures are between different people: HH's 63 % is between researchers and crowd workers, who are not equally
# good, so there q is only a rough mean. And our own labelers show a second limit. Both find the *same* pairs hard, so their
# errors over all pairs are **not independent**, and the formula promises too much. Within pairs of similar difficulty it
# holds. Does the q by kind meet the ceiling that gold itself sets on these labels?
# %% [markdown] lang="zh" of="da47"
# 公布的数字来自不同的人：HH 的 63 % 是研究者和众包工人之间的一致率，两边并不一样准，那里的 q 只是大概的平均。我们自己的标注者还显出第二个限制：
# 难的对，两个人*都*觉得难，所以放在一起看，他们的错误**并不独立**，公式就过于乐观了。只看难度相近的对，公式才成立。
# 分类算出的 q，和真值在这些标签上给出的上限对得上吗？
# %%
truth = reviews.rankings(200, k=4, seed=2, split="heldout")                          # labelers who never err
ours = kit.rewards.learned(model)


def length(prompts, responses):
    return [float(len(response)) for response in responses]


def ask(judge, rankings):
    return kit.evaluate.agreement(judge, rankings).pair_accuracy


ceiling, right = ask(gold, heldout), ask(ours, truth)
kit.tell("ceiling", ceiling=ceiling.mean, by_kind=by_kind, overall=overall)
kit.tell("averaged" if right.mean > ask(ours, heldout).mean else "not_averaged", noisy=ask(ours, heldout).mean, truth=right.mean)
kit.plots.bars({"length": ask(length, heldout), "reward\nmodel": ask(ours, heldout), "gold =\nceiling": ceiling,
                "reward model\nagainst truth": right}, unit="pair accuracy", title="Three times noisy labels, once the truth")
# %% [markdown] lang="en"
# Gold itself does not reach 1: its bar is the **noise ceiling**. Whoever does clearly better on these labels has seen the
# answers. The last bar asks the model about the truth instead of about labels like those it learned from: labelers' errors
# point in all directions, so that in training they largely cancel out.
#
# ## Over-fitting
#
# Now the same number of updates, but with only 40 rankings, read over and over: 30 epochs. Solid lines are those 40, dashed
# lines are held-out rankings. (~15 s on a laptop CPU)
# %% [markdown] lang="zh" of="9777"
# 连真值也到不了 1：它那根柱子就是噪声上限。在这些标签上谁要是明显超过它，准是看过答案。最后一根柱子是拿真相来考，
# 而不是拿它学过的那种标签来考：标注者的错误各朝各的方向，训练时大部分就互相抵消了。
#
# ## 过拟合
#
# 更新次数不变，只给 40 个排序，反复地学：30 遍。实线是这 40 个，虚线是留出的。（笔记本电脑 CPU 上约 15 秒）
# %%
few, overfitted, seen = train[:40], fresh(), heldout[:80]
curves = {"accuracy, trained on": [], "accuracy, held-out": [], "loss, trained on": [], "loss, held-out": []}
updates = list(range(10, 151, 20))
for step in kit.progress(kit.reward_model.steps(overfitted, few, config), config.steps):
    if step.number + 1 in updates:
        for name, data in (("trained on", few), ("held-out", seen)):
            score, rank, mask = judged(overfitted, data)
            curves[f"accuracy, {name}"].append(accuracies(score, rank)[0].item())
            curves[f"loss, {name}"].append(ranking_loss(score, rank, mask).item())
end = {name: curve[-1] for name, curve in curves.items()}
kit.tell("by_heart", own=end["accuracy, trained on"], new=end["accuracy, held-out"], loss=end["loss, held-out"])
kit.tell("worse_than_a_coin" if end["loss, held-out"] > 0.6931 else "near_a_coin", loss=end["loss, held-out"])
kit.plots.lines(updates, curves, across="update (8 rankings of 40)", unit="accuracy, nats", title="40 rankings by heart",
                dashed=["accuracy, held-out", "loss, held-out"], size=(6, 3))
# %% [markdown] lang="en"
# Its own rankings it learns by heart, errors included. On held-out ones its accuracy hardly changes while the *loss* climbs:
# it is not wrong much more often than before, but it is wrong with conviction. InstructGPT trained for a single epoch.
#
# ## Is 90% sure right nine times of ten?
#
# σ(gap) is a probability that the model states. Sort the pairs into bins by how sure the model is, and compare what it stated
# with how often it was right. The **expected calibration error** is the mean distance between the two, each bin weighted by
# the number of pairs in it.
# %% [markdown] lang="zh" of="e696"
# 自己的排序它全背下来了，连错误也背。在留出的排序上，准确率几乎没变，*损失*却往上爬：模型错的次数比以前多不了几次，
# 却错得斩钉截铁。InstructGPT 的奖励模型只训练了一遍。
#
# ## 九成把握，十次能对九次吗？
#
# σ(差) 是它说出的概率。按模型有多大把握把各对分格，比一比它说的概率和实际对的比例。**期望校准误差 (expected calibration error)**
# 就是两者的平均距离，每格按里面有多少对加权。
# %% [markdown] lang="en"
# ### ✏️ Exercise 2.6 - Calibration error
#
# `Difficulty ●●●○ · Importance ●●●○ · 10 min · 2 points`
#
# In: `probability`, as stated, `[N]`; `happened`, 0. or 1., `[N]`; `bins`, the number of bins. All are equally wide over
# [0, 1], and each holds its lower edge; exactly 1 belongs to the last. Out: one number. For 10 bins:
#
# | stated | happened | mean stated | share | distance | weight |
# |---|---|---|---|---|---|
# | 0.95, 0.95 | 1, 1 | 0.95 | 1 | 0.05 | 2 / 4 |
# | 0.75, 0.75 | 1, 0 | 0.75 | 0.5 | 0.25 | 2 / 4 |
#
# The error is 0.15.
# %% [markdown] lang="zh" of="edd6"
# ### ✏️ 练习 2.6 - 校准误差
#
# `难度 ●●●○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 输入：`probability`，说出的概率，`[N]`；`happened`，0. 或 1.，`[N]`；`bins`，把 [0, 1] 等分成几格，
# 每格含下边界，不含上边界，恰好等于 1 的算在最后一格。
# 输出：一个数。例如分 10 格：
#
# | 说的 | 发生了吗 | 说的平均 | 发生的比例 | 距离 | 权重 |
# |---|---|---|---|---|---|
# | 0.95, 0.95 | 1, 1 | 0.95 | 1 | 0.05 | 2 / 4 |
# | 0.75, 0.75 | 1, 0 | 0.75 | 0.5 | 0.25 | 2 / 4 |
#
# 误差是 0.15。
# %% exercise="2.6"
# EXERCISE 2.6
def calibration_error(probability, happened, bins):
    """Mean distance between what was stated and what happened, bin by bin, weighted by what a bin holds."""
    # solution:
    place = (probability * bins).long().clamp(max=bins - 1)                           # (N,)
    error = 0.0
    for b in place.unique():
        inside = place == b
        error += inside.sum() * (happened[inside].mean() - probability[inside].mean()).abs()
    return error / len(probability)
    # end
# %% [markdown] lang="en" hints="2.6"
# <details><summary>Hint 1: the idea</summary>
#
# First the number of the bin for each pair, then for each bin in use two means, their distance, and how many there are.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `(probability * bins).long().clamp(max=bins - 1)` is the number of the bin.
#
# </details>
# %% [markdown] lang="zh" of="1fa1" hints="2.6"
# <details><summary>线索 1：思路</summary>
#
# 先算出每一对落在第几格，再对用到的每一格求两个平均、它们的距离，以及格里有几对。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `(probability * bins).long().clamp(max=bins - 1)` 就是格子的编号。
#
# </details>
# %% check="2.6"
calibration_error = kit.check("2.6", calibration_error)
# %%
curve = {}
for name, who in {"600 rankings": model, "40 by heart": overfitted}.items():
    score, rank, _ = judged(who, heldout)
    gap = torch.cat([s[pair[:, 0]] - s[pair[:, 1]] for s, r in zip(score, rank) for pair in [rank_to_pairs(r.tolist())]])
    error = calibration_error(gap.abs().sigmoid(), (gap > 0).float(), 10)
    kit.tell("calibrated", name=kit.words(name), sure=gap.abs().sigmoid().mean(), right=(gap > 0).float().mean(), error=error)
    curve[name] = kit.evaluate.agreement(kit.rewards.learned(who), heldout).reliability
kit.plots.reliability(curve, title="Dotted: as sure as right")
# %% [markdown] lang="en"
# A dot below the dotted line is over-confidence: the model was right less often than it said. A policy will believe these
# numbers, so a model that is sure without reason is dangerous.
#
# ## Where is zero?
#
# The loss sees only differences, so the overall level of the scores is an accident. Before PPO, InstructGPT shifts them so
# that the labelers' own **demonstrations** score 0 on average. A positive score then means "better than a typical demonstration".
# %% [markdown] lang="zh" of="e584"
# 点落在虚线之下就是过分自信：对的次数比它说的少。策略会相信这些数，所以没有根据的把握很危险。
#
# ## 零点在哪里？
#
# 损失只看差，所以整体的高低纯属偶然。PPO 之前，InstructGPT 把得分整体平移，让标注者自己写的**示范 (demonstration)** 平均为 0，
# 这叫**居中 (centring)**：从此，得分为正就是“比一般的示范还好”。
# %% [markdown] lang="en"
# ### ✏️ Exercise 2.7 - Centre
#
# `Difficulty ●○○○ · Importance ●●○○ · 5 min · 1 point`
#
# In: `score`, `[N]`, of any texts; `demonstration`, `[M]`, what the same model gives to demonstrations. Out: the shifted scores,
# `[N]`, all differences as before. For scores (4, 2, 0) and demonstrations (1, 2, 3): (2, 0, -2).
# %% [markdown] lang="zh" of="111c"
# ### ✏️ 练习 2.7 - 居中
#
# `难度 ●○○○ · 重要 ●●○○ · 5 分钟 · 1 分`
#
# 输入：`score`，`[N]`，任意一些文本的得分；`demonstration`，`[M]`，同一个模型给示范的得分。输出：平移后的得分，`[N]`，
# 相互之间的差不变。例如得分 (4, 2, 0)、示范 (1, 2, 3)，结果是 (2, 0, -2)。
# %% exercise="2.7"
# EXERCISE 2.7
def centre(score, demonstration):
    """Scores, shifted such that demonstrations would average 0."""
    # solution:
    return score - demonstration.mean()
    # end
# %% [markdown] lang="en" hints="2.7"
# <details><summary>Hint 1: the idea</summary>
#
# One number is taken off every score. It comes from the demonstrations, not from what is being scored.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `.mean()`, and no deviation to divide by.
#
# </details>
# %% [markdown] lang="zh" of="2d3a" hints="2.7"
# <details><summary>线索 1：思路</summary>
#
# 每个得分都减去同一个数。这个数来自示范，而不是来自正在打分的文本。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `.mean()`；不用再除以标准差。
#
# </details>
# %% check="2.7"
centre = kit.check("2.7", centre)
# %% [markdown] lang="en"
# Our demonstrations are the best responses of the rankings. Centre on them, then score **two sentences of your own**: change
# them and run the cell again.
# %% [markdown] lang="zh" of="cc9e"
# 我们的示范是每个排序里最好的那条。居中之后，给**你自己的两句话**打分：改一改，再运行。
# %%
best = [(ranking.prompt, ranking.responses[0]) for ranking in train[:200]]
opening = reviews.prompts("heldout")[0]
mine = {"en": [" The delivery was quick.", " The delivery was slow."], "zh": ["物流很快。", "物流很慢。"]}[LANG]
two, demonstration = ours([opening] * 2, mine), ours(*zip(*best))
shifted = centre(two, demonstration)
kit.reward_model.centre(model, best)                  # the same, kept in the model
print(opening)
kit.tell("demonstrations", mean=demonstration.mean())
for text, before, after in zip(mine, two, shifted):
    kit.tell("centred", text=text.strip(), before=before, after=after)
kit.tell("preferred", probability=torch.sigmoid(two[0] - two[1]))
# %% [markdown] lang="en"
# ## Try to fool it
#
# None of the reviews that labelers read said anything three times, so the model cannot know that this is bad. What happens
# to its score, and to gold, when one honest sentence is said six times instead of once?
# %% [markdown] lang="zh" of="ffd8"
# ## 试着骗过它
#
# 标注者读过的评论里，从来没有一句话说三遍的，所以模型没法知道这样不好。把一句老实话从说一遍改成说六遍，它的得分和真值会怎样？
# %% guess="3"
my_guess = {"reward model": None, "gold": None}         # "up" or "down"
# %%
openings = reviews.prompts("heldout", 24)
honest = {"en": " The delivery was quick.", "zh": "物流很快。"}[LANG]
liked = kit.rewards.learned(model, output="probability")     # of being preferred to an average demonstration
times = list(range(1, 7))
fooled = {name: [judge(openings, [n * honest] * 24).mean().item() for n in times]
          for name, judge in (("reward model", liked), ("gold", gold))}
print(reviews.explain(openings[0], 3 * honest))
kit.guessed(my_guess, {name: "up" if mean[-1] > mean[0] else "down" for name, mean in fooled.items()})
kit.plots.lines(times, fooled, across="times the sentence is said", unit="mean of 24 openings", title="Said again")
# %% [markdown] lang="en"
# Now you: find a text that the reward model prefers to an average demonstration (above 0.5), although gold gives it less
# than 0.1. Praise without a product? Somebody else's opinion? Good words without grammar?
# %% [markdown] lang="zh" of="b6bf"
# 轮到你了：找一段文本，奖励模型觉得它比平均的示范还好（0.5 以上），真值却不到 0.1。夸得天花乱坠却不提商品？转述别人的意见？
# 不成句子的好词？
# %%
tries = {"en": [" It is great. I love it. It is wonderful!", " My neighbour says the delivery was quick.",
                " Quick quick sturdy neat comfortable.", 10 * " The delivery was quick."],
         "zh": ["太好了，太喜欢了，太满意了！", "邻居说物流很快。", "快快结实精美舒服。", 10 * "物流很快。"]}[LANG]
found = [(liked([opening], [text]).item(), gold([opening], [text]).item()) for text in tries]
for text, (score, worth) in zip(tries, found):
    kit.tell("tried", score=score, worth=worth, text=text[:60])
kit.tell("fooled", n=sum(score > 0.5 and worth < 0.1 for score, worth in found), of=len(tries))
# %% [markdown] lang="en"
# ## Feed PPO
#
# A policy looks for such texts by itself. Give it your centred model as the reward; as a probability, so that no single text
# can earn without limit. Gold is only measured. 16 steps of 32 responses. (~12 s on a laptop CPU)
# %% [markdown] lang="zh" of="768e"
# ## 交给 PPO
#
# 这样的文本，策略自己会去找。把你居中过的模型交给它当奖励，用概率的形式，这样哪段文本都不能挣到没有上限的奖励；真值只在一旁看着。
# 走 16 步，每步 32 条回答。（笔记本电脑 CPU 上约 12 秒）
# %%
policy = kit.load_policy(f"tiny-lm-{LANG}")
reference, openings = policy.reference(), reviews.prompts("heldout", 96)
settings = kit.ppo.Config(steps=16, batch_size=32, epochs=2, learning_rate=5e-4, value_coef=0.5,
                          kl=kit.KL(coefficient=0.04))
examine = (policy, reference, openings, {"score": liked, "gold": gold})
before = kit.evaluate.evaluate(*examine, seed=1)
history = list(kit.progress(kit.ppo.steps(policy, reference, reviews.prompts("train"), liked, settings,
                                          evaluation_rewards={"gold": gold}), settings.steps))
after = kit.evaluate.evaluate(*examine, seed=1)
for name, seen in (("before", before), ("after", after)):
    kit.tell("seen_" + name, score=seen.scores["score"].mean, gold=seen.scores["gold"].mean, kl=round(seen.kl, 1) + 0.0,
             text=seen.responses[0].strip())
was, now = (seen.scores["gold"].mean for seen in (before, after))
kit.tell("followed" if now > was else "misled", was=was, now=now)
kit.plots.lines(range(1, 17), {"reward model": [s.metrics["score"] for s in history],
                               "gold": [s.metrics["gold"] for s in history]},
                across="PPO step", unit="mean of 32 responses", title="Followed, and watched")
# %% [markdown] lang="en"
# Nobody labelled these responses: the reward model carried the labelers' opinion over to texts they never saw. Close to the
# reference it is a fair guide. How far it can be followed is the subject of lesson 06.
#
# ## Recap
#
# | piece | what it gives |
# |---|---|
# | rankings | labelers share an order, not a scale |
# | -log σ | the most wrong pairs pull hardest; scores become log-odds |
# | K-wise batches | each response is read once for all its pairs |
# | noise ceiling | how good anybody could be on these labels |
# | held-out loss, calibration | whether the model is sure without reason |
# | centring | a meaning for 0 |
#
# **Break it.** (1) Train with `loss="sigmoid"` in the config: what do accuracy and calibration say? (2) Hand over `noise=0.5`:
# where is the ceiling, where the model? (3) Give the over-fitted model to PPO. (4) Use `output="score"`: what does the same KL
# coefficient buy now? Longer experiments, with their pictures: `rlhf_kit/studies/rankings.py`.
#
# **Next:** [lesson 03](03a_votes_and_packing.ipynb) does this on Stack Exchange, with a language model of 7 billion parameters.
#
# **References.** K-wise loss and centring: Ouyang et al. 2022, arXiv:2203.02155. Stiennon et al. 2020, arXiv:2009.01325.
# Preference model pretraining: Askell et al. 2021, arXiv:2112.00861; HH: Bai et al. 2022, arXiv:2204.05862. Calibration error:
# Guo et al. 2017, arXiv:1706.04599. Bradley and Terry 1952, doi:10.2307/2334029.
# %% [markdown] lang="zh" of="c277"
# 这些回答没有人标注过：策略学到的，都来自奖励模型，是它把标注者的看法带到了他们从没见过的文本上。离参考模型不远时，它还算可靠。
# 能跟着它走多远，是第 06 课的事。
#
# ## 小结
#
# | 部件 | 它给出什么 |
# |---|---|
# | 排序 | 标注者的先后一致，尺度不一致 |
# | -log σ | 错得最厉害的对拉得最用力；得分成了对数几率 |
# | K 项批次 | 每个回答只读一遍，就够它所有的对用 |
# | 噪声上限 | 谁来做，最好能有多好 |
# | 留出的损失、校准 | 它的把握有没有根据 |
# | 居中 | 0 有了含义 |
#
# **弄坏它。**（1）在设置里写 `loss="sigmoid"` 再训练：准确率和校准会怎样？（2）换成 `noise=0.5`：上限在哪里，模型在哪里？
# （3）把过拟合的模型交给 PPO。（4）改用 `output="score"`：同样的 KL 系数现在能换来什么？更长的实验和图，见 `rlhf_kit/studies/rankings.py`。
#
# **下一课：**[第 03 课](03a_votes_and_packing.ipynb)在 Stack Exchange 上做同样的事，用的是 70 亿参数的语言模型。
#
# **参考文献。** K 项损失与居中：Ouyang 等 2022，arXiv:2203.02155。Stiennon 等 2020，arXiv:2009.01325。偏好模型预训练：
# Askell 等 2021，arXiv:2112.00861；HH：Bai 等 2022，arXiv:2204.05862。校准误差：Guo 等 2017，arXiv:1706.04599。
# Bradley 与 Terry 1952，doi:10.2307/2334029。
# %% [markdown] lang="en"
# **Play with it.** Your two reward models are waiting to be fooled: write a text, take a word out, make it longer, and watch
# the score part from the truth:
# %% [markdown] lang="zh" of="83a7"
# **玩一玩。** 你训练的两个奖励模型等你来骗：写一段文字，删一个词，写长一点，看得分和真值怎样分道扬镳：
# %%
kit.panel("probe", LANG, models={"600 rankings": model, "40 by heart": overfitted}, prompts=[opening + mine[0]],
          folder="runs/lesson-02")
