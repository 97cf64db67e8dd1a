#!/usr/bin/env python3
"""One LoRA training step of a checkpoint in transformers + peft on the CPU, as one JSON line.

The counterpart of `bench step --backend cpu`: float32, LoRA on the attention projections and both expert stacks, random
tokens, all of them trained on, AdamW (fused), no gradient checkpointing, no clipping. Needs torch, transformers 5 and peft.
"""
import argparse
import json
import os
import resource
import statistics
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="checkpoint folder")
    parser.add_argument("--batch", default="32x64", help="rows x tokens of a row")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--experts", default="grouped_mm", help="experts_implementation: grouped_mm, batched_mm or eager")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10)
    return parser.parse_args()


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main():
    args = arguments()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import peft
    import torch
    import transformers

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        args.model, dtype=torch.float32, attn_implementation="sdpa", experts_implementation=args.experts)
    model.config.use_cache = False
    model = peft.get_peft_model(model, peft.LoraConfig(
        r=args.rank, lora_alpha=args.rank, lora_dropout=0.0, task_type="CAUSAL_LM",
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
        target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]))
    model.train()
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-4, fused=True)
    rows, length = map(int, args.batch.split("x"))
    ids = torch.randint(0, model.config.vocab_size, (rows, length))

    times, losses, cpu = [], [], 0.0
    for step in range(args.warmup + args.steps):
        began, cpu_began = time.perf_counter(), cpu_seconds()
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if step >= args.warmup:
            times.append((time.perf_counter() - began) * 1e3)
            cpu += (cpu_seconds() - cpu_began) * 1e3 / args.steps
    median = statistics.median(times)
    print(json.dumps({
        "peer": f"transformers {transformers.__version__}, peft {peft.__version__}, torch {torch.__version__}",
        "model": args.model, "batch": args.batch, "rank": args.rank, "threads": args.threads, "experts": args.experts,
        "trainable": sum(p.numel() for p in trainable), "ctx": rows * length, "ms": round(median, 2),
        "min_ms": round(min(times), 2), "max_ms": round(max(times), 2), "tok_s": round(rows * length / median * 1e3),
        "cpu_ms": round(cpu, 1), "host_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "load": os.getloadavg()[0], "first_loss": round(losses[0], 4), "loss": round(losses[-1], 4)}))


if __name__ == "__main__":
    main()
