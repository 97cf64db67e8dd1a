/* What the attention kernels share. */
#pragma once
#include "../common/numbers.cuh"
#include "../common/tiles.h"
#include "ptx.cuh"
#include "wgmma.cuh"

namespace flash {

constexpr int WARPGROUP = 128, THREADS = 3 * WARPGROUP;       // one producer and two consumer warpgroups
constexpr float LOG2_E = 1.4426950408889634f;
constexpr uint32_t ROW_BYTES = 128;                           // a slab of a tile: rows of 64 columns

}  // namespace flash
