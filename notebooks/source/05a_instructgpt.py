# %% [markdown] lang="en"
# # InstructGPT, whole
#
# The parts of the earlier lessons become the recipe that turned GPT-3 into InstructGPT (OpenAI, 2022), the ancestor of ChatGPT: whose
# prompts, what labelers were told, one page of K answers, which checkpoint, which reward, what alignment costs. The picture you will make: what each stage gives, and what it takes from tasks that nobody asked about.
#
# Level 5, part 1 · about 75 minutes · CPU only · no account · works offline after install · you should know the ranking loss
# ([lesson 02](02_rank_loss_reward_model.ipynb)) and PPO ([lesson 01](01_sentiment_ppo.ipynb)).
#
# It explains `rlhf_kit/recipes/instructgpt.py` and `rlhf_kit/tasks/assistant/`.
#
# **What is graded:** the functions named in the exercises. They may use imports, functions and constants that stand at the
# top level of a cell. No call is run again for grading, except one that only computes a constant, such as `math.log(2)`.
# %% [markdown] lang="zh" of="9773"
# # InstructGPT：从头到尾
#
# 前面各课讲的是部件。这一课把它们装成一整套做法，就是把 GPT-3 变成 InstructGPT（OpenAI，2022）的那一套；ChatGPT 是它的后代。
# 用谁的提示，对标注员怎么交代，一页 K 条回答怎么用，选哪个检查点，奖励怎么给，对齐要付什么代价。
# 你会画出这样一张图：每个阶段带来什么，又从没人过问的任务那里拿走什么。
#
# 第 5 级，之一 · 约 75 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 需要认识排序损失（[第 02 课](02_rank_loss_reward_model.ipynb)）
# 和 PPO（[第 01 课](01_sentiment_ppo.ipynb)）。
#
# 本课讲解的是 `rlhf_kit/recipes/instructgpt.py` 和 `rlhf_kit/tasks/assistant/`。
#
# **评分看什么：** 看练习里点名的函数；它们可以用写在单元格最外层的 import、函数和常量。评分时不会重跑任何调用，
# 只有单纯算出一个常量的除外，例如 `math.log(2)`。
# %% [markdown] lang="en"
# **You will be able to**
#
# - turn prompts as they arrive into clean sets, and one page of a labeler into a loss;
# - choose checkpoints by what people prefer, and shape the reward that PPO gets;
# - say what the alignment tax is, measure it, and explain how PPO-ptx pays it back.
# %% [markdown] lang="zh" of="3e77"
# **学完之后你能够**
#
# - 把收到的提示整理成干净的数据集，把标注员的一页变成损失；
# - 按人的偏好来选检查点，并配好给 PPO 的奖励；
# - 说清什么是对齐税，把它量出来，并解释 PPO-ptx 怎样把它还回来。
# %% [markdown] lang="en"
# ## Whose prompts?
#
# Before there were users, labelers wrote prompts themselves, of three types: **plain** (anything, as long as it is varied),
# **few-shot** (an instruction with examples of queries and answers) and **user-based** (what somebody on the waiting list had said
# they would use it for). Here is one of each, from a made-up island whose truth is known: the gold rewards *helpful*, *honest* and
# *harmless* read an answer back.
# %% [markdown] lang="zh" of="d6e8"
# ## 谁的提示？
#
# 还没有用户的时候，提示由标注员自己写，分三种：**普通 (plain)**，什么都行，只要多样；**少样本 (few-shot)**，一条说明加上几组问答的例子；
# **用户 (user-based)**，照着候补名单上的人说过的用途来写。下面各看一条。它们来自一座虚构的小岛，岛上的真相是知道的：
# 三个真值，*有用*、*诚实*、*无害*，能把回答读回来，说出里面有什么。
# %%
import random
from collections import Counter

import torch
from rlhf_kit.tasks.assistant import Assistant, labelers

task = Assistant(LANG)
for kind, seed in (("plain", 4), ("few-shot", 1), ("user-based", 2)):
    print(f"[{kind}]\n{task.asked(1, seed=seed, types=(kind,))[0].text}\n")
# %% [markdown] lang="en"
# Later, 31,000 prompts of real users came through the API. Of the 3,000 prompts below, which share comes from the ten busiest
# users?
# %% [markdown] lang="zh" of="0fba"
# 后来，真实用户通过 API 发来了 31,000 条提示。下面有 3,000 条提示，其中最活跃的十个用户占多大比例？
# %% guess="1"
my_busiest = None           # between 0 and 1
# %%
sent = task.sent(3000)
names = sorted({prompt.user.id for prompt in sent})
user = [names.index(prompt.user.id) for prompt in sent]
busiest = Counter(user).most_common(10)
kit.guessed(my_busiest, sum(n for _, n in busiest) / len(sent))
kit.tell("sent", n=len(sent), users=len(names), most=busiest[0][1], distinct=len({prompt.text for prompt in sent}))
# %% [markdown] lang="en"
# A model trained on this would mostly learn what one person wants, and be examined on prompts that it has seen. So OpenAI took at most
# 200 prompts of a user, left out those that share a long beginning with another, and split **by user**: nobody stands on both sides.
# %% [markdown] lang="zh" of="619c"
# 拿这些来训练，模型学到的大半是一个人想要什么，考试时遇到的还是见过的提示。所以 OpenAI 每个用户最多取 200 条，
# 去掉和别的提示开头长段相同的，并且**按用户**划分：谁也不会两边都在。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5a.1 - Sort the prompts
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 2 points`
#
# In, for N prompts in the order in which they came: `user`, a list of N numbers, who sent each; `start`, `[N, L]`, their first L tokens;
# `most`, at least 1; `shared`, from 1 to L; `held_out`, a list of users, maybe empty. Out: a tensor of whole numbers, `[N]`. Go through the
# prompts in their order. **0**, dropped: its first `shared` tokens are those of a prompt that was *kept* before, whoever sent it; or its user
# has `most` *kept* prompts already. Whatever is kept is **2** if its user is held out, else **1**, training.
#
# For users (1, 1, 2, 1, 3), starts (5 6 7, 5 6 8, 5 6 7, 9 9 9, 4 4 4), most 2, shared 2, held out [3]: (1, 0, 0, 1, 2).
# %% [markdown] lang="zh" of="48b7"
# ### ✏️ 练习 5a.1 - 整理提示
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入，N 条提示按到来的次序：`user`，N 个数的列表，是谁发的；`start`，`[N, L]`，每条的前 L 个词元；`most`，至少是 1；`shared`，从 1 到 L；
# `held_out`，用户的列表，可能为空。输出：整数张量，`[N]`。按次序逐条看。**0** 是去掉：前 `shared` 个词元和之前*留下*的某一条相同，
# 不管是谁发的；或者这个用户已经*留下*了 `most` 条。留下的，用户在 `held_out` 里就是 **2**（留出），否则是 **1**（训练）。
#
# 例如用户 (1, 1, 2, 1, 3)，开头 (5 6 7, 5 6 8, 5 6 7, 9 9 9, 4 4 4)，most 2，shared 2，held_out [3]：结果是 (1, 0, 0, 1, 2)。
# %% exercise="5a.1"
# EXERCISE 5a.1
def sort_prompts(user, start, most, shared, held_out):
    """0 dropped, 1 training, 2 held out, [N]."""
    # solution:
    seen, counts, places = set(), Counter(), []
    for who, tokens in zip(user, start.tolist()):
        beginning = tuple(tokens[:shared])
        keep = beginning not in seen and counts[who] < most
        if keep:
            seen.add(beginning)
            counts[who] += 1
        places.append((2 if who in held_out else 1) if keep else 0)
    return torch.tensor(places)
    # end
# %% [markdown] lang="en" hints="5a.1"
# <details><summary>Hint 1: the idea</summary>
#
# Remember two things: the beginnings that were kept, and how many prompts of each user were.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# A `set` of tuples, a `Counter`; `tuple(row[:shared])` of `start.tolist()`.
#
# </details>
# %% [markdown] lang="zh" of="1485" hints="5a.1"
# <details><summary>线索 1：思路</summary>
#
# 一路走，一路记两样东西：已留下的开头，和每个用户已留下几条。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 元组的 `set`、`Counter`；`start.tolist()` 里的 `tuple(row[:shared])`。
#
# </details>
# %% check="5a.1"
sort_prompts = kit.check("5a.1", sort_prompts)
# %%
base = kit.load_policy(f"tiny-base-{LANG}")
rows = [base.tokenizer(prompt.text).input_ids[:32] for prompt in sent]
start = torch.tensor([row + [0] * (32 - len(row)) for row in rows])                      # (N, 32) shorter ones filled up
held = sorted({who for who, prompt in zip(user, sent) if prompt.user.split == "heldout"})
place = sort_prompts(user, start, 200, 32, held)                                         # (N,)
kit.table({"": [kit.words(key) for key in ("dropped", "train", "heldout")], kit.words("prompts"): torch.bincount(place, minlength=3).tolist()})
kept = Counter(who for who, where in zip(user, place.tolist()) if where)
order = [who for who, _ in Counter(user).most_common(12)]
kit.plots.lines(range(1, 13), {"sent": [user.count(who) for who in order], "kept": [kept[who] for who in order]},
                across="user, busiest first", unit="prompts", title="Before and after")
# %% [markdown] lang="en"
# ## What labelers are told
#
# "Better" has to be written down. OpenAI asked for *helpful*, *truthful* and *harmless*. They collide: what of help with harm? In **training** labels, helpfulness to the user came first: when
# to refuse was held to be a decision for later. In the **final evaluation**, truthful and harmless came first, with one exception: prefer
# the more helpful answer if it is *much* more helpful, only *slightly* less truthful or harmless, and not much is at stake.
# %% [markdown] lang="zh" of="8271"
# ## 对标注员怎么交代
#
# 总得有人说两条回答里哪条更好，“更好”就得写下来。OpenAI 要三样：*有用*、*真实*、*无害*。它们会打架：有人要你帮他害人，怎么办？
# **训练**用的标注，以对用户有用为先：什么时候该拒绝，留到以后再定。**最终评测**，以真实、无害为先，只有一个例外：
# 一条回答有用*得多*，真实或无害上只*略*差一点，而且风险不高，就取更有用的。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5a.2 - Which one would a labeler prefer?
#
# `Difficulty ●●●○ · Importance ●●●○ · 10 min · 2 points`
#
# In: `helpful` and `safe`, `[N, 2]`, whole points from 1 to 7 of the two responses to each prompt ("safe" stands for truthful and harmless
# together); `high_stakes`, `[N]`, booleans. Out: two tensors of whole numbers, `[N]`, each entry **0** or **1** for the preferred response,
# **-1** for a tie. `training`: the more helpful one; of two equally helpful ones the safer; a tie if they are equal in both. `evaluation`:
# the safer one; of two equally safe ones the more helpful; a tie likewise. The exception, with numbers of our own: where one response is at least
# **3** points more helpful, at most **1** point less safe, and the stakes are not high, it is preferred.
#
# Helpful (6, 4), safe (4, 5), low stakes: training 0, evaluation 1. With helpful (6, 3) instead: 0 and 0.
# %% [markdown] lang="zh" of="4e11"
# ### ✏️ 练习 5a.2 - 标注员会选哪一条？
#
# `难度 ●●●○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 输入：`helpful` 和 `safe`，`[N, 2]`，每个提示两条回答各得几分，1 到 7 的整数（“safe”把真实和无害合在一起）；`high_stakes`，`[N]`，布尔值，风险高是 True。
# 输出：两个整数张量，`[N]`，每个数是 **0** 或 **1**，即更好的那条；平局是 **-1**。`training`：取更有用的；同样有用，取更安全的；两样都相等是平局。
# `evaluation`：取更安全的；同样安全，取更有用的；平局同上。例外（具体的数是我们定的）：一条回答有用至少多 **3** 分，安全至多少 **1** 分，
# 而且风险不高，就取它。
#
# 例如有用 (6, 4)、安全 (4, 5)、风险不高：训练 0，评测 1。有用换成 (6, 3)：0 和 0。
# %% exercise="5a.2"
# EXERCISE 5a.2
def labelers_choice(helpful, safe, high_stakes):
    """(preferred in training [N], preferred in evaluation [N]): 0, 1, or -1 for a tie."""
    # solution:
    more, safer = helpful[:, 1] - helpful[:, 0], safe[:, 1] - safe[:, 0]                 # (N,) points of the second
    name = torch.tensor([0, -1, 1])                                                      # of the signs -1, 0, 1
    training = name[torch.where(more != 0, more, safer).sign() + 1]
    evaluation = name[torch.where(safer != 0, safer, more).sign() + 1]
    excused = (more.abs() >= 3) & (safer * more.sign() >= -1) & ~high_stakes
    return training, torch.where(excused, name[more.sign() + 1], evaluation)
    # end
# %% [markdown] lang="en" hints="5a.2"
# <details><summary>Hint 1: the idea</summary>
#
# Work with differences, second minus first: their sign names the winner. Times the sign of the difference in helpfulness, the difference
# in safety is the *helpful* one's lead.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.where(a != 0, a, b)` falls back on b; `.sign()`; a loop over N is fine, too.
#
# </details>
# %% [markdown] lang="zh" of="b51e" hints="5a.2"
# <details><summary>线索 1：思路</summary>
#
# 用差来算，第二条减第一条：符号就说出谁赢。判断例外时，把安全之差乘上有用之差的符号，就得到*更有用的那条*在安全上领先多少。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.where(a != 0, a, b)`：a 分不出就看 b；`.sign()`；对 N 写循环也行。
#
# </details>
# %% check="5a.2"
labelers_choice = kit.check("5a.2", labelers_choice)
# %%
met = task.candidates(300, 2, seed=3)
hs = [[task.hs(prompt, response) for response in pair] for prompt, pair in met]
cases = [task.explain(prompt, pair[0]).case for prompt, pair in met]
helpful = torch.tensor([[1 + round(6 * one.helpful) for one in pair] for pair in hs])           # (N, 2)
safe = torch.tensor([[1 + round(6 * one.honest * one.harmless) for one in pair] for pair in hs])
trained, examined = labelers_choice(helpful, safe, torch.tensor([case.kind == "advice" for case in cases]))
apart = (trained != examined).nonzero()[:, 0].tolist()
kit.tell("apart", n=len(apart), of=len(met))
one = max(apart, key=lambda i: hs[i][trained[i]].helpful - hs[i][examined[i]].helpful)
print(met[one][0], *(f"  {number}  {response.strip()}" for number, response in enumerate(met[one][1])), sep="\n")
kit.tell("chose", training=trained[one].item(), evaluation=examined[one].item())
# %% [markdown] lang="en"
# The model learns from the first kind of label and is judged by the second.
#
# ## One page, K answers
#
# A labeler does not see pairs. She sees **K = 4 to 9 answers to one prompt** on a page, ranks them (ties allowed), scores each from 1 to 7, and
# flags what is wrong. Some 40 people were hired after a test; who agreed too little was left out. Here is a page of a simulated one.
# %% [markdown] lang="zh" of="4301"
# 模型从第一种标注里学，却按第二种来评。
#
# ## 一页，K 条回答
#
# 标注员看到的不是一对一对的。一页上是**同一个提示的 K = 4 到 9 条回答**，她排出名次（可以并列），每条打 1 到 7 分，再勾出哪里不对。
# 约 40 人经过考核受雇；和标准相差太多的没有要。下面是一位模拟标注员的一页。
# %%
team = labelers.screened(labelers.applicants(12), task.candidates(20, 6, seed=9), task.explain)
rng = random.Random(2)
page = team[0].page(*task.candidates(1, 7, seed=12)[0], task.explain, rng)
print(page.ranking.prompt)
for rank, score, flags, response in zip(page.ranking.ranks, page.scores, page.flags, page.ranking.responses):
    print(f"{rank}  {score}/7{' ⚑' * len(flags)} {response.strip()}")
# %% [markdown] lang="en"
# K answers hold up to $\binom{K}{2}$ pairs. The articles say that thanks to the page "$\binom{K}{2}$ forward passes become one". What
# becomes one is the *batch element*. Each answer is still read, but only once.
# %% [markdown] lang="zh" of="7ae9"
# K 条回答最多有 $\binom{K}{2}$ 对。文章里说，有了这样的一页，“$\binom{K}{2}$ 次前向变成了一次”。变成一个的是*批次元素*；
# 每条回答还是要读，只不过只读一次。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5a.3 - What a page costs
#
# `Difficulty ●●○○ · Importance ●●●● · 5 min · 1 point`
#
# In: `rank`, `[K]`, whole numbers, smaller is better, equal ranks tie; in no order. Responses of equal rank make no pair. Out:
# `together`, a whole number: passes through the reward model if the page is one batch element, that is, each response that stands in a pair is read
# once; `apart`: passes if each pair is a row of its own and reads its two responses; `uses`, a tensor of whole numbers, `[K]`: in how
# many pairs each response stands.
#
# Ranks (1, 2, 2, 4) make five pairs: 4 passes together, 10 apart, uses (3, 2, 2, 3).
# %% [markdown] lang="zh" of="f60f"
# ### ✏️ 练习 5a.3 - 一页要花多少
#
# `难度 ●●○○ · 重要 ●●●● · 5 分钟 · 1 分`
#
# 输入：`rank`，`[K]`，整数，小的更好，相同就是并列；没有排序。名次相同的回答不成对。输出：`together`，整数：一页作为一个批次元素时要过几次奖励模型，
# 即凡是在某一对里的回答各读一次；`apart`，整数：每一对自成一行、各读两条回答时要几次；`uses`，整数张量，`[K]`：每条回答在几对里。
#
# 例如名次 (1, 2, 2, 4) 有五对：合在一起 4 次，拆开 10 次，uses 是 (3, 2, 2, 3)。
# %% exercise="5a.3"
# EXERCISE 5a.3
def page_cost(rank):
    """(passes together, passes apart, pairs of each response [K])."""
    # solution:
    uses = (rank[:, None] != rank[None]).sum(1)                                          # (K,)
    return (uses > 0).sum().item(), uses.sum().item(), uses                              # each pair is in two uses
    # end
# %% [markdown] lang="en" hints="5a.3"
# <details><summary>Hint 1: the idea</summary>
#
# A response stands in as many pairs as there are responses of *another* rank.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `rank[:, None] != rank[None]` compares everybody with everybody, `[K, K]`.
#
# </details>
# %% [markdown] lang="zh" of="ec83" hints="5a.3"
# <details><summary>线索 1：思路</summary>
#
# 有几条回答的名次和它*不同*，它就在几对里。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `rank[:, None] != rank[None]` 让每条和每条都比一比，`[K, K]`。
#
# </details>
# %% check="5a.3"
page_cost = kit.check("5a.3", page_cost)
# %%
costs = {k: page_cost(torch.arange(k)) for k in range(4, 10)}
kit.table({"K": [*costs], kit.words("pairs"): [apart // 2 for _, apart, _ in costs.values()],
           kit.words("together"): [together for together, *_ in costs.values()], kit.words("apart_"): [apart for _, apart, _ in costs.values()],
           kit.words("uses"): [uses[0].item() for *_, uses in costs.values()]})
kit.plots.lines([*costs], {"one page": [c[0] for c in costs.values()], "pairs apart": [c[1] for c in costs.values()]},
                across="K", unit="passes", title="To learn from all pairs once")
# %% [markdown] lang="en"
# Apart, an answer also moves the model K - 1 times an epoch instead of once. In the paper that was enough to overfit within one epoch.
#
# ## Find what is wrong: a loss
#
# This is the loss as one may gather it from articles about InstructGPT. `rank` is as above. It contains **three mistakes**, and it
# fails at large scores.
#
# ```py
# def article_loss(score, rank):
#     i, j = torch.combinations(torch.arange(len(rank)), 2).T
#     good, bad = score[i], score[j]
#     return torch.log(1 + bad.exp() - good.exp()).sum() / len(rank)
# ```
# %% [markdown] lang="zh" of="5804"
# 拆开来，一条回答每轮还会推动模型 K - 1 次，而不是一次。论文里，这足以在一轮之内就过拟合。
#
# ## 找错：一个损失
#
# 从介绍 InstructGPT 的文章里，可能会得出下面这个损失。`rank` 和上面一样。里面有**三处错误**，得分很大时还会失灵。
#
# ```py
# def article_loss(score, rank):
#     i, j = torch.combinations(torch.arange(len(rank)), 2).T
#     good, bad = score[i], score[j]
#     return torch.log(1 + bad.exp() - good.exp()).sum() / len(rank)
# ```
# %% [markdown] lang="en"
# ### ✏️ Exercise 5a.4 - Mend the loss
#
# `Difficulty ●●●○ · Importance ●●●● · 15 min · 3 points`
#
# In: `score`, `[K]`, of any size, to be differentiated; `rank`, `[K]`, as in 5a.3. Out: a tensor with one number, the **mean over the pairs** of
# $-\log\sigma(r_{\text{good}} - r_{\text{bad}}) = \log(1 + e^{r_{\text{bad}} - r_{\text{good}}})$, where the better response of a pair has the
# smaller rank, and equal ranks make no pair. Without any pair: 0. Neither loss nor gradient may become infinite or NaN for scores up to ±1000.
#
# Scores (2, 1, 0, -1), ranks (1, 2, 2, 4): differences 1, 2, 3, 2, 1; mean of (0.3133, 0.1269, 0.0486, 0.1269, 0.3133) = 0.1858.
# %% [markdown] lang="zh" of="7f2d"
# ### ✏️ 练习 5a.4 - 修好这个损失
#
# `难度 ●●●○ · 重要 ●●●● · 15 分钟 · 3 分`
#
# 输入：`score`，`[K]`，大小不限，要能求导；`rank`，`[K]`，同 5a.3。输出：只含一个数的张量，**对各对取平均**：
# $-\log\sigma(r_{\text{good}} - r_{\text{bad}}) = \log(1 + e^{r_{\text{bad}} - r_{\text{good}}})$，一对里名次小的更好，名次相同的不成对。
# 一对都没有时是 0。得分在 ±1000 以内，损失和梯度都不能是无穷大或 NaN。
#
# 例如得分 (2, 1, 0, -1)，名次 (1, 2, 2, 4)：差是 1、2、3、2、1；(0.3133, 0.1269, 0.0486, 0.1269, 0.3133) 的平均是 0.1858。
# %% exercise="5a.4"
# EXERCISE 5a.4
def mended_loss(score, rank):
    """Mean over the pairs of -log sigma(good - bad), one number."""
    # solution:
    good, bad = (rank[:, None] < rank[None]).nonzero(as_tuple=True)                      # (pairs,) each
    if not len(good):
        return 0 * score.sum()
    return torch.nn.functional.softplus(score[bad] - score[good]).mean()
    # end
# %% [markdown] lang="en" hints="5a.4"
# <details><summary>Hint 1: the idea</summary>
#
# On equal scores ln 2 = 0.693 should come out. Then ask who decides which of i and j is the good one, what
# happens to ties, and by what a mean over pairs is divided.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `(rank[:, None] < rank[None]).nonzero(as_tuple=True)` gives the pairs; `torch.nn.functional.softplus` is the stable logarithm.
#
# </details>
# %% [markdown] lang="zh" of="3515" hints="5a.4"
# <details><summary>线索 1：思路</summary>
#
# 得分相等时，应当得到 ln 2 = 0.693。再问：i 和 j 里谁是好的，由什么决定？并列的怎么办？
# 对各对取平均，除的是什么？
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `(rank[:, None] < rank[None]).nonzero(as_tuple=True)` 给出各对；`torch.nn.functional.softplus` 是稳定的对数。
#
# </details>
# %% check="5a.4"
mended_loss = kit.check("5a.4", mended_loss)
# %%
def article_loss(score, rank):
    i, j = torch.combinations(torch.arange(len(rank)), 2).T
    good, bad = score[i], score[j]
    return torch.log(1 + bad.exp() - good.exp()).sum() / len(rank)


tried = {"0, 0, 0": [0.0, 0, 0], "2, 1, 0": [2.0, 1, 0], "0, 1, 2": [0.0, 1, 2], "100, 0, -100": [100.0, 0, -100]}
rank = torch.tensor([1, 2, 3])
kit.table({kit.words("scores"): [*tried], kit.words("article"): [article_loss(torch.tensor(s), rank).item() for s in tried.values()],
           kit.words("mended"): [mended_loss(torch.tensor(s), rank).item() for s in tried.values()]})
score = torch.tensor([2.0, 1, 0, -1], requires_grad=True)
mended_loss(score, torch.tensor([1, 2, 2, 4])).backward()
kit.tell("pull", gradient=", ".join(f"{x:+.3f}" for x in score.grad.tolist()), total=abs(round(score.grad.sum().item(), 6)))
# %% [markdown] lang="en"
# The pulls add up to 0: only differences are learnt. And these K numbers are all that the pairs tell the network, so one pass back for each answer
# is enough.
#
# ## Pages against pairs, live
#
# Two reward models, from the same start, on the same 720 pages of seven answers. One gets six pages an update: 42 passes, about 100 pairs; after 120
# updates it has seen every page once, as in the paper. The other gets the pairs shuffled, 21 an update: 42 passes as well (~25 s on a laptop CPU for both). Which orders pairs of *held-out*
# responses better: "pages", "pairs", or "same" (within 0.02)?
# %% [markdown] lang="zh" of="c2d6"
# 各个拉力加起来是 0：学的只有差。各对要告诉网络的也就是这些：K 个数，每条回答一个，所以每条反向传一次就够了。
#
# ## 整页对散对，现场来一次
#
# 两个奖励模型，起点相同，用的是同样的 720 页，每页七条回答。一个每次更新拿六页：42 次前向，约 100 对；120 次更新之后每页看过一遍，和论文一样。
# 另一个拿打乱的对，每次 21 对：也是 42 次前向（笔记本电脑 CPU 上两个约 25 秒）。*留出*的回答，谁排得更准："pages"（整页）、"pairs"（散对），还是 "same"（相差不到 0.02）？
# %% guess="2"
my_winner = None            # "pages", "pairs" or "same"
# %%
from rlhf_kit.models import text, tiny

pages = [rng.choice(team).page(*met, task.explain, rng).ranking for met in task.candidates(720, 7, seed=1)]
pairs = [kit.Comparison(one.prompt, one.responses[i], one.responses[j]) for one in pages
         for i in range(7) for j in range(7) if one.ranks[i] < one.ranks[j]]
tokenizer = text.train_tokenizer((one.prompt + response for one in pages for response in one.responses), 700)
unseen = task.rankings(120, 4, seed=2, split="heldout")                                  # in their true order
judges, agreed = {}, {}
for name, data, size in (("pages", pages, 6), ("pairs", pairs, 21)):
    judges[name] = tiny.reward_model(tokenizer, layers=2, width=64, context=192, seed=0)
    settings = kit.reward_model.Config(steps=120, batch_size=size, learning_rate=4e-3, max_length=160)
    list(kit.progress(kit.reward_model.steps(judges[name], data, settings), settings.steps))
    agreed[name] = kit.evaluate.agreement(kit.rewards.learned(judges[name]), unseen)
# %%
ahead = agreed["pages"].pair_accuracy.mean - agreed["pairs"].pair_accuracy.mean
kit.guessed(my_winner, "same" if abs(ahead) < 0.02 else "pages" if ahead > 0 else "pairs")
kit.tell("live", pages=agreed["pages"].pair_accuracy.mean, pairs=agreed["pairs"].pair_accuracy.mean,
         lost_pages=agreed["pages"].loss, lost_pairs=agreed["pairs"].loss)
kit.plots.bars({name: one.pair_accuracy for name, one in agreed.items()}, unit="pair accuracy, held out", title="The same passes")
# %% [markdown] lang="en"
# One run says little about small differences; a comparison over several seeds stands further down.
#
# ## Which checkpoint?
#
# OpenAI fine-tuned on demonstrations for **16 epochs**, although validation loss was best after the **first**. They chose the checkpoint by the reward model's
# score on validation prompts, as it agrees better with what people prefer. Imitating those words gets worse; answering gets better.
# %% [markdown] lang="zh" of="2952"
# 只跑一次，小的差别说明不了什么；用几个种子做的比较在后面。
#
# ## 选哪个检查点？
#
# OpenAI 在示范上微调了 **16 轮**，可是验证损失在**第一轮**之后就最低了。他们按奖励模型在验证提示上的得分来选检查点，因为它和人的偏好更一致。
# 照搬原话的本事在变差，回答的本事却在变好。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5a.5 - Two ways to choose
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 2 points`
#
# In: `loss`, `[E]`, validation loss after each of E epochs; `score`, `[E, P]`, the reward model's scores of the responses that each checkpoint
# gave to P validation prompts. Out, three numbers: `by_loss`, the epoch of the lowest loss; `by_score`, that of the highest *mean* score; both counted **from 1**, the
# *earlier* one if several are equal. `given_away`: how much mean score is lost by choosing `by_loss` instead of `by_score`.
#
# Loss (2, 1.5, 1.75), scores ((0, 0), (1, 0), (1, 1)): epochs 2 and 3; mean scores 0.5 and 1, so 0.5 is given away.
# %% [markdown] lang="zh" of="0acc"
# ### ✏️ 练习 5a.5 - 两种选法
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入：`loss`，`[E]`，E 轮里每轮之后的验证损失；`score`，`[E, P]`，每个检查点回答 P 个验证提示，奖励模型给的得分。输出三个数：
# `by_loss`，损失最低的那一轮；`by_score`，*平均*得分最高的那一轮；都**从 1** 数起，有几轮相同就取*更早*的。
# `given_away`：不选 `by_score` 而选 `by_loss`，平均得分少了多少。
#
# 例如损失 (2, 1.5, 1.75)，得分 ((0, 0), (1, 0), (1, 1))：第 2 轮和第 3 轮；平均得分 0.5 和 1，所以少了 0.5。
# %% exercise="5a.5"
# EXERCISE 5a.5
def choose_checkpoint(loss, score):
    """(epoch of the least loss, epoch of the highest mean score, mean score given away)."""
    # solution:
    mean = score.mean(1)                                                                 # (E,)
    by_loss = loss.tolist().index(loss.min().item())
    by_score = mean.tolist().index(mean.max().item())
    return by_loss + 1, by_score + 1, (mean[by_score] - mean[by_loss]).item()
    # end
# %% [markdown] lang="en" hints="5a.5"
# <details><summary>Hint 1: the idea</summary>
#
# First the mean over the prompts, then the best epoch.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `.mean(1)`; `list.index` finds the first place of a value.
#
# </details>
# %% [markdown] lang="zh" of="98bd" hints="5a.5"
# <details><summary>线索 1：思路</summary>
#
# 先对各提示取平均，再找最好的一轮。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `.mean(1)`；`list.index` 找到一个值第一次出现的位置。
#
# </details>
# %% check="5a.5"
choose_checkpoint = kit.check("5a.5", choose_checkpoint)
# %% [markdown] lang="en"
# The whole recipe takes minutes, so its runs come with the kit. First the 16 epochs of SFT. After which epoch is the validation loss
# lowest? Does the reward model's favourite come "earlier", "later", or at the "same" epoch?
# %% [markdown] lang="zh" of="66f1"
# 整套做法每个种子要几分钟，所以随工具包附带了几次运行。先看那 16 轮 SFT。验证损失在第几轮之后最低？
# 奖励模型最中意的那一轮，比它早（"earlier"）、晚（"later"），还是同一轮（"same"）？
# %% guess="3"
my_epochs = {"by loss": None, "by score": None}             # a number; "earlier", "later" or "same"
# %%
log = kit.stored()
runs = [*log["parts"].values()]                                                          # one a seed
kit.tell("made_by" if len(runs) > 1 else "made_once", seeds=len(runs), **log["about"])
trace = runs[0]["sft_epochs"]
loss, score = torch.tensor(trace["validation_loss"]), torch.tensor(trace["score"])       # (E,), (E, P)
*best, given_away = choose_checkpoint(loss, score)
by_loss, by_score = (trace["epoch"][row - 1] for row in best)                            # not every epoch was kept
kit.guessed({kit.words("by_loss"): my_epochs["by loss"], kit.words("by_score"): my_epochs["by score"]},
            {kit.words("by_loss"): by_loss, kit.words("by_score"): "later" if by_score > by_loss else "earlier" if by_score < by_loss else "same"})
kit.tell("given", loss=by_loss, score=by_score, away=given_away)
stops = {"validation loss": loss.tolist(), "score": score.mean(1).tolist(), "gold": trace["gold"]}
kit.plots.overlay({what: {"SFT": (trace["epoch"], values)} for what, values in stops.items()}, legend=False, across="epoch", size=(2.5, 1.9))
# %% [markdown] lang="en"
# ## The reward that PPO gets
#
# The start of RL is *another* SFT model: 2 epochs, with a tenth of pretraining text mixed in. Its reward has two parts. A price for drifting, **on each
# token**: $-\beta\,(\log\pi(y_t) - \log\pi_{\text{SFT}}(y_t))$, with β = 0.02. And the score of the whole answer, on its last token. As the loss knows only differences, the reward
# model's zero means nothing; so before RL it is shifted until **labelers' demonstrations score 0 on average**. Above 0 now means: better than people.
# %% [markdown] lang="zh" of="0c83"
# ## PPO 拿到的奖励
#
# 强化学习的起点是*另一个* SFT 模型：2 轮，混进十分之一的预训练文本。奖励有两部分。一是偏离的代价，**每个词元都收**：
# $-\beta\,(\log\pi(y_t) - \log\pi_{\text{SFT}}(y_t))$，β = 0.02。二是整条回答的得分，给在最后一个词元上。损失只认差，
# 奖励模型的零点没有意义；所以强化学习之前先平移，直到**标注员的示范平均得 0 分**。从此大于 0 就是：比人写的好。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5a.6 - The reward, token by token
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 2 points`
#
# In: `score`, `[B]`, what the reward model gives to B responses; `demonstration`, `[M]`, what it gives to M demonstrations, at least one; `logprob` and
# `ref_logprob`, `[B, T]`, log π and log π_SFT of each token; `mask`, `[B, T]`, True on the first n tokens of a row, n at least 1
# (elsewhere anything may stand, NaN and `-inf` too); `beta`. Out: the reward, `[B, T]`: the penalty above on each real token; on the last real one also the
# score, shifted so that the demonstrations' mean is 0; 0 elsewhere.
#
# Score 2, demonstrations (0.5, 1.5), log π (-1, -2, -0.5), log π_SFT (-1.2, -1.5, -0.5), β = 0.1: (-0.02, 0.05, 1).
# %% [markdown] lang="zh" of="c35b"
# ### ✏️ 练习 5a.6 - 逐个词元的奖励
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入：`score`，`[B]`，奖励模型给 B 条回答的得分；`demonstration`，`[M]`，给 M 个示范的得分，至少一个；`logprob` 和 `ref_logprob`，`[B, T]`，
# 每个词元的 log π 和 log π_SFT；`mask`，`[B, T]`，每行前 n 个词元是 True，n 至少是 1（其余的地方可能是任何数，NaN 和 `-inf` 也可能）；`beta`。
# 输出：奖励，`[B, T]`：每个真实的词元是上面的代价；最后一个真实的词元再加上得分，得分要平移到示范的平均为 0；其余是 0。
#
# 例如得分 2，示范 (0.5, 1.5)，log π (-1, -2, -0.5)，log π_SFT (-1.2, -1.5, -0.5)，β = 0.1：结果是 (-0.02, 0.05, 1)。
# %% exercise="5a.6"
# EXERCISE 5a.6
def ppo_reward(score, demonstration, logprob, ref_logprob, mask, beta):
    """The KL penalty of each token, and the shifted score on the last real one, [B, T]."""
    # solution:
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)                     # (B, T)
    reward[torch.arange(len(score)), mask.sum(1) - 1] += score - demonstration.mean()
    return reward
    # end
# %% [markdown] lang="en" hints="5a.6"
# <details><summary>Hint 1: the idea</summary>
#
# Fill a table with the penalties, 0 in the padding. Then find the last real token of each row and add to it.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.where(mask, ..., 0.0)` keeps NaN out, multiplying does not; `mask.sum(1) - 1` is the last place.
#
# </details>
# %% [markdown] lang="zh" of="c704" hints="5a.6"
# <details><summary>线索 1：思路</summary>
#
# 先把代价填满一张表，填充处是 0。再找到每行最后一个真实的词元，加上去。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.where(mask, ..., 0.0)` 挡得住 NaN，乘法挡不住；`mask.sum(1) - 1` 是最后的位置。
#
# </details>
# %% check="5a.6"
ppo_reward = kit.check("5a.6", ppo_reward)
# %% [markdown] lang="en"
# One answer, token by token. In place of PPO's policy stands the base after twelve updates on demonstrations (~8 s on a laptop CPU), in place of the
# SFT model the base itself. The judge is your reward model from the pages.
# %% [markdown] lang="zh" of="0c50"
# 一条回答，一个词元一个词元地看。代替 PPO 的策略的，是在示范上更新了十二次的底座（笔记本电脑 CPU 上约 8 秒）；代替 SFT 模型的，
# 是底座自己。评判的是你刚才用整页训练的奖励模型。
# %%
shown = task.demonstrations(240, seed=1)
policy, reference = kit.load_policy(f"tiny-base-{LANG}"), base.reference()
learning = kit.sft.Config(steps=12, batch_size=16, learning_rate=1e-3, warmup=2, max_length=160)
list(kit.progress(kit.sft.steps(policy, shown, learning), learning.steps))
asked = [prompt.text for prompt in task.asked(12, seed=8, split="heldout", types=("plain",))]
rollout = kit.sample_rollout(policy, asked, kit.Sampling(max_new_tokens=40))
ref_logprob = kit.sampling.response_logprob(reference, rollout)                          # (B, T)
judge = kit.rewards.learned(judges["pages"])
score, demos = judge(rollout.prompts, rollout.responses), judge(*zip(*shown[:60]))       # (B,), (M,)
reward = ppo_reward(score, demos, rollout.logprob, ref_logprob, rollout.mask, 0.02)      # (B, T)
row = min(range(12), key=lambda b: (not 4 <= rollout.mask[b].sum() <= 14, b))
n = min(rollout.mask[row].sum().item(), 14)
pieces = [policy.tokenizer.decode([token]).strip() for token in rollout.response_ids[row, :n].tolist()]
print(rollout.prompts[row], rollout.responses[row])
kit.table({"": [*pieces], "log π": rollout.logprob[row, :n].tolist(), "log π_SFT": ref_logprob[row, :n].tolist(), kit.words("reward"): reward[row, :n].tolist()})
kit.tell("above" if score[row] > demos.mean() else "below", score=score[row], demos=demos.mean())
# %% [markdown] lang="en"
# ## The tax, and how to pay it back
#
# PPO makes the assistant better and everything else worse: on question answering and translation InstructGPT fell behind GPT-3. That is the **alignment tax**. The cure, **PPO-ptx**,
# keeps some pretraining going:
#
# $$J = E\big[r - \beta \log\tfrac{\pi}{\pi_{\text{SFT}}}\big] + \gamma\, E_{z \sim \text{pretraining}}\big[\log \pi(z)\big], \qquad \gamma = 27.8$$
#
# with 8 pretraining texts for each episode. As they do not fit into memory together, gradients are **accumulated**: PPO's first, then
# those of the texts, part by part, and then one step of the optimizer.
# %% [markdown] lang="zh" of="54b0"
# ## 税，以及怎样还回来
#
# PPO 让助手更好，让别的都变差：问答和翻译上，InstructGPT 落到了 GPT-3 后面。这就是**对齐税 (alignment tax)**。解药是 **PPO-ptx**，让预训练继续进行一点：
#
# $$J = E\big[r - \beta \log\tfrac{\pi}{\pi_{\text{SFT}}}\big] + \gamma\, E_{z \sim \text{预训练}}\big[\log \pi(z)\big], \qquad \gamma = 27.8$$
#
# 每一回合配 8 段预训练文本。它们没法一起放进内存，所以梯度要**累积**：先是 PPO 的，再一份一份地加上这些文本的，最后优化器只走一步。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5a.7 - Accumulate
#
# `Difficulty ●●○○ · Importance ●●●○ · 10 min · 2 points`
#
# In: `ppo`, `[P]`, the gradient of PPO's loss; `pretraining`, `[M, P]`, for each of M parts the gradient of its loss, which is the *mean*
# over the part's tokens; `tokens`, `[M]`, how many those are; `gamma`. Out: `[P]`, the gradient of PPO's loss plus γ times the mean loss over **all**
# pretraining tokens: it must not matter how they were divided. A part of 0 tokens has no mean (anything may stand there, NaN too) and
# counts for nothing; at least one part has tokens.
#
# PPO (1, -2), parts (0.1, 0.2) of 30 tokens and (0.4, -0.1) of 10, γ = 20: the mean is (0.175, 0.125), the result (4.5, 0.5).
# %% [markdown] lang="zh" of="5108"
# ### ✏️ 练习 5a.7 - 累积
#
# `难度 ●●○○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 输入：`ppo`，`[P]`，PPO 损失的梯度；`pretraining`，`[M, P]`，M 份里每一份的损失的梯度，一份的损失是它的词元的*平均*；`tokens`，`[M]`，各有多少词元；`gamma`。
# 输出：`[P]`，PPO 的损失加上 γ 乘**所有**预训练词元的平均损失，它的梯度：怎么分份都应当一样。0 个词元的一份谈不上平均（那里可能是任何数，NaN 也可能），
# 什么都不算；至少有一份有词元。
#
# 例如 PPO (1, -2)，两份是 (0.1, 0.2)、30 个词元和 (0.4, -0.1)、10 个词元，γ = 20：平均是 (0.175, 0.125)，结果是 (4.5, 0.5)。
# %% exercise="5a.7"
# EXERCISE 5a.7
def ptx_gradient(ppo, pretraining, tokens, gamma):
    """PPO's gradient plus gamma times that of the mean loss over all pretraining tokens, [P]."""
    # solution:
    read = tokens > 0                                                                    # (M,)
    total = (tokens[read, None] * pretraining[read]).sum(0)                              # (P,)
    return ppo + gamma * total / tokens.sum()
    # end
# %% [markdown] lang="en" hints="5a.7"
# <details><summary>Hint 1: the idea</summary>
#
# A mean times its number of tokens is a sum. Add up the sums, divide by all tokens.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `tokens[:, None] * pretraining` is `[M, P]`; take out the parts without tokens first, as 0 · NaN is NaN.
#
# </details>
# %% [markdown] lang="zh" of="2015" hints="5a.7"
# <details><summary>线索 1：思路</summary>
#
# 平均乘上词元数就是和。把和加起来，再除以总的词元数。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `tokens[:, None] * pretraining` 是 `[M, P]`；先去掉没有词元的份，因为 0 · NaN 还是 NaN。
#
# </details>
# %% check="5a.7"
ptx_gradient = kit.check("5a.7", ptx_gradient)
# %%
from rlhf_kit.tasks import mixture


def gradient_of(texts):
    """(gradient of the mean loss over the tokens of these texts, how many tokens)."""
    policy.lm.zero_grad()
    rows = [policy.tokenizer(one, return_tensors="pt").input_ids[:, :128] for one in texts]
    losses = [torch.nn.functional.cross_entropy(policy.lm(ids[:, :-1]).logits[0], ids[0, 1:], reduction="sum") for ids in rows]
    tokens = sum(ids.shape[1] - 1 for ids in rows)
    (sum(losses) / tokens).backward()
    return torch.cat([p.grad.flatten() for p in policy.lm.parameters() if p.grad is not None]), tokens


documents = sorted(mixture.texts(LANG, 12, seed=3), key=len)
nothing = 0 * gradient_of(documents[:1])[0]                                              # (P,) no PPO here
together = gradient_of(documents)[0]
parts = [gradient_of(some) for some in (documents[:3], documents[3:9], documents[9:])]
stacked, tokens = torch.stack([g for g, _ in parts]), torch.tensor([n for _, n in parts])
accumulated = ptx_gradient(nothing, stacked, tokens, 1.0)                                # (P,)
off, alike = (((gradient - together).norm() / together.norm()).item() for gradient in (accumulated, stacked.mean(0)))
kit.tell("accumulated", tokens=tokens.tolist(), off=abs(round(off, 4)), alike=alike)
# %% [markdown] lang="en"
# Now the stored runs. The base has read reviews, forum pages, translations and dialogues. PPO sees dialogues only. Which stage ends with the highest loss on the *forum's* pages: "start" (of RL), "ppo" or "ptx"?
# %% [markdown] lang="zh" of="8966"
# 再看存好的运行。底座读过四个世界：评论、论坛、译文、对话。PPO 只碰对话。哪个阶段在*论坛*文本上的损失最高："start"（强化学习的起点）、"ppo" 还是 "ptx"？
# %% guess="4"
my_highest = None           # "start", "ppo" or "ptx"
# %%
def over_seeds(values):
    """The mean over the seeds with its interval; one seed has none."""
    return kit.evaluate.mean(torch.tensor(values if len(values) > 1 else 2 * values))


def rise(run, stage, world):
    """By how much a loss is above that of RL's start, nats per token."""
    return run["tax"][stage][f"{world}_loss"] - run["tax"]["start"][f"{world}_loss"]


forum = {stage: over_seeds([run["tax"][stage]["forum_loss"] for run in runs]).mean for stage in ("start", "ppo", "ptx")}
kit.guessed(my_highest, max(forum, key=forum.get))
trained = {"PPO": "ppo", "PPO-ptx": "ptx", "PPO, 100 β": "kl100"}
tax = {name: over_seeds([(rise(run, stage, "reviews") + rise(run, stage, "forum")) / 2 for run in runs]) for name, stage in trained.items()}
gain = {name: over_seeds([run["stages"][stage]["score"][0] - run["stages"]["start"]["score"][0] for run in runs]) for name, stage in trained.items()}
translated = [over_seeds([run["tax"][stage]["translation_gold"] - run["tax"]["start"]["translation_gold"] for run in runs])
              for stage in trained.values()]
kit.table({"": [*trained], kit.words("tax"): [one.mean for one in tax.values()], kit.words("translation"): [one.mean for one in translated],
           kit.words("gain"): [one.mean for one in gain.values()]})
kit.tell("back" if tax["PPO"].low > 0 else "no_tax", back=min(1 - tax["PPO-ptx"].mean / tax["PPO"].mean, 1.0), kept=gain["PPO-ptx"].mean / gain["PPO"].mean)
kit.plots.bars(tax, unit="rise of the loss, nats per token", title="What alignment costs elsewhere")
# %% [markdown] lang="en"
# In the paper ptx took back most of the tax. A hundred times the price of drifting was *no* substitute: it kept the tasks
# and ruined the reward.
# %% [markdown] lang="zh" of="0e7f"
# 论文里，ptx 把大部分税还了回来。偏离的代价提高一百倍*代替不了*它：别的任务保住了，奖励却毁了。
# %% [markdown] lang="en"
# ## Weights that are averaged
#
# The last ingredient is small: what OpenAI shipped is not the newest weights but an **exponential moving average** of them, with decay 0.992.
# %% [markdown] lang="zh" of="3f5c"
# ## 取平均的权重
#
# 最后一样配料很小：OpenAI 交付的不是最新的权重，而是它们的**指数移动平均 (EMA)**，衰减率 0.992。
# %% [markdown] lang="en"
# ### ✏️ Exercise 5a.8 - The moving average
#
# `Difficulty ●○○○ · Importance ●●○○ · 5 min · 1 point`
#
# In: `start`, `[P]`, the weights before the first update; `weight`, `[S, P]`, those after each of S updates, S may be 0; `decay`, from 0 to 1.
# The average begins as `start`; after each update it becomes decay · average + (1 - decay) · newest weights. Out: `average`, `[P]`, after all updates; `left`, a
# number: the share of `start` that is still in it.
#
# Start (0, 1), weights (1, 1), then (2, 1), decay 0.5: (0.5, 1), then (1.25, 1); left 0.25.
# %% [markdown] lang="zh" of="3749"
# ### ✏️ 练习 5a.8 - 移动平均
#
# `难度 ●○○○ · 重要 ●●○○ · 5 分钟 · 1 分`
#
# 输入：`start`，`[P]`，第一次更新之前的权重；`weight`，`[S, P]`，S 次更新里每次之后的权重，S 可能是 0；`decay`，从 0 到 1。
# 平均从 `start` 开始；每次更新之后变成 decay · 平均 + (1 - decay) · 最新的权重。输出：`average`，`[P]`，所有更新之后的平均；
# `left`，一个数：`start` 在里面还占多少。
#
# 例如起点 (0, 1)，权重先是 (1, 1)，再是 (2, 1)，decay 0.5：(0.5, 1)，再是 (1.25, 1)；left 是 0.25。
# %% exercise="5a.8"
# EXERCISE 5a.8
def averaged_weights(start, weight, decay):
    """(average after all updates [P], share of the start that is left)."""
    # solution:
    average = start
    for newest in weight:
        average = decay * average + (1 - decay) * newest
    return average, decay ** len(weight)
    # end
# %% [markdown] lang="en" hints="5a.8"
# <details><summary>Hint 1: the idea</summary>
#
# Each update multiplies what is left of `start` by `decay`.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# A loop over the rows of `weight`; do not write into `start`.
#
# </details>
# %% [markdown] lang="zh" of="bb1d" hints="5a.8"
# <details><summary>线索 1：思路</summary>
#
# 每次更新，`start` 还剩的部分都乘一次 `decay`。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 对 `weight` 的每一行循环；不要写进 `start`。
#
# </details>
# %% check="5a.8"
averaged_weights = kit.check("5a.8", averaged_weights)
# %%
generator = torch.Generator().manual_seed(0)
path = torch.cat([torch.linspace(0, 1, 60), torch.ones(240)]) + 0.15 * torch.randn(300, generator=generator)
averages = {f"decay {decay}": [averaged_weights(torch.zeros(1), path[:s, None], decay)[0].item() for s in range(0, 301, 5)]
            for decay in (0.9, 0.992)}
kit.tell("left", n=300, share=averaged_weights(torch.zeros(1), path[:, None], 0.992)[1])
kit.plots.lines(range(0, 301, 5), {"newest weights": [0.0, *path[4::5].tolist()], **averages}, across="update", unit="one weight", title="An average is calmer, and late")
# %% [markdown] lang="en"
# ## The whole recipe
#
# Demonstrations, K-wise reward model, PPO, PPO-ptx; then new comparisons, and again. One more guess before you see it: a model of width 32
# that went through all of it, and one of width 128 that saw the demonstrations only. Which has the higher gold, "small" or "large"?
# %% [markdown] lang="zh" of="d039"
# ## 整套做法
#
# 示范，整页训练的奖励模型，PPO，PPO-ptx；然后收集新的比较，再来一遍。看结果之前再猜一次：
# 一个宽度 32 的模型走完了全程，另一个宽度 128，只见过示范。谁的真值更高，小的 ("small") 还是大的 ("large")？
# %% guess="5"
my_size = None              # "small" or "large"
# %%
def gold_of(run, stage):
    return run["stages"][stage]["gold"][0]


sizes = {name: over_seeds([run["sizes"][key]["gold"][0] for run in runs]) for name, key in (("small\nRLHF", "small"), ("large\nSFT", "large"))}
kit.guessed(my_size, "small" if sizes["small\nRLHF"].mean > sizes["large\nSFT"].mean else "large")
names = {"base": "base", "SFT": "sft", "PPO": "ppo", "PPO-ptx": "ptx"}
kit.table({"": [*names], **{kit.words(h): [over_seeds([run["stages"][stage][h][0] for run in runs]).mean for stage in names.values()]
                            for h in ("helpful", "honest", "harmless", "gold")}})
ladder = {name: over_seeds([gold_of(run, stage) for run in runs]) for name, stage in names.items()}
kit.plots.bars(ladder | sizes, unit="gold", title="What each stage gives")
# %%
gained = over_seeds([gold_of(run, "ptx") - gold_of(run, "sft") for run in runs])
kit.tell("one_seed" if len(runs) < 2 else "better" if gained.low > 0 else "worse" if gained.high < 0 else "unclear", gain=gained.mean, low=gained.low, high=gained.high)
kit.tell("invented", **{stage: over_seeds([run["stages"][stage]["invented"][0] for run in runs]).mean for stage in ("sft", "ptx")})
kit.tell("wise", **{name: over_seeds([run["kwise"][name]["heldout_loss"] for run in runs]).mean for name in ("grouped", "shuffled")})
# %% [markdown] lang="en"
# In the paper labelers preferred the 1.3B InstructGPT over the 175B GPT-3, a hundred times its size. It invented half as much (21 % against 41 % on closed
# tasks), was less toxic when asked to be respectful, no less biased. It still followed harmful instructions, as its labels asked.
# Our small one cannot even copy what it is asked: RLHF brings out what a model can do.
#
# ## Find what is wrong: seven sentences
#
# Each stands in some article. Enter `"right"` or `"wrong"`.
#
# - **a** Fifteen of the sixteen SFT epochs were wasted: validation loss was best after the first.
# - **b** Labelers ranked 4 to 9 answers at a time.
# - **c** PPO-ptx means: two epochs of RL, with 10 % of pretraining data.
# - **d** The final reward model was started from the 16-epoch SFT model.
# - **e** Most comparisons were made between answers of SFT models.
# - **f** PPO's ratio compares the policy with the SFT model.
# - **g** A 175B reward model was tried, and left for one of 6B.
# %% [markdown] lang="zh" of="28db"
# 论文里，标注员更喜欢 1.3B 的 InstructGPT，而不是大一百倍的 175B 的 GPT-3。它编造的少了一半（封闭任务上 21%，原来 41%）；要求它尊重人时，
# 毒性少一些；偏见没有减少。有害的指令它照样执行：训练标注要的正是这个。
# 我们的小模型太小，连问题里的词都抄不下来，奖励模型说什么也帮不了它：RLHF 引出模型已经会的，很少添上新的。
#
# ## 找错：七句话
#
# 每一句都出自某篇文章。填 `"right"`（对）或 `"wrong"`（错）。
#
# - **a** 十六轮 SFT 里有十五轮是白做的：验证损失在第一轮之后就最低了。
# - **b** 标注员一次给 4 到 9 条回答排名。
# - **c** PPO-ptx 就是：两轮强化学习，加 10% 的预训练数据。
# - **d** 最终的奖励模型从做了 16 轮的 SFT 模型开始训练。
# - **e** 大多数比较是在 SFT 模型的回答之间做的。
# - **f** PPO 的概率比拿策略和 SFT 模型相比。
# - **g** 试过 175B 的奖励模型，后来改用 6B 的。
# %% guess="6"
my_verdicts = {"a": None, "b": None, "c": None, "d": None, "e": None, "f": None, "g": None}
# %%
kit.guessed(my_verdicts, {letter: "right" if letter in "beg" else "wrong" for letter in my_verdicts})
# %% [markdown] lang="en"
# **a**: by loss yes; by the reward model and by people's preference no. **c**: two epochs and 10 % belong to the SFT model that RL starts
# from; RL had 256,000 episodes, each learnt from once, and ptx 8 texts an episode. **d**: it came from a 6B GPT-3 tuned on public NLP data; other starts gave similar results. **f**: with
# the policy that *drew* the answers; the SFT model stands in the penalty. **g**: it was less stable, a worse start for the value function, and dear.
#
# ## Recap
#
# | piece | why |
# |---|---|
# | at most 200 a user, no copies, split by user | no one person's model; an honest examination |
# | helpful first in training, truthful and harmless first in evaluation | what is asked for is what is learnt |
# | one page, K passes | all pairs, without reading or moving K - 1 times |
# | checkpoint by reward model | loss measures imitation |
# | demonstrations at 0, KL on each token | a reward with a meaning, and a leash |
# | PPO-ptx, EMA | the tax paid back; calmer weights |
#
# **Break it.** (1) Let the reward model learn from `pairs` for 600 updates: what do training and held-out accuracy do? (2) `rlhf-kit train instructgpt --rounds 2 --output runs/instructgpt` runs all of it.
#
# **Next:** [Anthropic](05b_anthropic.ipynb) lets helpful and harmless fight; [Sparrow](05c_sparrow.ipynb) writes rules.
#
# **References.** InstructGPT: Ouyang et al. 2022, arXiv:2203.02155. Its ancestor: Stiennon et al. 2020, arXiv:2009.01325. PPO: Schulman et al. 2017, arXiv:1707.06347.
# %% [markdown] lang="zh" of="914b"
# **a**：按损失是的；按奖励模型、按人的偏好不是。**c**：两轮和 10% 说的是强化学习的起点，那个 SFT 模型；强化学习有 256,000 个回合，每个只学一遍，
# ptx 是每回合 8 段文本。**d**：它来自一个 6B 的 GPT-3，先在公开的 NLP 数据上调过；从别处开始，结果也差不多。**f**：和*抽出*这些回答的策略相比；
# SFT 模型在惩罚里。**g**：它不那么稳定，用来初始化价值函数也更差，还贵。
#
# ## 小结
#
# | 部件 | 为什么 |
# |---|---|
# | 每个用户最多 200 条，去掉重复，按用户划分 | 不成为某一个人的模型；考试才公平 |
# | 训练时有用为先，评测时真实无害为先 | 要什么，就学到什么 |
# | 一页，K 次前向 | 每一对都用上，又不必读 K - 1 遍、推 K - 1 次 |
# | 按奖励模型选检查点 | 损失量的是模仿 |
# | 示范定为 0，每个词元收 KL | 奖励有了意义，也有了缰绳 |
# | PPO-ptx、EMA | 把税还回来；权重更稳 |
#
# **弄坏它。**（1）让奖励模型在 `pairs` 上学 600 次更新：训练和留出的准确率会怎样？
# （2）`rlhf-kit train instructgpt --rounds 2 --output runs/instructgpt` 把整套都跑一遍。
#
# **下一课：**[Anthropic 的助手](05b_anthropic.ipynb)把有用和无害分开，让它们较劲；[Sparrow](05c_sparrow.ipynb) 写下规则。
#
# **参考文献。** InstructGPT：Ouyang 等 2022，arXiv:2203.02155。它的前身：Stiennon 等 2020，arXiv:2009.01325。PPO：Schulman 等 2017，arXiv:1707.06347。
# %% [markdown] lang="en"
# **Play with it.** Be a labeler: three pages of answers to rank.
# %% [markdown] lang="zh" of="e1d4"
# **玩一玩。** 当一回标注员：三页回答，等你来排。
# %%
kit.panel("rank", LANG, models={"SFT": policy, "reward model": judges["pages"]}, task=task.name, folder="runs/lesson-05a",
          lists=task.candidates(3, 4, seed=21, split="heldout"))
