/* Checks and times the Hopper matrix products: linear.cu, gate_up.cu, down_backward.cu.
 *   nvcc -std=c++17 -O3 -gencode arch=compute_90a,code=sm_90a -DBOUNDED_WAITS hopper_products.cu -o products
 *   products check | products check-small (for compute-sanitizer) | products time */
#include "harness.cuh"
#include "../../main/cuda/hopper/linear.cu"
#include "../../main/cuda/hopper/gate_up.cu"
#include "../../main/cuda/hopper/down_backward.cu"

using Size = cuuint64_t;

// Routed rows: how many each expert owns, in row order, and the token and weight of each row.
struct World {
    int experts, tokens, rows;
    std::vector<int> offsets{0}, expert_of, token_of;
    std::vector<float> weight_of;
    std::vector<int4> tiles;
    Buffer<int4> tile_buffer;
    Buffer<int> count, token, expert;
    Buffer<float> weight;

    World(const std::vector<int>& owned, int token_count)
        : experts(owned.size()), tokens(token_count), rows(std::accumulate(owned.begin(), owned.end(), 0)),
          tile_buffer(rows / 128 + owned.size() + 1), count(1), token(rows), expert(rows), weight(rows) {
        std::mt19937 random(7);
        for (int e = 0; e < experts; e++) {
            for (int r = 0; r < owned[e]; r += 128) tiles.push_back(make_int4(e, offsets[e] + r, std::min(128, owned[e] - r), 0));
            offsets.push_back(offsets[e] + owned[e]);
            for (int r = 0; r < owned[e]; r++) {
                expert_of.push_back(e);
                token_of.push_back(random() % tokens);
                weight_of.push_back((random() % 1000 + 1) / 1000.f);
            }
        }
        tile_buffer.put(tiles);
        count.put({static_cast<int>(tiles.size())});
        token.put(token_of);
        expert.put(expert_of);
        weight.put(weight_of);
    }
    grouped::Rows grouped_rows(int raster) const {
        return {reinterpret_cast<const grouped::Tile*>(tile_buffer.get()), count.get(), nullptr, rows, 0, raster};
    }
};

// k-major: [experts, n, k] read along k. Otherwise [experts, k, n] read as 64-column slabs.
CUtensorMap weight_map(const Buffer<number>& w, bool k_major, Size k, Size n, Size experts, unsigned columns) {
    if (k_major) return tensor_map(w.get(), {k, n, experts}, {k * 2, n * k * 2}, {64, columns, 1});
    return tensor_map(w.get(), {64, k, n / 64, experts}, {n * 2, 128, k * n * 2}, {64, 64, columns / 64, 1});
}
CUtensorMap rows_map(const Buffer<number>& a, Size k, Size rows) { return tensor_map(a.get(), {k, rows}, {k * 2}, {64, 128}); }

// ---- references: one thread per output, float64 ----

struct Reference { const number *a, *w, *z, *u, *bias, *old; const int *a_row, *expert; int rows, n, k, rank, k_major; };

__device__ double exact(const Reference& r, long long row, int column) {
    const long long e = r.expert == nullptr ? 0 : r.expert[row], from = r.a_row == nullptr ? row : r.a_row[row];
    double sum = r.bias == nullptr ? 0. : static_cast<double>(__bfloat162float(r.bias[column]));
    if (r.old != nullptr) sum += __bfloat162float(r.old[row * r.n + column]);
    for (int k = 0; k < r.k; k++)
        sum += static_cast<double>(__bfloat162float(r.a[from * r.k + k])) * __bfloat162float(r.w[r.k_major ? (e * r.n + column) * r.k + k : (e * r.k + k) * r.n + column]);
    for (int j = 0; j < r.rank; j++)
        sum += static_cast<double>(__bfloat162float(r.z[row * r.rank + j])) * __bfloat162float(r.u[r.k_major ? (e * r.n + column) * r.rank + j : (e * r.rank + j) * r.n + column]);
    return sum;
}

// samples null: every element
__global__ void linear_reference(Reference r, float* out) {
    for (long long i = blockIdx.x * 256ll + threadIdx.x; i < static_cast<long long>(r.rows) * r.n; i += gridDim.x * 256ll) out[i] = exact(r, i / r.n, i % r.n);
}

__global__ void gate_up_reference(Reference r, float* gate_up, float* act) {
    const int width = r.n / 2;
    for (long long i = blockIdx.x * 256ll + threadIdx.x; i < static_cast<long long>(r.rows) * width; i += gridDim.x * 256ll) {
        const long long row = i / width, c = i % width;
        const double g = exact(r, row, c), u = exact(r, row, width + c);
        gate_up[row * r.n + c] = g;
        gate_up[row * r.n + width + c] = u;
        act[i] = g / (1 + exp(-g)) * u;
    }
}

__global__ void down_reference(Reference r, const number* gate_up, const float* weight, float* d_gate_up, float* act, float* ds_cells) {
    for (long long i = blockIdx.x * 256ll + threadIdx.x; i < static_cast<long long>(r.rows) * r.n; i += gridDim.x * 256ll) {
        const long long row = i / r.n, c = i % r.n;
        const double d = exact(r, row, c), g = __bfloat162float(gate_up[row * 2 * r.n + c]), u = __bfloat162float(gate_up[row * 2 * r.n + r.n + c]);
        const double s = 1 / (1 + exp(-g)), w = weight[row];
        act[i] = g * s * u;
        ds_cells[i] = g * s * u * d;
        d_gate_up[row * 2 * r.n + c] = w * d * u * (s + g * s * (1 - s));
        d_gate_up[row * 2 * r.n + r.n + c] = w * d * g * s;
    }
}

// ---- one problem of each kernel ----

using LinearKernel = void(CUtensorMap, CUtensorMap, CUtensorMap, CUtensorMap, linear::Product);
struct LinearVariant { const char* name; LinearKernel* kernel; bool k_major; unsigned columns; uint32_t shared; };
const LinearVariant VARIANTS[] = {
    {"linear_forward_192", linear_forward_192, true, 192, linear::Plan<192, 4>::SHARED_BYTES},
    {"linear_forward_128", linear_forward_128, true, 128, linear::Plan<128, 5>::SHARED_BYTES},
    {"linear_backward_192", linear_backward_192, false, 192, linear::Plan<192, 4>::SHARED_BYTES},
    {"linear_backward_128", linear_backward_128, false, 128, linear::Plan<128, 5>::SHARED_BYTES},
};

struct LinearProblem {
    const World* world;                                       // null: dense
    int rows, n, k, rank, experts;
    Buffer<number> a, w, z, u, bias, c, old;

    LinearProblem(const World* wd, int r, int n_, int k_, int rank_)
        : world(wd), rows(r), n(n_), k(k_), rank(rank_), experts(wd ? wd->experts : 1), a(1ull * rows * k), w(1ull * experts * n * k),
          z(1ull * rows * std::max(rank, 8)), u(1ull * experts * n * std::max(rank, 8)), bias(n), c(1ull * rows * n), old(1ull * rows * n) {
        fill(a, 1.f);
        fill(w, .05f);
        fill(z, .5f);
        fill(u, .3f);
        fill(bias, 1.f);
        fill(old, 1.f);
    }
    void launch(const LinearVariant& v, bool extras, int raster = 8) {
        const CUtensorMap ma = rows_map(a, k, rows), mw = weight_map(w, v.k_major, k, n, experts, v.columns);
        const CUtensorMap mz = rows_map(z, std::max(rank, 8), rows), mu = weight_map(u, v.k_major, std::max(rank, 8), n, experts, v.columns);
        const grouped::Rows r = world ? world->grouped_rows(raster) : grouped::Rows{nullptr, nullptr, nullptr, rows, 0, raster};
        with_shared(v.kernel, v.shared)<<<multiprocessors(), grouped::THREADS, v.shared>>>(
            ma, mw, mz, mu, {r, extras ? bias.get() : nullptr, c.get(), n, k, rank, n, extras});
    }
    void reference(const LinearVariant& v, bool extras, Buffer<float>& out) {
        linear_reference<<<2048, 256>>>({a.get(), w.get(), z.get(), u.get(), extras ? bias.get() : nullptr, extras ? old.get() : nullptr, nullptr,
                                         world ? world->expert.get() : nullptr, rows, n, k, rank, v.k_major}, out.get());
    }
};

void check_linear(const World* world, int rows, int n, int k, int rank, int repeats) {
    LinearProblem p(world, rows, n, k, rank);
    Buffer<float> want(1ull * rows * n);
    Buffer<number> first(1ull * rows * n);
    for (const LinearVariant& v : VARIANTS) {
        for (const bool extras : {false, true}) {
            if (extras && v.columns == 192) continue;
            const std::string what = std::string(v.name) + (world ? " grouped" : " dense") + (extras ? "+bias+old" : "") + " rows " + std::to_string(rows) + " k "
                + std::to_string(k) + " n " + std::to_string(n) + " r " + std::to_string(rank);
            p.reference(v, extras, want);
            for (int i = 0; i <= repeats; i++) {
                if (extras) p.c.copy(p.old); else p.c.poison();
                p.launch(v, extras, 1 + i % 9);
                finish(what);
                if (i == 0) first.copy(p.c); else expect(what + ": repetition differs", words_differing(first, p.c) == 0);
            }
            expect_close(what, p.c, want, 2e-3, true);
        }
    }
}

struct GateUpProblem {
    const World& world;
    int hidden, width, rank;
    Buffer<number> x, w, z, b, act, gate_up;
    GateUpProblem(const World& wd, int h, int i, int r)
        : world(wd), hidden(h), width(i), rank(r), x(1ull * wd.tokens * h), w(2ull * wd.experts * i * h), z(1ull * wd.rows * std::max(r, 8)),
          b(2ull * wd.experts * i * std::max(r, 8)), act(1ull * wd.rows * i), gate_up(2ull * wd.rows * i) {
        fill(x, 1.f);
        fill(w, .03f);
        fill(z, .5f);
        fill(b, .3f);
    }
    CUtensorMap map(const Buffer<number>& m, Size k) const {
        const Size n = width;
        return tensor_map(m.get(), {k, n, 2, static_cast<Size>(world.experts)}, {k * 2, n * k * 2, 2 * n * k * 2}, {64, 128, 1, 1});
    }
    void launch(bool save, int raster) {
        with_shared(expert_gate_up, gate_up::SHARED_BYTES)<<<multiprocessors(), grouped::THREADS, gate_up::SHARED_BYTES>>>(
            map(w, hidden), rows_map(z, std::max(rank, 8), world.rows), map(b, std::max(rank, 8)),
            {world.grouped_rows(raster), x.get(), world.token.get(), act.get(), save ? gate_up.get() : nullptr, hidden, width, rank});
    }
    Reference exactly() const { return {x.get(), w.get(), z.get(), b.get(), nullptr, nullptr, world.token.get(), world.expert.get(), world.rows, 2 * width, hidden, rank, 1}; }
};

void check_gate_up(const World& world, int hidden, int width, int rank, int repeats) {
    GateUpProblem p(world, hidden, width, rank);
    Buffer<float> want_act(p.act.count), want_gate_up(p.gate_up.count);
    Buffer<number> first(p.act.count), first_gu(p.gate_up.count);
    const std::string what = "expert_gate_up rows " + std::to_string(world.rows) + " hidden " + std::to_string(hidden) + " width " + std::to_string(width) + " r "
        + std::to_string(rank);
    gate_up_reference<<<2048, 256>>>(p.exactly(), want_gate_up.get(), want_act.get());
    for (int i = 0; i <= repeats; i++) {
        p.act.poison();
        p.gate_up.poison();
        p.launch(true, 1 + i % 9);
        finish(what);
        if (i == 0) first.copy(p.act), first_gu.copy(p.gate_up);
        else expect(what + ": repetition differs", words_differing(first, p.act) + words_differing(first_gu, p.gate_up) == 0);
    }
    expect_close(what + " act", p.act, want_act, 2e-3, true);
    expect_close(what + " gate_up", p.gate_up, want_gate_up, 2e-3, true);
}

struct DownProblem {
    const World& world;
    int hidden, width, rank, column_tiles;
    Buffer<number> d_out, w, dz, a, saved, gate_up, act;
    Buffer<float> ds;
    DownProblem(const World& wd, int h, int i, int r)
        : world(wd), hidden(h), width(i), rank(r), column_tiles((i + down_backward::COLUMNS - 1) / down_backward::COLUMNS), d_out(1ull * wd.tokens * h),
          w(1ull * wd.experts * h * i), dz(1ull * wd.rows * std::max(r, 8)), a(1ull * wd.experts * i * std::max(r, 8)), saved(2ull * wd.rows * i),
          gate_up(2ull * wd.rows * i), act(1ull * wd.rows * i), ds(1ull * column_tiles * wd.rows) {
        fill(d_out, 1.f);
        fill(w, .03f);
        fill(dz, .5f);
        fill(a, .3f);
        fill(saved, 1.f);
        gate_up.copy(saved);
    }
    void launch(int raster) {
        with_shared(expert_down_backward, down_backward::SHARED_BYTES)<<<multiprocessors(), grouped::THREADS, down_backward::SHARED_BYTES>>>(
            weight_map(w, false, hidden, width, world.experts, down_backward::COLUMNS), rows_map(dz, std::max(rank, 8), world.rows),
            weight_map(a, false, std::max(rank, 8), width, world.experts, down_backward::COLUMNS), rows_map(gate_up, 2 * width, world.rows),
            {world.grouped_rows(raster), d_out.get(), world.token.get(), world.weight.get(), gate_up.get(), act.get(), ds.get(), world.rows, hidden, width, rank});
    }
};

void check_down(const World& world, int hidden, int width, int rank, int repeats) {
    DownProblem p(world, hidden, width, rank);
    Buffer<float> want_gate_up(p.gate_up.count), want_act(p.act.count), cells(p.act.count), want_ds(world.rows), got_ds(world.rows);
    Buffer<number> first(p.gate_up.count);
    const std::string what = "expert_down_backward rows " + std::to_string(world.rows) + " hidden " + std::to_string(hidden) + " width " + std::to_string(width)
        + " r " + std::to_string(rank);
    down_reference<<<2048, 256>>>({p.d_out.get(), p.w.get(), p.dz.get(), p.a.get(), nullptr, nullptr, world.token.get(), world.expert.get(), world.rows, width, hidden, rank, 0},
                                  p.saved.get(), world.weight.get(), want_gate_up.get(), want_act.get(), cells.get());
    for (int i = 0; i <= repeats; i++) {
        p.gate_up.copy(p.saved);
        p.act.poison();
        p.ds.poison();
        p.launch(1 + i % 9);
        finish(what);
        if (i == 0) first.copy(p.gate_up); else expect(what + ": repetition differs", words_differing(first, p.gate_up) == 0);
    }
    expect_close(what + " d_gate_up", p.gate_up, want_gate_up, 2e-3, true);
    expect_close(what + " act", p.act, want_act, 2e-3, true);
    std::vector<float> sum(world.rows), got(world.rows), partial = p.ds.host(), cell = cells.host();
    for (int r = 0; r < world.rows; r++) {
        for (int c = 0; c < p.column_tiles; c++) got[r] += partial[static_cast<size_t>(c) * world.rows + r];
        double s = 0;
        for (int c = 0; c < width; c++) s += cell[static_cast<size_t>(r) * width + c];
        sum[r] = s;
    }
    got_ds.put(got);
    want_ds.put(sum);
    expect_close(what + " ds", got_ds, want_ds, 1e-5, true);
}

int check(bool small) {
    const std::vector<std::vector<int>> owned = {{0, 1, 63, 64, 65, 0, 127, 128, 129, 0}, {300, 0, 0}, {0, 0, 211}, {1}, {17, 33, 5, 260, 2, 2, 90, 1}};
    const int ranks[] = {16, 0, 32, 64, 8, 80}, repeats = small ? 0 : 50;
    int n = 0;
    for (const auto& o : owned) {
        const int rank = ranks[n % 6], i = n++;
        World world(o, std::max(1, std::accumulate(o.begin(), o.end(), 0) / 3));
        check_linear(&world, world.rows, 64 * (3 + 2 * i), 64 * (1 + i) + (i % 2 ? 0 : 8), rank, repeats);
        check_gate_up(world, 64 * (1 + 2 * i), 64 * (1 + i) + (i % 2 ? 8 : 0), rank, repeats);
        check_down(world, 64 * (2 + i), 64 * (1 + 2 * i), rank, repeats);
        if (small && n == 1) break;
    }
    for (const int rows : {1, 127, 300, 1000}) {
        check_linear(nullptr, rows, rows == 1000 ? 1088 : 320, rows == 300 ? 64 : 776, ranks[n++ % 6], small ? 0 : 5);
        if (small) break;
    }
    std::printf("%s: products, %d failures\n", failures ? "FAILED" : "PASSED", failures);
    return failures != 0;
}

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

void line(const char* kernel, int tokens, int raster, double ms, double flops) {              // counts the base product only
    std::printf("ours  %-38s T %5d raster %2d %8.3f ms %4.0f TFLOP/s\n", kernel, tokens, raster, ms, flops / ms / 1e9);
    std::fflush(stdout);
}

void time_all() {
    const int hidden = 2048, width = 768, rank = 16;
    for (const int tokens : {1024, 4096, 8192, 32768}) {
        World world = uniform(tokens, 128, 8);
        const double flops = 2. * world.rows * hidden * width;
        {
            GateUpProblem p(world, hidden, width, rank);
            for (const bool save : {true, false})
                for (const int raster : {8, 16})
                    line(save ? "expert_gate_up saving" : "expert_gate_up", tokens, raster, median_ms([&] { p.launch(save, raster); }), 2 * flops);
        }
        {
            DownProblem p(world, hidden, width, rank);
            for (const int raster : {8, 16}) line("expert_down_backward", tokens, raster, median_ms([&] { p.launch(raster); }), flops);
        }
        for (const LinearVariant& v : VARIANTS) {
            const bool forward = v.k_major;
            LinearProblem p(&world, world.rows, hidden, forward ? width : 2 * width, rank);
            const std::string name = std::string(forward ? "down " : "gate_up dgrad ") + v.name;
            for (const int raster : {8, 16}) line(name.c_str(), tokens, raster, median_ms([&] { p.launch(v, false, raster); }), forward ? flops : 2 * flops);
        }
    }
    for (const int tokens : {1024, 4096, 32768}) {
        for (const LinearVariant& v : VARIANTS) {
            LinearProblem p(nullptr, tokens, 4096, 2048, rank);
            for (const int raster : {8, 16})
                line((std::string("dense 2048x4096 ") + v.name).c_str(), tokens, raster, median_ms([&] { p.launch(v, false, raster); }), 2. * tokens * 4096 * 2048);
        }
    }
    LinearProblem head(nullptr, 1024, 151936, 2048, 0), back(nullptr, 1024, 2048, 151936, 0);
    for (const LinearVariant& v : VARIANTS) {
        LinearProblem& p = v.k_major ? head : back;
        line((std::string(v.k_major ? "head logits " : "head dX ") + v.name).c_str(), 1024, 8, median_ms([&] { p.launch(v, false, 8); }), 2. * 1024 * 2048 * 151936);
    }
}

int main(int count, char** args) {
    const std::string mode = count > 1 ? args[1] : "";
    if (mode == "check" || mode == "check-small") return check(mode == "check-small");
    if (mode == "time") return time_all(), 0;
    std::printf("usage: %s check | check-small | time\n", args[0]);
    return 1;
}
