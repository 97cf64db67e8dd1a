/* The warpgroup matrix product of compute capability 9.0a: D[64, N] (+)= A[64, 16] B[16, N], bf16 in, float32 sums in registers.
 *
 * Accumulators: thread t of a warpgroup holds, in D[4 j + i], row 16 (t / 32) + (t % 32) / 4 + 8 (i / 2) and column 8 j + 2 (t % 4) + i % 2.
 * A from registers has the layout of 16 columns of such an accumulator, packed in pairs.
 * Operands in shared memory are tiles of 128-byte rows, 16-byte chunk c of row r at chunk c ^ (r % 8), 1024-byte aligned:
 *   K-major   a row is one m (or n) and 64 successive k; further along k is another tile;           the next 16 k are  32 bytes on
 *   MN-major  a row is one k and 64 successive n (or m); the next 64 n are `slab` bytes on;          the next 16 k are 2048 bytes on
 * Source  PTX ISA 9.0, sections 9.7.15.5 (matrix descriptor) and 9.7.15.6 (wgmma.mma_async) */
#pragma once
#include <cstdint>

namespace wgmma {

constexpr uint64_t SWIZZLE_128 = 1ull << 62, ROWS_OF_8 = 64ull << 32;   // 1024 bytes between groups of 8 rows, in units of 16

__device__ __forceinline__ uint64_t k_major(uint32_t address) {
    return (SWIZZLE_128 | ROWS_OF_8 | 1ull << 16) | ((address & 0x3FFFF) >> 4);
}

template <uint32_t SLAB>
__device__ __forceinline__ uint64_t mn_major(uint32_t address) {
    return (SWIZZLE_128 | ROWS_OF_8 | static_cast<uint64_t>(SLAB >> 4) << 16) | ((address & 0x3FFFF) >> 4);
}

// Before the first product that reads registers or shared memory written by this thread.
__device__ __forceinline__ void fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
// Waits until at most PENDING committed groups are unfinished.
template <int PENDING>
__device__ __forceinline__ void wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(PENDING) : "memory"); }

enum Major : int { K_MAJOR = 0, MN_MAJOR = 1 };

// Lists of 8 registers, %0..%7 and on, each list with those before it, and the constraints that go with them.
#define R8 "%0,%1,%2,%3,%4,%5,%6,%7"
#define R16 R8 "," "%8,%9,%10,%11,%12,%13,%14,%15"
#define R24 R16 "," "%16,%17,%18,%19,%20,%21,%22,%23"
#define R32 R24 "," "%24,%25,%26,%27,%28,%29,%30,%31"
#define R40 R32 "," "%32,%33,%34,%35,%36,%37,%38,%39"
#define R48 R40 "," "%40,%41,%42,%43,%44,%45,%46,%47"
#define R56 R48 "," "%48,%49,%50,%51,%52,%53,%54,%55"
#define R64 R56 "," "%56,%57,%58,%59,%60,%61,%62,%63"
#define R72 R64 "," "%64,%65,%66,%67,%68,%69,%70,%71"
#define R80 R72 "," "%72,%73,%74,%75,%76,%77,%78,%79"
#define R88 R80 "," "%80,%81,%82,%83,%84,%85,%86,%87"
#define R96 R88 "," "%88,%89,%90,%91,%92,%93,%94,%95"
#define R104 R96 "," "%96,%97,%98,%99,%100,%101,%102,%103"
#define R112 R104 "," "%104,%105,%106,%107,%108,%109,%110,%111"
#define R120 R112 "," "%112,%113,%114,%115,%116,%117,%118,%119"
#define R128 R120 "," "%120,%121,%122,%123,%124,%125,%126,%127"
#define D8(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])
#define D16(i) D8(i), D8(i + 8)
#define D32(i) D16(i), D16(i + 16)

template <int N> struct Product;                              // N columns: N / 2 accumulators a thread

// N0 .. N6: the numbers of the operands that follow the N / 2 accumulators.
#define PRODUCT(N, LIST, CONSTRAINTS, N0, N1, N2, N3, N4, N5, N6)                                                                             \
    template <> struct Product<N> {                                                                                                          \
        template <Major B, Major A = K_MAJOR>                                                                                                 \
        __device__ __forceinline__ static void add(float (&d)[N / 2], uint64_t a, uint64_t b, int accumulate) {                               \
            asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #N2 ", 0;\n"                                                                    \
                         "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32.bf16.bf16 {" LIST "}, %" #N0 ", %" #N1 ", p, 1, 1, %" #N3 ", %" #N4    \
                         ";\n}\n" : CONSTRAINTS : "l"(a), "l"(b), "r"(accumulate), "n"(int(A)), "n"(int(B)));                                           \
        }                                                                                                                                     \
        template <Major B>                                                                                                                    \
        __device__ __forceinline__ static void add(float (&d)[N / 2], const uint32_t* a, uint64_t b, int accumulate) {                        \
            asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #N5 ", 0;\n"                                                                    \
                         "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32.bf16.bf16 {" LIST "}, {%" #N0 ",%" #N1 ",%" #N2 ",%" #N3 "}, %" #N4    \
                         ", p, 1, 1, %" #N6 ";\n}\n" : CONSTRAINTS : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate), "n"(int(B))); \
        }                                                                                                                                     \
    };

#define COMMA ,
PRODUCT(16, R8, D8(0), 8, 9, 10, 11, 12, 13, 14)
PRODUCT(32, R16, D16(0), 16, 17, 18, 19, 20, 21, 22)
PRODUCT(48, R24, D16(0) COMMA D8(16), 24, 25, 26, 27, 28, 29, 30)
PRODUCT(64, R32, D32(0), 32, 33, 34, 35, 36, 37, 38)
PRODUCT(80, R40, D32(0) COMMA D8(32), 40, 41, 42, 43, 44, 45, 46)
PRODUCT(96, R48, D32(0) COMMA D16(32), 48, 49, 50, 51, 52, 53, 54)
PRODUCT(112, R56, D32(0) COMMA D16(32) COMMA D8(48), 56, 57, 58, 59, 60, 61, 62)
PRODUCT(128, R64, D32(0) COMMA D32(32), 64, 65, 66, 67, 68, 69, 70)
PRODUCT(144, R72, D32(0) COMMA D32(32) COMMA D8(64), 72, 73, 74, 75, 76, 77, 78)
PRODUCT(160, R80, D32(0) COMMA D32(32) COMMA D16(64), 80, 81, 82, 83, 84, 85, 86)
PRODUCT(176, R88, D32(0) COMMA D32(32) COMMA D16(64) COMMA D8(80), 88, 89, 90, 91, 92, 93, 94)
PRODUCT(192, R96, D32(0) COMMA D32(32) COMMA D32(64), 96, 97, 98, 99, 100, 101, 102)
PRODUCT(256, R128, D32(0) COMMA D32(32) COMMA D32(64) COMMA D32(96), 128, 129, 130, 131, 132, 133, 134)
#undef PRODUCT
#undef COMMA
#undef D32
#undef D16
#undef D8
#undef R128
#undef R120
#undef R112
#undef R104
#undef R96
#undef R88
#undef R80
#undef R72
#undef R64
#undef R56
#undef R48
#undef R40
#undef R32
#undef R24
#undef R16
#undef R8

}  // namespace wgmma
