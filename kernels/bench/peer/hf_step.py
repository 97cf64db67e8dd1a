#!/usr/bin/env python3
"""One LoRA training step of a model's shape with random weights in transformers + peft on a GPU, as JSON lines.

The counterpart of `bench step --random --backend hopper`: batch 1, bfloat16 weights and adapters, LoRA on the attention projections and
both expert stacks, random tokens, all of them trained on, gradient checkpointing, AdamW (fused), no clipping. `peak_gib` is the largest
that the allocator held. Needs torch, transformers 5 and peft.

    python hf_step.py CONFIG.json [--contexts 1024,4096] [--experts grouped_mm|eager] [--attention sdpa|flex_attention (gpt-oss)]

CONFIG.json: one of src/main/resources/dev/sluice/bench/models, or the config.json of a checkpoint.
"""
import argparse
import json
import statistics
import time

import peft
import torch
import transformers


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--contexts", default="1024,4096")
    parser.add_argument("--experts", default="grouped_mm", help="experts_implementation")
    parser.add_argument("--attention", default="sdpa", help="attn_implementation")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--layers", type=int, default=0, help="only the first so many")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--device", default="cuda")
    return parser.parse_args()


def adapted(args):
    raw = json.load(open(args.config))
    if args.layers:
        raw["num_hidden_layers"] = args.layers
    config = transformers.AutoConfig.for_model(**raw)
    torch.manual_seed(0)
    with torch.device(args.device):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation=args.attention,
                                                              experts_implementation=args.experts)
    model.config.use_cache = False
    projections = sorted({name.rpartition(".")[2] for name, module in model.named_modules()
                          if ".self_attn." in name and isinstance(module, torch.nn.Linear)})
    model = peft.get_peft_model(model, peft.LoraConfig(
        r=args.rank, lora_alpha=args.rank, lora_dropout=0.0, task_type="CAUSAL_LM", target_modules=projections,
        target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]), autocast_adapter_dtype=False)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=1e-3)  # so that no gradient is zero by itself
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.enable_input_require_grads()
    return model.train()


def measure(model, optimizer, ids, args):
    cuda = args.device == "cuda"
    times = []
    for step in range(args.warmup + args.steps):
        if cuda:
            torch.cuda.synchronize()
        began = time.perf_counter()
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if cuda:
            torch.cuda.synchronize()
        if step >= args.warmup:
            times.append((time.perf_counter() - began) * 1e3)
    return times, loss.item()


def main():
    args = arguments()
    model = adapted(args)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-4, fused=True)
    for context in map(int, args.contexts.split(",")):
        if args.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        ids = torch.randint(0, model.config.vocab_size, (1, context), device=args.device)
        times, loss = measure(model, optimizer, ids, args)
        peak = torch.cuda.max_memory_allocated() / 2**30 if args.device == "cuda" else None
        print(json.dumps({
            "peer": f"transformers {transformers.__version__}, peft {peft.__version__}, torch {torch.__version__}", "model": args.config,
            "layers": model.config.num_hidden_layers, "rank": args.rank, "experts": args.experts, "attention": args.attention,
            "trainable": sum(parameter.numel() for parameter in trainable), "ctx": context, "ms": round(statistics.median(times), 1),
            "min_ms": round(min(times), 1), "max_ms": round(max(times), 1), "peak_gib": peak and round(peak, 2), "loss": round(loss, 3)}),
            flush=True)


if __name__ == "__main__":
    main()
