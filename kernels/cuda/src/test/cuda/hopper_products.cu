/* Checks and times the Hopper matrix products: expert_gemm.cu, gemm.cu, pingpong.cu.
 *   nvcc -std=c++17 -O3 -gencode arch=compute_90a,code=sm_90a hopper_products.cu -o products
 *   products check | products check-small (for compute-sanitizer) | products time [MODEL] | products time-bands [MODEL]
 * Check it with -DBOUNDED_WAITS first: a wait that never ends traps then. With it ptxas serialises some products, so times need the other build. */
#include "harness.cuh"
#include "../../main/cuda/hopper/expert_gemm.cu"
#include "../../main/cuda/hopper/gemm.cu"
#include "../../main/cuda/hopper/pingpong.cu"

using Size = cuuint64_t;

// Routed rows: how many each expert owns, in row order, and the token of each row. One expert may also be a dense matrix.
struct World {
    int experts, tokens, rows;
    bool dense;
    std::vector<int> expert_of, token_of, scattered;
    std::vector<int4> pieces;
    Buffer<int4> piece_buffer;
    Buffer<int> piece_count, token, expert, scatter;

    World(const std::vector<int>& owned, int token_count, bool is_dense = false)
        : experts(owned.size()), tokens(token_count), rows(std::accumulate(owned.begin(), owned.end(), 0)), dense(is_dense),
          piece_buffer(rows / EXPERT_GEMM_PIECE + owned.size() + 1), piece_count(1), token(rows), expert(rows), scatter(rows) {
        std::mt19937 random(7);
        int first = 0;
        for (int e = 0; e < experts; first += owned[e++]) {
            const int units = (owned[e] + 15) / 16, here = (owned[e] + EXPERT_GEMM_PIECE - 1) / EXPERT_GEMM_PIECE;
            for (int i = 0; i < here; i++) {
                const int begin = units * i / here * 16;
                pieces.push_back(make_int4(e, first + begin, std::min(units * (i + 1) / here * 16, owned[e]) - begin, 0));
            }
            for (int r = 0; r < owned[e]; r++) {
                expert_of.push_back(e);
                token_of.push_back(random() % tokens);
                scattered.push_back(first + r);
            }
        }
        std::shuffle(scattered.begin(), scattered.end(), random);
        piece_buffer.put(pieces);
        piece_count.put({static_cast<int>(pieces.size())});
        token.put(token_of);
        expert.put(expert_of);
        scatter.put(scattered);
    }
    // limit: how many rows exist, or null
    dense::Rows row_tiles(int raster, const int* limit) const { return {limit, rows, 3, raster, 0}; }
};

// k-major: [experts, n, k] read along k. Otherwise [experts, k, n] read as 64-column slabs.
CUtensorMap weight_map(const Buffer<number>& w, bool k_major, Size k, Size n, Size experts, unsigned columns) {
    if (k_major) return tensor_map(w.get(), {k, n, experts}, {k * 2, n * k * 2}, {64, columns, 1});
    return tensor_map(w.get(), {64, k, n / 64, experts}, {n * 2, 128, k * n * 2}, {64, 64, columns / 64, 1});
}
CUtensorMap rows_map(const Buffer<number>& a, Size k, Size rows, unsigned height = 64) { return tensor_map(a.get(), {k, rows}, {k * 2}, {64, height}); }

// ---- reference: one thread per output, float64 ----

struct Reference {
    const number *a, *w, *z, *u, *bias;
    const int *a_row, *expert, *c_row;
    int rows, n, k, rank, k_major;
};

__device__ double exact(const Reference& r, long long row, int column) {
    const long long e = r.expert[row], from = r.a_row == nullptr ? row : r.a_row[row];
    double sum = r.bias == nullptr ? 0. : static_cast<double>(__bfloat162float(r.bias[e * r.n + column]));
    for (int k = 0; k < r.k; k++)
        sum += static_cast<double>(__bfloat162float(r.a[from * r.k + k])) * __bfloat162float(r.w[r.k_major ? (e * r.n + column) * r.k + k : (e * r.k + k) * r.n + column]);
    for (int j = 0; j < r.rank; j++)
        sum += static_cast<double>(__bfloat162float(r.z[row * r.rank + j])) * __bfloat162float(r.u[r.k_major ? (e * r.n + column) * r.rank + j : (e * r.rank + j) * r.n + column]);
    return sum;
}

// Adds to `out`, which begins as what C held where that stays or is added to, else as zeros.
__global__ void add_reference(Reference r, float* out) {
    for (long long i = blockIdx.x * 256ll + threadIdx.x; i < static_cast<long long>(r.rows) * r.n; i += gridDim.x * 256ll) {
        const long long row = i / r.n, to = r.c_row == nullptr ? row : r.c_row[row];
        out[to * r.n + i % r.n] += exact(r, row, i % r.n);
    }
}

__global__ void widen(const number* from, float* to, long long count, long long first) {          // elements before `first` become zero
    for (long long i = blockIdx.x * 256ll + threadIdx.x; i < count; i += gridDim.x * 256ll) to[i] = i < first ? 0.f : __bfloat162float(from[i]);
}

// ---- kernels ----

template <int N> using Kernel = void(dense::Maps<N>, dense::Product<N>);
using ExpertKernel = void(expert_gemm::Maps, expert_gemm::Product);
struct Variant { const char* name; Kernel<1>* kernel; bool k_major, gather; unsigned columns; uint32_t shared; ExpertKernel* experts = nullptr; };
const uint32_t WIDE = PINGPONG_WIDE_SHARED_BYTES, NARROW = PINGPONG_NARROW_SHARED_BYTES, SHARED = HOPPER_GEMM_SHARED_BYTES;
const Variant VARIANTS[] = {
    {"experts_nt", nullptr, true, false, 256, EXPERT_GEMM_SHARED_BYTES, hopper_experts_nt},
    {"experts_nn", nullptr, false, false, 256, EXPERT_GEMM_SHARED_BYTES, hopper_experts_nn},
    {"experts_nt_gather", nullptr, true, true, 256, EXPERT_GEMM_SHARED_BYTES, hopper_experts_nt_gather},
    {"experts_nn_gather", nullptr, false, true, 256, EXPERT_GEMM_SHARED_BYTES, hopper_experts_nn_gather},
    {"gemm_nt", hopper_gemm_nt, true, false, 256, SHARED},
    {"gemm_nn", hopper_gemm_nn, false, false, 256, SHARED},
    {"gemm_nt_gather", hopper_gemm_nt_gather, true, true, 256, SHARED},
    {"pingpong_nt_192", hopper_pingpong_nt_192, true, false, 192, WIDE},
    {"pingpong_nn_192", hopper_pingpong_nn_192, false, false, 192, WIDE},
    {"pingpong_nt_128", hopper_pingpong_nt_128, true, false, 128, NARROW},
    {"pingpong_nn_128", hopper_pingpong_nn_128, false, false, 128, NARROW},
};

Buffer<int>& drawn() {
    static Buffer<int> counter(1);
    static const bool zeroed = (counter.zero(), true);
    (void)zeroed;
    return counter;
}

// ---- one product ----

struct Extras { bool bias, add, scatter, limit; };

struct Problem {
    const World& world;
    int rows, n, k, rank;
    bool gather;
    Buffer<number> a, w, z, u, bias, c, old;
    Buffer<int> limit;

    Problem(const World& wd, int n_, int k_, int rank_, bool g)
        : world(wd), rows(wd.rows), n(n_), k(k_), rank(rank_), gather(g), a(1ull * (g ? wd.tokens : rows) * k), w(1ull * wd.experts * n * k),
          z(1ull * rows * std::max(rank, 8)), u(1ull * wd.experts * n * std::max(rank, 8)), bias(1ull * wd.experts * n), c(1ull * rows * n),
          old(1ull * rows * n), limit(1) {
        fill(a, 1.f);
        fill(w, .05f);
        fill(z, .5f);
        fill(u, .3f);
        fill(bias, 1.f);
        fill(old, 1.f);
        limit.put({3 + live()});
    }
    int live() const { return rows * 2 / 3; }                 // of a limited product
    dense::Layer layer(bool with_bias, int first_column = 0) { return {c.get(), with_bias ? bias.get() : nullptr, BFLOAT16, n, k, n, rank, first_column}; }
    CUtensorMap right(const Buffer<number>& m, bool k_major, int depth, unsigned columns) const { return weight_map(m, k_major, depth, n, world.experts, columns); }

    void launch(const Variant& v, const Extras& x, int raster = 8, int blocks = multiprocessors()) {
        const CUtensorMap mw = right(w, v.k_major, k, v.columns);
        if (v.experts != nullptr) {
            const expert_gemm::Maps maps{v.gather ? mw : rows_map(a, k, rows, 32), mw, rows_map(z, std::max(rank, 8), rows, 32), right(u, v.k_major, std::max(rank, 8), v.columns)};
            const expert_gemm::Product p{reinterpret_cast<const products::Tile*>(world.piece_buffer.get()), world.piece_count.get(), a.get(),
                                         v.gather ? world.token.get() : nullptr, c.get(), x.bias ? bias.get() : nullptr, drawn().get(), BFLOAT16, n, k, k, n, rank, raster, 0};
            with_shared(v.experts, v.shared)<<<blocks, products::THREADS, v.shared>>>(maps, p);
            return;
        }
        const dense::Maps<1> maps{{v.gather ? mw : rows_map(a, k, rows)}, {mw}, {rows_map(z, std::max(rank, 8), rows)}, {right(u, v.k_major, std::max(rank, 8), v.columns)}};
        const dense::Product<1> p{world.row_tiles(raster, x.limit ? limit.get() : nullptr), a.get(), v.gather ? world.token.get() : nullptr,
                                    x.scatter ? world.scatter.get() : nullptr, drawn().get(), k, x.add, 1, 0, {layer(x.bias)}};
        with_shared(v.kernel, v.shared)<<<blocks, products::THREADS, v.shared>>>(maps, p);
    }
    void begin(const Extras& x) { if (x.add || x.limit) c.copy(old); else c.poison(); }
    void reference(const Variant& v, const Extras& x, Buffer<float>& want) {
        const int exist = x.limit ? live() : rows;
        widen<<<1024, 256>>>(old.get(), want.get(), want.count, x.add ? 0 : 1ll * exist * n);
        add_reference<<<2048, 256>>>({a.get(), w.get(), z.get(), u.get(), x.bias ? bias.get() : nullptr, v.gather ? world.token.get() : nullptr, world.expert.get(),
                                      x.scatter ? world.scatter.get() : nullptr, exist, n, k, rank, v.k_major}, want.get());
    }
};

// Repeats with other orders of tiles and other numbers of blocks: all drawn by one, a few, as many as there are.
void repeat(const std::string& what, int repeats, Buffer<number>& c, Buffer<number>& first, const std::function<void(int, int)>& launch) {
    const int blocks[] = {multiprocessors(), 1, 5};
    for (int i = 0; i <= repeats; i++) {
        launch(1 + i % 9, blocks[i % 3]);
        finish(what);
        expect(what + ": counter not cleared", drawn().host()[0] == 0);
        if (i == 0) first.copy(c); else expect(what + ": repetition differs", words_differing(first, c) == 0);
    }
}

void check_product(const World& world, int n, int k, int rank, int repeats) {
    Problem plain(world, n, k, rank, false), gathered(world, n, k, rank, true);
    Buffer<float> want(1ull * world.rows * n);
    Buffer<number> first(1ull * world.rows * n);
    for (const Variant& v : VARIANTS) {
        Problem& p = v.gather ? gathered : plain;
        for (const Extras& x : {Extras{false, false, false, false}, {true, false, false, false}, {true, true, false, false}, {true, false, false, world.dense}, {false, false, world.dense, false}}) {
            if (v.experts == nullptr ? !world.dense : x.add || x.scatter || x.limit) continue;
            const std::string what = std::string(v.name) + (world.dense ? " dense" : " grouped") + (x.bias ? "+bias" : "") + (x.add ? "+old" : "") + (x.scatter ? "+scatter" : "")
                + (x.limit ? "+limit" : "") + " rows " + std::to_string(world.rows) + " k " + std::to_string(k) + " n " + std::to_string(n) + " r " + std::to_string(rank);
            p.reference(v, x, want);
            repeat(what, repeats, p.c, first, [&](int raster, int blocks) {
                p.begin(x);
                p.launch(v, x, raster, blocks);
            });
            expect_close(what, p.c, want, 2e-3, true);
        }
    }
}

// ---- several layers of one input ----

constexpr int MOST = HOPPER_GEMM_LAYERS;

// Forward: layers of widths `sizes`, all of the first problem's A. Backward: depths `sizes`, all into the first problem's C.
void check_layers(const World& world, bool forward, const std::vector<int>& sizes, const std::vector<int>& ranks, int shared_size, int repeats) {
    const int count = sizes.size();
    std::vector<Problem*> layers;
    for (int i = 0; i < count; i++)
        layers.push_back(forward ? new Problem(world, sizes[i], shared_size, ranks[i], false) : new Problem(world, shared_size, sizes[i], ranks[i], false));
    dense::Maps<MOST> maps;
    dense::Product<MOST> p{{}, nullptr, nullptr, nullptr, drawn().get(), 0, 0, count, 0, {}};
    int column = 0;
    for (int i = 0; i < MOST; i++) {
        Problem& l = *layers[std::min(i, count - 1)];
        maps.a[i] = rows_map(forward ? layers[0]->a : l.a, l.k, world.rows);
        maps.w[i] = l.right(l.w, forward, l.k, 256);
        maps.z[i] = rows_map(l.z, std::max(l.rank, 8), world.rows);
        maps.u[i] = l.right(l.u, forward, std::max(l.rank, 8), 256);
        p.layer[i] = l.layer(forward, column);
        if (forward) column += (l.n + 255) / 256;
    }
    const std::string what = std::string(forward ? "layers_nt" : "layers_nn") + " rows " + std::to_string(world.rows) + " of " + std::to_string(count);
    for (int i = 0; i < (forward ? count : 1); i++) {
        Problem& l = *layers[i];
        for (const bool add : {false, true}) {
            if (add && forward) continue;
            p.accumulate = add;
            Buffer<float> want(l.c.count);
            Buffer<number> first(l.c.count);
            widen<<<1024, 256>>>(l.old.get(), want.get(), want.count, add ? 0 : want.count);
            for (int j = forward ? i : 0; j < (forward ? i + 1 : count); j++) {
                Problem& m = *layers[j];
                add_reference<<<2048, 256>>>({forward ? layers[0]->a.get() : m.a.get(), m.w.get(), m.z.get(), m.u.get(), forward ? m.bias.get() : nullptr, nullptr,
                                              world.expert.get(), nullptr, world.rows, m.n, m.k, m.rank, forward}, want.get());
            }
            repeat(what, repeats, l.c, first, [&](int raster, int blocks) {
                for (Problem* each : layers) each->begin({false, add, false, false});
                p.rows = world.row_tiles(raster, nullptr);
                with_shared(forward ? hopper_layers_nt : hopper_layers_nn, SHARED)<<<blocks, products::THREADS, SHARED>>>(maps, p);
            });
            expect_close(what + " layer " + std::to_string(i) + (add ? "+old" : ""), l.c, want, 2e-3, true);
        }
    }
    for (Problem* each : layers) delete each;
}

int check(bool small) {
    const std::vector<std::vector<int>> owned = {{0, 1, 63, 64, 65, 0, 127, 128, 129, 0}, {300, 0, 0}, {0, 0, 211}, {1}, {17, 33, 5, 260, 2, 2, 90, 1},
        {15, 16, 31, 32, 47, 79, 95, 111, 143, 159, 160, 161, 175, 176, 177, 191, 192, 193, 385, 600}};
    const int ranks[] = {16, 0, 32, 64, 8, 24}, repeats = small ? 1 : 30;
    int n = 0;
    for (const auto& o : owned) {
        const int rank = ranks[n % 6], i = n++;
        World world(o, std::max(1, std::accumulate(o.begin(), o.end(), 0) / 3));
        check_product(world, 64 * (3 + 2 * i), 64 * (2 + i) + (i % 2 ? 0 : 8), rank, repeats);
        if (small) break;
    }
    for (const int rows : {1, 127, 300, 1000}) {
        World world({rows}, std::max(1, rows / 2), true);
        check_product(world, rows == 1000 ? 1088 : 320, rows == 300 ? 128 : 776, ranks[n++ % 6], small ? 1 : 5);
        check_layers(world, true, {320, 64, 136}, {16, 0, 64}, rows == 300 ? 64 : 200, small ? 1 : 5);
        check_layers(world, false, {136, 64, 320, 8}, {0, 24, 64, 8}, 320, small ? 1 : 5);
        check_layers(world, false, {64, 256}, {0, 0}, 64, small ? 1 : 5);
        if (small) break;
    }
    std::printf("%s: products, %d failures\n", failures ? "FAILED" : "PASSED", failures);
    return failures != 0;
}

// ---- times: one JSON object a line, with the keys of bench/peer/grouped_mm.py ----

World uniform(int tokens, int experts, int top_k) {
    std::mt19937 random(3);
    std::vector<int> owned(experts);
    for (int t = 0; t < tokens; t++) {
        std::vector<int> order(experts);
        std::iota(order.begin(), order.end(), 0);
        for (int k = 0; k < top_k; k++) {
            std::swap(order[k], order[k + random() % (experts - k)]);
            owned[order[k]]++;
        }
    }
    return World(owned, tokens);
}

struct Model { const char* name; int experts, top_k, hidden, width; };
const Model MODELS[] = {{"qwen3-30b-a3b", 128, 8, 2048, 768}, {"gpt-oss-20b", 32, 4, 2880, 2880}, {"glm-4.7-flash", 64, 4, 2048, 1536}};

// Every kernel that can do this product, with its adapter of rank 16; the rate counts the base product only. `all`: bands of 1, 8 and 16.
void time_product(const char* model, const char* name, const World& world, bool k_major, bool gather, int n, int k, int rank, bool all) {
    Problem p(world, n, k, rank, gather);
    const int bands[] = {world.dense ? 16 : 8, world.dense ? 8 : 16, 1};
    for (const Variant& v : VARIANTS) {
        if (v.k_major != k_major || v.gather != gather || (v.experts == nullptr && !world.dense)) continue;
        for (int i = 0; i < (all ? 3 : 1); i++) {
            const double ms = median_ms([&] { p.launch(v, {false, false, false, false}, bands[i]); });
            std::printf("{\"model\": \"%s\", \"product\": \"%s\", \"kernel\": \"hopper_%s\", \"tokens\": %d, \"ms\": %.4f, \"tflops\": %.1f, \"band\": %d}\n", model, name,
                        v.name, world.tokens, ms, 2. * world.rows * n * k / ms / 1e9, bands[i]);
            std::fflush(stdout);
        }
    }
}

void time_dense(const char* model, const char* name, int tokens, int in, int out, int rank, bool all) {
    World world({tokens}, tokens, true);
    time_product(model, name, world, true, false, out, in, rank, all);
    time_product(model, (std::string(name) + " dgrad").c_str(), world, false, false, in, out, rank, all);
}

void time_all(bool all, const std::string& only) {
    const int rank = 16;
    for (const Model& m : MODELS) {
        if (!only.empty() && only != m.name) continue;
        for (const int tokens : {1024, 4096, 8192, 32768}) {
            World world = uniform(tokens, m.experts, m.top_k);
            time_product(m.name, "gate_up", world, true, true, 2 * m.width, m.hidden, rank, all);
            time_product(m.name, "down", world, true, false, m.hidden, m.width, rank, all);
            time_product(m.name, "down dgrad", world, false, true, m.width, m.hidden, rank, all);
            time_product(m.name, "gate_up dgrad", world, false, false, m.hidden, 2 * m.width, rank, all);
        }
    }
    for (const int tokens : {1024, 4096, 8192, 32768}) {
        if (!only.empty()) break;
        time_dense("qwen3-30b-a3b", "q", tokens, 2048, 4096, rank, all);
        time_dense("qwen3-30b-a3b", "qkv", tokens, 2048, 5120, rank, all);
        time_dense("qwen3-30b-a3b", "o", tokens, 4096, 2048, rank, all);
        time_dense("gpt-oss-20b", "o", tokens, 4096, 2880, rank, all);
        time_dense("glm-4.7-flash", "o", tokens, 5120, 2048, rank, all);
    }
    if (only.empty()) time_dense("qwen3-30b-a3b", "head", 2048, 2048, 151936, 0, all);
}

int main(int count, char** args) {
    const std::string mode = count > 1 ? args[1] : "";
    if (mode == "check" || mode == "check-small") return check(mode == "check-small");
    if (mode == "time" || mode == "time-bands") return time_all(mode == "time-bands", count > 2 ? args[2] : ""), 0;
    std::printf("usage: %s check | check-small | time | time-bands\n", args[0]);
    return 1;
}
