# %% [markdown] lang="en"
# # Test
# %% [markdown] lang="zh"
# # 测试
# %% [markdown] lang="en"
# - a
# %% [markdown] lang="zh"
# - 甲
# %%
import rlhf_kit as kit
print(1)
# %% [markdown] lang="en" hints="0.1"
# hints
# %% [markdown] lang="zh"
# 提示
# %% exercise="0.1"
def count_comparisons(ranks):
    """How many."""
    # solution:
    return sum(a != b for i, a in enumerate(ranks) for b in ranks[i + 1:])
    # end
# %% check="0.1"
count_comparisons = kit.check("0.1", count_comparisons)
# %%
kit.plots.curves([], ("score",))
