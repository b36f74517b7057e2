#!/usr/bin/env bash
# Fine-tuning, reward model and PPO on many GPUs with OpenRLHF 0.11.2 (Ray, vLLM, DeepSpeed), on the texts beside this file.
#
# IT WAS NOT RUN where it was written, which has no GPU. Each flag was compared with those that the release itself
# takes, 0.11.2 of 14 September 2026; other releases have others, and that release's own README shows some it refuses.
#
#   pip install 'openrlhf[vllm]==0.11.2'
#   bash train.sh sft && bash train.sh reward          # HOSTFILE=hosts for several machines, as DeepSpeed reads it
#   ray start --head --num-gpus 8                      # on the first machine; ray start --address FIRST:6379 on others
#   bash train.sh ppo                                  # NODES=2 for two machines of GPUS=8
#
# Several machines must see this folder under one name. All weights are trained. For LoRA add --ds.lora.rank 16 (and
# --ds.load_in_4bit; there are no 8 bits here), and merge each adapter with openrlhf.cli.lora_combiner before the next
# stage. __TEXTS__
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
MODEL=${MODEL:-__MODEL__}
MODELS=${MODELS:-$HERE/models}
NODES=${NODES:-1}
GPUS=${GPUS:-8}
LONGEST=${LONGEST:-1024}         # tokens of prompt and response together
RESPONSE=${RESPONSE:-256}        # tokens of a response at most

sft() {
  deepspeed ${HOSTFILE:+--hostfile "$HOSTFILE"} --module openrlhf.cli.train_sft \
    --model.model_name_or_path "$MODEL" \
    --model.gradient_checkpointing_enable \
    --data.dataset "$HERE/answers.jsonl" \
    --data.input_key prompt \
    --data.output_key response \
    --data.input_template '' \
    --data.max_len "$LONGEST" \
    --ds.packing_samples \
    --ds.zero_stage 3 \
    --ds.param_dtype bf16 \
    --train.batch_size 128 \
    --train.micro_batch_size 4 \
    --train.max_epochs 1 \
    --adam.lr 5e-6 \
    --eval.steps -1 \
    --logger.logging_steps 10 \
    --ckpt.path "$MODELS/checkpoints/sft" \
    --ckpt.output_dir "$MODELS/sft"
}

reward() {
  deepspeed ${HOSTFILE:+--hostfile "$HOSTFILE"} --module openrlhf.cli.train_rm \
    --model.model_name_or_path "$MODELS/sft" \
    --model.gradient_checkpointing_enable \
    --data.dataset "$HERE/pairs.jsonl" \
    --data.prompt_key prompt \
    --data.chosen_key chosen \
    --data.rejected_key rejected \
    --data.max_len "$LONGEST" \
    --ds.packing_samples \
    --ds.zero_stage 3 \
    --ds.param_dtype bf16 \
    --ds.value_head_prefix score \
    --train.batch_size 128 \
    --train.micro_batch_size 4 \
    --train.max_epochs 1 \
    --adam.lr 9e-6 \
    --eval.steps -1 \
    --logger.logging_steps 10 \
    --ckpt.path "$MODELS/checkpoints/reward" \
    --ckpt.output_dir "$MODELS/reward"
}

ppo() {
  ray job submit --address http://127.0.0.1:8265 -- python3 -m openrlhf.cli.train_ppo_ray \
    --actor.model_name_or_path "$MODELS/sft" \
    --reward.model_name_or_path "$MODELS/reward" \
    --actor.num_nodes "$NODES" \
    --actor.num_gpus_per_node "$GPUS" \
    --ref.num_nodes "$NODES" \
    --ref.num_gpus_per_node "$GPUS" \
    --critic.num_nodes "$NODES" \
    --critic.num_gpus_per_node "$GPUS" \
    --reward.num_nodes "$NODES" \
    --reward.num_gpus_per_node "$GPUS" \
    --vllm.num_engines $((NODES * GPUS)) \
    --vllm.tensor_parallel_size 1 \
    --vllm.gpu_memory_utilization 0.5 \
    --train.colocate_all \
    --vllm.enable_sleep \
    --ds.enable_sleep \
    --ds.zero_stage 3 \
    --ds.param_dtype bf16 \
    --ds.packing_samples \
    --ds.value_head_prefix score \
    --actor.gradient_checkpointing_enable \
    --data.prompt_dataset "$HERE/prompts.jsonl" \
    --data.input_key prompt \
    --data.max_len "$LONGEST" \
    --rollout.max_new_tokens "$RESPONSE" \
    --rollout.batch_size 512 \
    --rollout.micro_batch_size 8 \
    --rollout.n_samples_per_prompt 1 \
    --rollout.temperature 1.0 \
    --rollout.top_p 1.0 \
    --train.batch_size 128 \
    --train.micro_batch_size 4 \
    --train.max_epochs 1 \
    --algo.advantage.estimator gae \
    --algo.advantage.gamma 1 \
    --algo.advantage.lambd 0.95 \
    --algo.kl.init_coef 0.05 \
    --actor.eps_clip 0.2 \
    --critic.value_clip 0.2 \
    --actor.adam.lr 5e-7 \
    --critic.adam.lr 9e-6 \
    --logger.logging_steps 1 \
    --ckpt.path "$MODELS/checkpoints/ppo" \
    --ckpt.output_dir "$MODELS/ppo"
}

case "${1:-}" in
  sft | reward | ppo) "$1" ;;
  *) echo "usage: bash train.sh sft|reward|ppo" >&2; exit 2 ;;
esac
