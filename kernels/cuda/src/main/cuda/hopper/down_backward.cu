/* Second half of the experts, backward, with the activation's gradient in the epilogue. Per routed row with d = dout[row_token] Wd + dz A, unscaled:
 *   act = silu(gate) * up;  ds = <act, d>;  d_gate = w d up silu'(gate), d_up = w d silu(gate), with w the row's routing weight
 *   expert_row_weight          row_weight[row_of_pick[i]] = weights[i]
 *   expert_down_backward       all of the above; gate_up becomes its gradient in place, ds per column tile
 *   expert_weight_gradient     d_weights[i] = sum over column tiles, in order; z and dz of the row are multiplied by w
 * Shapes    d_out [tokens, hidden]  gate_up [rows, 2 width]  act [rows, width]  bf16   row_weight [rows], ds [column tiles, rows] f32
 *           row_token [rows], row_of_pick [picks] int32   weights, d_weights [picks] f32   z, dz [rows, rank] bf16 or null
 *           tiles, tile_count: written by expert_tiles
 * Maps      bf16, 128-byte swizzle, zeros outside: w {64, hidden, width / 64, experts} strides {2 width, 128, 2 hidden width} box {64, 64, 3, 1}
 *           over [experts, hidden, width]; dz {rank, rows} box {64, 128}; a {64, rank, width / 64, experts} box {64, 64, 3, 1} over
 *           [experts, rank, width]; gate_up {2 width, rows} box {64, 128}
 * Requires  compute capability 9.0; hidden % 64 == 0, width % 64 == 0, rank % 8 == 0, tokens * hidden < 2^32      Accumulates fp32
 * Launch    backward: grid min(output tiles, multiprocessors), block 384, dynamic shared SHARED_BYTES (tiles.h); no cluster
 *           row_weight: a thread a pick; weight_gradient: a warp a pick; both block FLAT_THREADS
 * Bound by  the matrix unit; near the bandwidth of gate_up      Source  Shazeer 2020 (SwiGLU); MegaBlocks      Run by hopper_products.cu only */
#include "grouped.cuh"

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
expert_row_weight(const int* row_of_pick, const float* weights, float* row_weight, long long picks) {
    const long long pick = static_cast<long long>(blockIdx.x) * FLAT_THREADS + threadIdx.x;
    if (pick < picks) row_weight[row_of_pick[pick]] = weights[pick];
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
expert_weight_gradient(const int* row_of_pick, const float* weights, const float* ds, float* d_weights, bf16* z, bf16* dz, long long picks, long long rows,
                       int column_tiles, int rank) {
    const long long pick = static_cast<long long>(blockIdx.x) * (FLAT_THREADS / 32) + threadIdx.x / 32;
    if (pick >= picks) return;
    const long long row = row_of_pick[pick];
    const int lane = threadIdx.x % 32;
    const float weight = weights[pick];
    if (lane == 0) {
        float total = 0.f;
        for (int c = 0; c < column_tiles; c++) total += ds[c * rows + row];
        d_weights[pick] = total;
    }
    if (z == nullptr) return;
    for (int j = lane; j < rank; j += 32) {
        z[row * rank + j] = __float2bfloat16_rn(__bfloat162float(z[row * rank + j]) * weight);
        dz[row * rank + j] = __float2bfloat16_rn(__bfloat162float(dz[row * rank + j]) * weight);
    }
}

namespace down_backward {

using namespace grouped;

struct Product {
    Rows rows;
    const bf16* d_out;
    const int* row_token;
    const float* row_weight;
    bf16* gate_up;
    bf16* act;
    float* ds;
    long long all_rows;
    int hidden, width, rank;
};

// Shared memory: STAGES x (rows of d_out | W, later 64 columns of gate | of up), staging, barriers.
constexpr int COLUMNS = 192, CHUNKS = COLUMNS / 64, STAGES = 4, LAG = 2;
constexpr uint32_t W_BYTES = COLUMNS * ROW_BYTES, STAGE = A_BYTES + W_BYTES, STAGING_ROW = 64 * 2 + 16;
constexpr uint32_t STAGING_AT = STAGES * STAGE, FULL = STAGING_AT + ROWS * STAGING_ROW, EMPTY = FULL + 8 * STAGES, SHARED_BYTES = EMPTY + 8 * STAGES;
static_assert(COLUMNS == DOWN_BACKWARD_COLUMNS && SHARED_BYTES == DOWN_BACKWARD_SHARED_BYTES && SHARED_BYTES <= 232448);
static_assert(2 * A_BYTES <= STAGE, "64 columns of gate and of up share one stage");

__device__ __forceinline__ void produce(const CUtensorMap& w, const CUtensorMap& dz, const CUtensorMap& a, const CUtensorMap& gate_up, const Product& p,
                                        uint32_t shared, const Schedule& schedule, const Depth& depth) {
    const bool leader = threadIdx.x / 32 == 0 && ptx::elected();
    Ring<STAGES> ring;
    Handover<STAGES, LAG> handover{shared + FULL};
    for (int work = blockIdx.x; work < schedule.total; work += gridDim.x) {
        int column;
        const Tile tile = schedule.at(work, column);
        const int n0 = column * COLUMNS;
        const Gather gather(tile, p.row_token, p.hidden);
        for (int block = 0; block < depth.blocks + CHUNKS; block++) {
            ptx::wait(shared + EMPTY + 8 * ring.stage, ring.phase ^ 1);
            const uint32_t to = shared + ring.stage * STAGE, barrier = shared + FULL + 8 * ring.stage;
            if (block < depth.weight_blocks) {
                gather.copy(to, p.d_out, block * DEPTH);
                if (leader) {
                    ptx::arrive_expecting(barrier, W_BYTES);
                    ptx::load_box(to + A_BYTES, w, barrier, 0, block * DEPTH, n0 / 64, tile.expert);
                }
            } else if (leader && block < depth.blocks) {
                const int j0 = (block - depth.weight_blocks) * DEPTH;
                ptx::arrive_expecting(barrier, STAGE);
                ptx::load_box(to, dz, barrier, j0, tile.first);
                ptx::load_box(to + A_BYTES, a, barrier, 0, j0, n0 / 64, tile.expert);
            } else if (leader) {
                const int c = n0 + (block - depth.blocks) * 64;
                ptx::arrive_expecting(barrier, 2 * A_BYTES);
                ptx::load_box(to, gate_up, barrier, c, tile.first);
                ptx::load_box(to + A_BYTES, gate_up, barrier, p.width + c, tile.first);
            }
            handover.next();
            ring.advance();
        }
    }
    handover.finish();
}

// Copies this warpgroup's staged 64 x 64 block to its rows; every thread of the warpgroup must call it.
__device__ __forceinline__ void flush(bf16* out, int stride, int live, uint32_t staging, int barrier) {
    const int t = threadIdx.x % WARPGROUP;
    ptx::sync_named(barrier, WARPGROUP);
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const int r = i * 16 + t / 8;
        if (r < live) *reinterpret_cast<uint4*>(out + static_cast<long long>(r) * stride + t % 8 * 8) = ptx::load16(staging + r * STAGING_ROW + t % 8 * 16);
    }
    ptx::sync_named(barrier, WARPGROUP);
}

// Columns n0 + 64 chunk .. of the epilogue. `d` are this thread's accumulators of them, `at` the stage with gate and up.
__device__ __forceinline__ void activate(const float* d, const Product& p, uint32_t at, uint32_t staging, int own, int live, const float (&weight)[2],
                                         float (&ds)[2], long long row, int column) {
    const int t = threadIdx.x % WARPGROUP, warp = t / 32, lane = t % 32, r = own * 64 + warp * 16 + (lane & 15);
    const uint32_t to = staging + (warp * 16 + (lane & 15)) * STAGING_ROW + lane / 16 * 16;
    uint32_t d_up[16], act[16];
#pragma unroll
    for (int j = 0; j < 8; j += 2) {                          // 16 columns: ldmatrix returns the accumulators' own layout
        const uint32_t from = at + r * ROW_BYTES + (((j + lane / 16) ^ (r & 7)) << 4);
        uint32_t gate[4], up[4], d_gate[4];
        ptx::load_matrices(gate, from);
        ptx::load_matrices(up, from + A_BYTES);
#pragma unroll
        for (int i = 0; i < 4; i++) {                         // odd i: the row 8 further down
            float dg[2], du[2], ac[2];
#pragma unroll
            for (int x = 0; x < 2; x++) {
                const float g = x ? high(gate[i]) : low(gate[i]), u = x ? high(up[i]) : low(up[i]), v = d[j * 4 + i * 2 + x], dh = v * weight[i % 2];
                const float s = __fdividef(1.f, 1.f + __expf(-g)), silu = g * s;
                ac[x] = silu * u;
                ds[i % 2] += ac[x] * v;
                du[x] = dh * silu;
                dg[x] = dh * u * (s + silu - silu * s);
            }
            d_gate[i] = pack(dg[0], dg[1]);
            d_up[j * 2 + i] = pack(du[0], du[1]);
            act[j * 2 + i] = pack(ac[0], ac[1]);
        }
        ptx::store_matrices(to + j * 16, d_gate[0], d_gate[1], d_gate[2], d_gate[3]);
    }
    flush(p.gate_up + row * 2 * p.width + column, 2 * p.width, live, staging, 1 + own);
#pragma unroll
    for (int j = 0; j < 8; j += 2) ptx::store_matrices(to + j * 16, d_up[j * 2], d_up[j * 2 + 1], d_up[j * 2 + 2], d_up[j * 2 + 3]);
    flush(p.gate_up + row * 2 * p.width + p.width + column, 2 * p.width, live, staging, 1 + own);
#pragma unroll
    for (int j = 0; j < 8; j += 2) ptx::store_matrices(to + j * 16, act[j * 2], act[j * 2 + 1], act[j * 2 + 2], act[j * 2 + 3]);
    flush(p.act + row * p.width + column, p.width, live, staging, 1 + own);
}

__device__ __forceinline__ void consume(const Product& p, uint32_t shared, int own, const Schedule& schedule, const Depth& depth) {
    using Mma = wgmma::Product<COLUMNS>;
    const int t = threadIdx.x % WARPGROUP;
    const bool leader = t == 0;
    const uint32_t staging = shared + STAGING_AT + own * 64 * STAGING_ROW;
    Ring<STAGES> ring;
    for (int work = blockIdx.x; work < schedule.total; work += gridDim.x) {
        int column;
        const Tile tile = schedule.at(work, column);
        const int live = min(64, tile.rows - own * 64);       // 0 or less: this warpgroup only passes the stages on
        float acc[COLUMNS / 2];
        int previous = -1;
        for (int block = 0; block < depth.blocks - 1; block++) {
            ptx::wait(shared + FULL + 8 * ring.stage, ring.phase);
            if (live > 0) {
                const uint32_t a = shared + ring.stage * STAGE + own * 64 * ROW_BYTES, w = shared + ring.stage * STAGE + A_BYTES;
                wgmma::fence();
#pragma unroll
                for (int step = 0; step < DEPTH / 16; step++)
                    Mma::add<wgmma::MN_MAJOR>(acc, wgmma::k_major(a + step * 32), weights<wgmma::MN_MAJOR>(w, step), block | step);
                wgmma::commit();
                wgmma::wait<1>();
            }
            if (previous >= 0 && leader) ptx::arrive(shared + EMPTY + 8 * previous);
            previous = ring.stage;
            ring.advance();
        }
        ptx::wait(shared + FULL + 8 * ring.stage, ring.phase);
        if (live > 0) {
            const uint32_t a = shared + ring.stage * STAGE + own * 64 * ROW_BYTES, w = shared + ring.stage * STAGE + A_BYTES;
#pragma unroll 1
            for (int step = 0; step < depth.last_steps; step++) {
                wgmma::fence();
                Mma::add<wgmma::MN_MAJOR>(acc, wgmma::k_major(a + step * 32), weights<wgmma::MN_MAJOR>(w, step), (depth.blocks - 1) | step);
                wgmma::commit();
            }
        }
        wgmma::wait<0>();
        if (leader) {
            if (previous >= 0) ptx::arrive(shared + EMPTY + 8 * previous);
            ptx::arrive(shared + EMPTY + 8 * ring.stage);
        }
        ring.advance();
        const long long row = tile.first + own * 64;
        const int low_row = t / 32 * 16 + t % 32 / 4;
        const float weight[2] = {low_row < live ? p.row_weight[row + low_row] : 0.f, low_row + 8 < live ? p.row_weight[row + low_row + 8] : 0.f};
        float ds[2] = {};
#pragma unroll
        for (int c = 0; c < CHUNKS; c++) {
            ptx::wait(shared + FULL + 8 * ring.stage, ring.phase);
            const int n = column * COLUMNS + c * 64;
            if (live > 0 && n < p.width) activate(acc + c * 32, p, shared + ring.stage * STAGE, staging, own, live, weight, ds, row, n);
            if (live <= 0 || n >= p.width) ptx::sync_named(1 + own, WARPGROUP);
            if (leader) ptx::arrive(shared + EMPTY + 8 * ring.stage);
            ring.advance();
        }
#pragma unroll
        for (int i = 0; i < 2; i++) {
            ds[i] += __shfl_xor_sync(~0u, ds[i], 1);
            ds[i] += __shfl_xor_sync(~0u, ds[i], 2);
            if (t % 4 == 0 && low_row + 8 * i < live) p.ds[column * p.all_rows + row + low_row + 8 * i] = ds[i];
        }
    }
}

}  // namespace down_backward

extern "C" __global__ void __launch_bounds__(grouped::THREADS, 1)
expert_down_backward(const __grid_constant__ CUtensorMap w, const __grid_constant__ CUtensorMap dz, const __grid_constant__ CUtensorMap a,
                     const __grid_constant__ CUtensorMap gate_up, const __grid_constant__ down_backward::Product p) {
    using namespace down_backward;
    extern __shared__ __align__(1024) uint8_t dynamic[];
    const uint32_t shared = ptx::shared_address(dynamic);
    if (threadIdx.x == 0) {
        for (int s = 0; s < STAGES; s++) {
            ptx::init_barrier(shared + FULL + 8 * s, WARPGROUP + 1);
            ptx::init_barrier(shared + EMPTY + 8 * s, 2);
        }
        ptx::publish_barriers();
    }
    __syncthreads();
    const Schedule schedule(p.rows, (p.width + COLUMNS - 1) / COLUMNS);
    const Depth depth(p.hidden, p.rank);
    if (threadIdx.x / WARPGROUP == 0) {
        ptx::give_registers<72>();
        produce(w, dz, a, gate_up, p, shared, schedule, depth);
    } else {
        ptx::take_registers<216>();
        consume(p, shared, threadIdx.x / WARPGROUP - 1, schedule, depth);
    }
}
