/* Checks and times the Hopper attention: flash_forward.cu, flash_backward.cu, flash_backward_wide.cu.
 *   nvcc -std=c++17 -O3 -gencode arch=compute_90a,code=sm_90a -DBOUNDED_WAITS hopper_attention.cu -o attention
 *   attention check | attention check-small (for compute-sanitizer) | attention time */
#include "harness.cuh"
#include "../../main/cuda/hopper/flash_forward.cu"
#include "../../main/cuda/hopper/flash_backward.cu"
#include "../../main/cuda/hopper/flash_backward_wide.cu"
#include "../../main/cuda/hopper/flash_gradient.cu"

using Size = cuuint64_t;

// ---- reference: float64, the whole matrix of probabilities ----

struct Exact {
    const number *q, *k, *v, *d_out;
    const int* first_key;
    const float* sinks;
    double *p, *ds;                                           // [heads, tokens, tokens]
    float *out, *lse, *dq, *dk, *dv;
    int tokens, heads, kv_heads, dim, value_dim;
    float scale;
    __device__ double at(const number* x, long long row, int count, int head, int c) const { return __bfloat162float(x[(row * count + head) * dim + c]); }
    __device__ double value_at(const number* x, long long row, int count, int head, int c) const { return __bfloat162float(x[(row * count + head) * value_dim + c]); }
};

__global__ void exact_rows(Exact e) {                         // one thread a (query, head)
    const int i = blockIdx.x * 64 + threadIdx.x, h = blockIdx.y, kv = h / (e.heads / e.kv_heads);
    if (i >= e.tokens) return;
    double* p = e.p + (static_cast<size_t>(h) * e.tokens + i) * e.tokens;
    double top = e.sinks ? e.sinks[h] : -1e300, total = 0;
    for (int j = 0; j < e.tokens; j++) {
        double s = 0;
        const bool seen = j <= i && j >= e.first_key[i];
        for (int c = 0; seen && c < e.dim; c++) s += e.at(e.q, i, e.heads, h, c) * e.at(e.k, j, e.kv_heads, kv, c);
        p[j] = seen ? s * e.scale : -1e300;
        top = fmax(top, p[j]);
    }
    for (int j = 0; j < e.tokens; j++) total += p[j] > -1e299 ? exp(p[j] - top) : 0;
    if (e.sinks) total += exp(e.sinks[h] - top);
    e.lse[static_cast<size_t>(i) * e.heads + h] = top + log(total);
    for (int j = 0; j < e.tokens; j++) p[j] = p[j] > -1e299 ? exp(p[j] - top) / total : 0;
    double delta = 0;
    for (int c = 0; c < e.value_dim; c++) {
        double o = 0;
        for (int j = 0; j <= i; j++) o += p[j] * e.value_at(e.v, j, e.kv_heads, kv, c);
        e.out[(static_cast<size_t>(i) * e.heads + h) * e.value_dim + c] = o;
        delta += o * e.value_at(e.d_out, i, e.heads, h, c);
    }
    double* ds = e.ds + (p - e.p);
    for (int j = 0; j < e.tokens; j++) {
        double dp = 0;
        for (int c = 0; j <= i && c < e.value_dim; c++) dp += e.value_at(e.d_out, i, e.heads, h, c) * e.value_at(e.v, j, e.kv_heads, kv, c);
        ds[j] = p[j] * (dp - delta);
    }
    for (int c = 0; c < e.dim; c++) {
        double g = 0;
        for (int j = 0; j <= i; j++) g += ds[j] * e.at(e.k, j, e.kv_heads, kv, c);
        e.dq[(static_cast<size_t>(i) * e.heads + h) * e.dim + c] = g * e.scale;
    }
}

__global__ void exact_columns(Exact e) {                      // one thread a (key, kv head, column)
    const int j = blockIdx.x, kv = blockIdx.y, c = threadIdx.x, group = e.heads / e.kv_heads;
    double dk = 0, dv = 0;
    for (int h = kv * group; h < (kv + 1) * group; h++)
        for (int i = j; i < e.tokens; i++) {
            const size_t at = (static_cast<size_t>(h) * e.tokens + i) * e.tokens + j;
            dk += e.ds[at] * e.at(e.q, i, e.heads, h, c);
            if (c < e.value_dim) dv += e.p[at] * e.value_at(e.d_out, i, e.heads, h, c);
        }
    e.dk[(static_cast<size_t>(j) * e.kv_heads + kv) * e.dim + c] = dk * e.scale;
    if (c < e.value_dim) e.dv[(static_cast<size_t>(j) * e.kv_heads + kv) * e.value_dim + c] = dv;
}

// ---- one problem ----

struct Problem {
    int tokens, heads, kv_heads, dim, value_dim, splits, queries, keys, query_blocks, key_blocks;     // queries, keys: tile of the backward pass
    float scale;
    Buffer<number> q, k, v, out, d_out, dq, dk, dv;
    Buffer<float> lse, lse2, delta, dq_parts, dk_parts, dv_parts, sinks;
    Buffer<int> first_key, last_query, turns;
    bool with_sinks = false;

    Problem(const std::vector<int>& documents, int window, int h, int kv, int d, int split)
        : tokens(std::accumulate(documents.begin(), documents.end(), 0)), heads(h), kv_heads(kv), dim(d), value_dim(d == 192 ? 128 : d), splits(split),
          queries(d == 64 ? 128 : 64), keys(d <= 128 ? 128 : 64), query_blocks((tokens + queries - 1) / queries), key_blocks((tokens + keys - 1) / keys),
          scale(1.f / std::sqrt(static_cast<float>(d))), q(1ull * tokens * h * d), k(1ull * tokens * kv * d), v(1ull * tokens * kv * value_dim),
          out(1ull * tokens * h * value_dim), d_out(1ull * tokens * h * value_dim), dq(1ull * tokens * h * d), dk(1ull * tokens * kv * d),
          dv(1ull * tokens * kv * value_dim), lse(1ull * tokens * h), lse2(1ull * queries * query_blocks * h), delta(1ull * queries * query_blocks * h),
          dq_parts(1ull * queries * query_blocks * h * d), dk_parts(1ull * keys * key_blocks * kv * d * split),
          dv_parts(1ull * keys * key_blocks * kv * value_dim * split), sinks(h), first_key(tokens), last_query(tokens),
          turns(2ull * query_blocks * h + 1) {
        for (Buffer<number>* b : {&q, &k, &v, &d_out}) fill(*b, 1.f);
        std::vector<int> first, last;
        int start = 0;
        for (const int n : documents) {
            for (int i = 0; i < n; i++) {
                first.push_back(window > 0 ? std::max(start, start + i - window + 1) : start);
                last.push_back(window > 0 ? std::min(start + n - 1, start + i + window - 1) : start + n - 1);
            }
            start += n;
        }
        first_key.put(first);
        last_query.put(last);
        turns.zero();
        std::vector<float> sink(h);
        for (int i = 0; i < h; i++) sink[i] = i * .7f - 1.f;
        sinks.put(sink);
    }
    CUtensorMap map(const Buffer<number>& b, Size count, unsigned rows) const {
        const Size d = b.count / (count * tokens);
        return tensor_map(b.get(), {d, count, static_cast<Size>(tokens)}, {d * 2, count * d * 2}, {64, 1, rows});
    }
    void forward() {
        const int blocks = std::min(multiprocessors(), (tokens + 127) / 128 * heads);
        const flash::Forward p{first_key.get(), with_sinks ? sinks.get() : nullptr, lse.get(), FLOAT32, tokens, heads, kv_heads, scale};
        const auto go = [&](auto* kernel, unsigned rows, uint32_t shared) {
            with_shared(kernel, shared)<<<blocks, flash::THREADS, shared>>>(map(q, heads, 128), map(k, kv_heads, rows), map(v, kv_heads, rows), map(out, heads, 64), p);
        };
        if (dim == 64) go(flash_forward_64, FLASH_FORWARD_64_KEYS, FLASH_FORWARD_64_SHARED_BYTES);
        else if (dim == 128) go(flash_forward_128, FLASH_FORWARD_128_KEYS, FLASH_FORWARD_128_SHARED_BYTES);
        else if (dim == 192) go(flash_forward_192, FLASH_FORWARD_192_KEYS, FLASH_FORWARD_192_SHARED_BYTES);
        else go(flash_forward_256, FLASH_FORWARD_256_KEYS, FLASH_FORWARD_256_SHARED_BYTES);
    }
    void backward() {
        const int padded = query_blocks * queries;
        const dim3 grid(padded / FLASH_PREPARE_TOKENS, (heads + FLASH_PREPARE_HEADS - 1) / FLASH_PREPARE_HEADS);
        flash_prepare<<<grid, FLAT_THREADS>>>(d_out.get(), out.get(), lse.get(), lse2.get(), delta.get(), tokens, padded, heads, value_dim);
        const flash::Backward p{first_key.get(), last_query.get(), lse2.get(), delta.get(), turns.get(), dq_parts.get(), dk_parts.get(), dv_parts.get(),
                                tokens, heads, kv_heads, splits, scale};
        const auto go = [&](auto* kernel, uint32_t shared) {
            with_shared(kernel, shared)<<<key_blocks * kv_heads * splits, flash::THREADS, shared>>>(
                map(q, heads, queries), map(k, kv_heads, keys), map(v, kv_heads, keys), map(d_out, heads, queries), p);
        };
        if (dim == 64) go(flash_backward_64, FLASH_BACKWARD_64_SHARED_BYTES);
        else if (dim == 128) go(flash_backward_128, FLASH_BACKWARD_128_SHARED_BYTES);
        else if (dim == 192) go(flash_backward_192, FLASH_BACKWARD_192_SHARED_BYTES);
        else go(flash_backward_256, FLASH_BACKWARD_256_SHARED_BYTES);
        const auto sum = [&](const Buffer<float>& parts, Buffer<number>& to, int n, int rows, int count, float factor) {
            return flash::Sum{reinterpret_cast<const float4*>(parts.get()), to.get(), n, rows / 64, count, static_cast<int>(to.count / (1ull * tokens * count)), factor};
        };
        const flash::Gradient g{tokens, {sum(dk_parts, dk, splits, key_blocks * keys, kv_heads, scale),
                                         sum(dv_parts, dv, splits, key_blocks * keys, kv_heads, 1.f), sum(dq_parts, dq, 1, padded, heads, scale)}};
        flash_gradient<<<g.of[0].work() + g.of[1].work() + g.of[2].work(), FLASH_GRADIENT_THREADS>>>(g);
    }
};

void check_case(const std::vector<int>& documents, int window, int heads, int kv_heads, int dim, int splits, bool sinks, int repeats) {
    Problem p(documents, window, heads, kv_heads, dim, splits);
    p.with_sinks = sinks;
    const std::string what = "tokens " + std::to_string(p.tokens) + " documents " + std::to_string(documents.size()) + " window " + std::to_string(window) + " heads "
        + std::to_string(heads) + "/" + std::to_string(kv_heads) + "x" + std::to_string(dim) + " splits " + std::to_string(splits) + (sinks ? " sinks" : "");
    const size_t square = 1ull * heads * p.tokens * p.tokens;
    Buffer<double> probabilities(square), ds(square);
    Buffer<float> out(p.out.count), lse(p.lse.count), dq(p.dq.count), dk(p.dk.count), dv(p.dv.count);
    const Exact e{p.q.get(), p.k.get(), p.v.get(), p.d_out.get(), p.first_key.get(), sinks ? p.sinks.get() : nullptr, probabilities.get(), ds.get(),
                  out.get(), lse.get(), dq.get(), dk.get(), dv.get(), p.tokens, heads, kv_heads, dim, p.value_dim, p.scale};
    exact_rows<<<dim3((p.tokens + 63) / 64, heads), 64>>>(e);
    exact_columns<<<dim3(p.tokens, kv_heads), dim>>>(e);
    finish("reference " + what);
    Buffer<number> first(p.out.count), first_dq(p.dq.count), first_dk(p.dk.count), first_dv(p.dv.count);
    for (int i = 0; i <= repeats; i++) {
        p.out.poison();
        p.lse.poison();
        p.forward();
        finish("forward " + what);
        if (i == 0) first.copy(p.out); else expect("forward repetition differs: " + what, words_differing(first, p.out) == 0);
    }
    expect_close("out " + what, p.out, out, 4e-3, true);
    std::vector<float> got = p.lse.host(), want = lse.host();
    double worst = 0;
    for (size_t i = 0; i < got.size(); i++) worst = std::max(worst, std::isfinite(got[i]) ? std::fabs(static_cast<double>(got[i]) - want[i]) : 1e30);
    if (worst > 1e-5) std::printf("     lse off by %.2e\n", worst);
    expect("lse " + what, worst < 1e-5);
    for (int i = 0; i <= repeats; i++) {
        for (Buffer<number>* b : {&p.dq, &p.dk, &p.dv}) b->poison();
        for (Buffer<float>* b : {&p.dq_parts, &p.dk_parts, &p.dv_parts, &p.lse2, &p.delta}) b->poison();
        p.backward();
        finish("backward " + what);
        if (i == 0) first_dq.copy(p.dq), first_dk.copy(p.dk), first_dv.copy(p.dv);
        else expect("backward repetition differs: " + what, words_differing(first_dq, p.dq) + words_differing(first_dk, p.dk) + words_differing(first_dv, p.dv) == 0);
    }
    // Rounding ds, out and the result gives at most 2.65e-3 in these cases, computed on a CPU; at least 2.88e-3 if ds were made of p in bf16.
    expect_close("dq " + what, p.dq, dq, 2.8e-3, true);
    expect_close("dk " + what, p.dk, dk, 2.8e-3, true);
    expect_close("dv " + what, p.dv, dv, 8e-3, true);
    expect("workspace guards " + what, p.dq_parts.guards_intact() && p.dk_parts.guards_intact() && p.dv_parts.guards_intact() && p.turns.guards_intact()
           && p.lse.guards_intact() && p.lse2.guards_intact() && p.delta.guards_intact());
}

int check(bool small) {
    const int repeats = small ? 0 : 50;
    const std::vector<int> ragged{1, 63, 64, 65, 127, 128, 129, 100, 3};
    for (const int dim : {64, 128, 192, 256}) {
        check_case({200, 30}, 0, 4, 2, dim, 1, false, repeats);
        if (small) continue;
        check_case({700}, 0, 8, 2, dim, 4, false, repeats);
        check_case(ragged, 0, 4, 2, dim, 2, false, repeats);
        check_case({1}, 0, 2, 1, dim, 1, false, repeats);
        check_case({64, 448}, 100, 4, 1, dim, 4, false, repeats);
        check_case({513}, 1, 2, 2, dim, 1, false, repeats);
        check_case(ragged, 0, 8, 4, dim, 1, true, repeats);
        check_case({700}, 128, 8, 1, dim, 1, true, repeats);
        check_case(ragged, 0, 4, 4, dim, 1, false, repeats);
    }
    std::printf("%s: attention, %d failures\n", failures ? "FAILED" : "PASSED", failures);
    return failures != 0;
}

void time_all() {
    const auto line = [](const char* what, int tokens, double ms, double flops) {
        std::printf("ours  %-44s T %5d  %8.3f ms  %6.0f TFLOP/s\n", what, tokens, ms, flops / ms / 1e9);
        std::fflush(stdout);
    };
    const auto pairs = [](const std::vector<int>& documents) {
        double n = 0;
        for (const double d : documents) n += d * d / 2;      // as the peer's figures count
        return n;
    };
    struct Heads { int dim, heads, kv_heads, splits; };
    for (const Heads h : {Heads{128, 32, 4, 8}, {64, 64, 8, 8}, {256, 20, 20, 1}, {192, 16, 16, 1}}) {
        for (const int tokens : {4096, 8192, 32768}) {
            Problem p({tokens}, 0, h.heads, h.kv_heads, h.dim, h.splits);
            const std::string what = std::to_string(h.heads) + "/" + std::to_string(h.kv_heads) + "x" + std::to_string(h.dim);
            const double unit = 2. * h.heads * pairs({tokens});
            const int repeats = tokens > 16384 ? 5 : 11;
            line(("flash forward " + what).c_str(), tokens, median_ms([&] { p.forward(); }, repeats), unit * (p.dim + p.value_dim));
            p.forward();
            line(("flash backward " + what).c_str(), tokens, median_ms([&] { p.backward(); }, repeats), unit * (3 * p.dim + 2 * p.value_dim));
        }
    }
    const std::vector<int> packed(16, 2048);
    Problem p(packed, 0, 32, 4, 128, 8);
    line("flash forward 128, 16 documents of 2048", 32768, median_ms([&] { p.forward(); }), 4. * 32 * 128 * pairs(packed));
    line("flash backward 128, 16 documents of 2048", 32768, median_ms([&] { p.backward(); }), 10. * 32 * 128 * pairs(packed));
    for (const int tokens : {4096, 8192, 32768}) {
        for (const int splits : {1, 2}) {
            Problem h({tokens}, 128, 64, 8, 64, splits);
            const double flops = 4. * 64 * 64 * 128 * tokens;
            if (splits == 1) line("flash forward 64/8x64, window 128", tokens, median_ms([&] { h.forward(); }, 7), flops);
            h.forward();
            line(("flash backward 64/8x64, window 128, splits " + std::to_string(splits)).c_str(), tokens, median_ms([&] { h.backward(); }, 7), 2.5 * flops);
        }
    }
}

int main(int count, char** args) {
    const std::string mode = count > 1 ? args[1] : "";
    if (mode == "check" || mode == "check-small") return check(mode == "check-small");
    if (mode == "time") return time_all(), 0;
    std::printf("usage: %s check | check-small | time\n", args[0]);
    return 1;
}
