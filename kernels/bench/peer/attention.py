#!/usr/bin/env python3
"""Times PyTorch's attention as a peer: causal, one document, forward and backward, by the cuDNN backend of scaled_dot_product_attention.

    python attention.py [--contexts 4096,8192,32768] [--backend cudnn|flash] > attention.jsonl

One JSON object a line: medians of CUDA events, each launch after 256 MB were written so that L2 is cold. TFLOP/s count half the square:
forward 2 heads (key + value width) pairs, backward 2 heads (3 key + 2 value width) pairs, as `bench kernels` does.
"""
import argparse
import json
import statistics

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

# name: query heads, key-value heads, width of queries and keys, width of values
SHAPES = {
    "qwen3-30b-a3b": (32, 4, 128, 128),
    "gpt-oss-20b": (64, 8, 64, 64),
    "glm-4.7-flash": (20, 20, 256, 256),
    "deepseek-v2-lite": (16, 16, 192, 128),
}
BACKENDS = {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash": SDPBackend.FLASH_ATTENTION}
WARMUP = 3


def median_ms(call, repeats, flush):
    times = []
    for i in range(WARMUP + repeats):
        flush.zero_()
        start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        call()
        stop.record()
        stop.synchronize()
        if i >= WARMUP:
            times.append(start.elapsed_time(stop))
    return statistics.median(times), min(times), max(times)


def heads(count, tokens, width):
    """[1, count, tokens, width] as a view of [tokens, count, width], which is how a projection leaves it."""
    return torch.randn(1, tokens, count, width, device="cuda", dtype=torch.bfloat16).transpose(1, 2).detach().requires_grad_()


def measure(name, tokens, backend, flush):
    query_heads, kv_heads, width, value_width = SHAPES[name]
    q, k, v = heads(query_heads, tokens, width), heads(kv_heads, tokens, width), heads(kv_heads, tokens, value_width)
    repeats = 7 if tokens > 16384 else 15
    pairs = tokens * (tokens + 1) / 2
    grouped = query_heads != kv_heads

    def forward():
        return scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)

    with sdpa_kernel(BACKENDS[backend]):
        out = forward()
        d_out = torch.randn_like(out)
        timings = {
            "attention forward": (median_ms(forward, repeats, flush), width + value_width),
            "attention backward": (median_ms(lambda: torch.autograd.grad(out, (q, k, v), d_out, retain_graph=True), repeats, flush),
                                   3 * width + 2 * value_width),
        }
    for operation, ((median, least, most), columns) in timings.items():
        yield {"peer": f"torch {torch.__version__} {backend}", "cudnn": torch.backends.cudnn.version(),
               "device": torch.cuda.get_device_name(), "model": name, "operation": operation, "tokens": tokens,
               "heads": query_heads, "kv_heads": kv_heads, "width": width, "value_width": value_width,
               "ms": round(median, 4), "min_ms": round(least, 4), "max_ms": round(most, 4),
               "tflop_s": round(2 * pairs * query_heads * columns / median / 1e9, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contexts", default="4096,8192,32768")
    parser.add_argument("--backend", choices=BACKENDS, default="cudnn")
    options = parser.parse_args()
    flush = torch.empty(256 << 20, dtype=torch.uint8, device="cuda")
    for name in SHAPES:
        for tokens in map(int, options.contexts.split(",")):
            try:
                for line in measure(name, tokens, options.backend, flush):
                    print(json.dumps(line), flush=True)
            except RuntimeError as error:      # a shape that this backend does not take
                reason = str(error).strip().splitlines()[0]
                print(json.dumps({"model": name, "tokens": tokens, "backend": options.backend, "refused": reason}), flush=True)


if __name__ == "__main__":
    main()
