#!/usr/bin/env python3
"""Times torch's bare matrix products at the shapes of an expert layer and of attention's projections: torch._grouped_mm without
adapter, gather, activation or bias, and torch.matmul. One JSON object a line, with the keys of `hopper_products time`, so that both
can be taken in one call on one card. Each launch finds a cold L2: 256 MB are written before it. Median of 15.

  grouped_mm.py [--tokens 1024,4096,8192,32768] [--models qwen3-30b-a3b,gpt-oss-20b,glm-4.7-flash]
"""
import argparse
import json
import statistics

import torch

# experts, top-k, hidden, width of an expert; dense layers as (name, in, out)
MODELS = {
    "qwen3-30b-a3b": (128, 8, 2048, 768, [("q", 2048, 4096), ("qkv", 2048, 5120), ("o", 4096, 2048)]),
    "gpt-oss-20b": (32, 4, 2880, 2880, [("q", 2880, 4096), ("qkv", 2880, 5120), ("o", 4096, 2880)]),
    "glm-4.7-flash": (64, 4, 2048, 1536, [("q up", 768, 5120), ("o", 5120, 2048)]),
}
REPEATS = 15


def median_ms(run, flush):
    times = []
    for i in range(REPEATS + 2):
        flush.zero_()
        start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        run()
        stop.record()
        stop.synchronize()
        if i >= 2:
            times.append(start.elapsed_time(stop))
    return statistics.median(times)


def report(model, product, kernel, tokens, flops, ms):
    print(json.dumps({"model": model, "product": product, "kernel": kernel, "tokens": tokens, "ms": round(ms, 4),
                      "tflops": round(flops / ms / 1e9, 1)}), flush=True)


def grouped(model, tokens, flush):
    experts, top_k, hidden, width, _ = MODELS[model]
    rows = tokens * top_k
    # Every token visits top_k different experts, each choice as likely as any other.
    chosen = torch.rand(tokens, experts, device="cuda").topk(top_k, dim=1).indices
    offsets = torch.bincount(chosen.flatten(), minlength=experts).cumsum(0).to(torch.int32)
    for name, n, k in (("gate_up", 2 * width, hidden), ("down", hidden, width)):
        weight = torch.randn(experts, n, k, device="cuda", dtype=torch.bfloat16) * 0.02
        x = torch.randn(rows, k, device="cuda", dtype=torch.bfloat16)
        dy = torch.randn(rows, n, device="cuda", dtype=torch.bfloat16)
        flops = 2.0 * rows * n * k
        transposed = weight.transpose(-2, -1)
        report(model, name, "torch._grouped_mm", tokens, flops, median_ms(lambda: torch._grouped_mm(x, transposed, offs=offsets), flush))
        report(model, name + " dgrad", "torch._grouped_mm", tokens, flops, median_ms(lambda: torch._grouped_mm(dy, weight, offs=offsets), flush))


def dense(model, tokens, flush):
    for name, k, n in MODELS[model][4]:
        weight = torch.randn(n, k, device="cuda", dtype=torch.bfloat16) * 0.02
        x = torch.randn(tokens, k, device="cuda", dtype=torch.bfloat16)
        dy = torch.randn(tokens, n, device="cuda", dtype=torch.bfloat16)
        flops = 2.0 * tokens * n * k
        report(model, name, "torch.matmul", tokens, flops, median_ms(lambda: torch.matmul(x, weight.t()), flush))
        report(model, name + " dgrad", "torch.matmul", tokens, flops, median_ms(lambda: torch.matmul(dy, weight), flush))


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tokens", default="1024,4096,8192,32768", type=lambda text: [int(part) for part in text.split(",")])
    options.add_argument("--models", default=",".join(MODELS), type=lambda text: text.split(","))
    chosen = options.parse_args()
    torch.manual_seed(3)
    flush = torch.empty(256 << 20, dtype=torch.uint8, device="cuda")
    print(json.dumps({"device": torch.cuda.get_device_name(), "torch": torch.__version__}), flush=True)
    for model in chosen.models:
        for tokens in chosen.tokens:
            grouped(model, tokens, flush)
            dense(model, tokens, flush)


if __name__ == "__main__":
    main()
