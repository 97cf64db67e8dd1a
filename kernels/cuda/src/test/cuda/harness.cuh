/* What the stand-alone programs that check and time the Hopper kernels share: guarded buffers, random numbers, tensor maps, errors, timing. */
#pragma once
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <cudaTypedefs.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#define CUDA_CHECK(call)                                                                                                    \
    do {                                                                                                                    \
        const cudaError_t error = (call);                                                                                   \
        if (error != cudaSuccess) {                                                                                         \
            std::printf("%s:%d: %s: %s\n", __FILE__, __LINE__, #call, cudaGetErrorString(error));                           \
            std::exit(2);                                                                                                   \
        }                                                                                                                   \
    } while (0)

using number = __nv_bfloat16;

// ---- device buffers between two guard bands ----

constexpr size_t GUARD = 1024;
constexpr uint8_t GUARD_BYTE = 0xA5;

template <typename T>
struct Buffer {
    size_t count;
    uint8_t* raw = nullptr;

    explicit Buffer(size_t n) : count(n) {
        CUDA_CHECK(cudaMalloc(&raw, bytes() + 2 * GUARD));
        CUDA_CHECK(cudaMemset(raw, GUARD_BYTE, bytes() + 2 * GUARD));
        poison();
    }
    Buffer(const Buffer&) = delete;
    ~Buffer() { cudaFree(raw); }
    size_t bytes() const { return (count * sizeof(T) + 255) / 256 * 256; }
    T* get() const { return reinterpret_cast<T*>(raw + GUARD); }
    void poison() { CUDA_CHECK(cudaMemset(get(), 0xFF, count * sizeof(T))); }       // NaN in every format used here
    void zero() { CUDA_CHECK(cudaMemset(get(), 0, count * sizeof(T))); }
    void put(const std::vector<T>& v) { CUDA_CHECK(cudaMemcpy(get(), v.data(), v.size() * sizeof(T), cudaMemcpyHostToDevice)); }
    void copy(const Buffer& from) { CUDA_CHECK(cudaMemcpy(get(), from.get(), count * sizeof(T), cudaMemcpyDeviceToDevice)); }
    std::vector<T> host() const {
        std::vector<T> v(count);
        CUDA_CHECK(cudaMemcpy(v.data(), get(), count * sizeof(T), cudaMemcpyDeviceToHost));
        return v;
    }
    bool guards_intact() const {
        std::vector<uint8_t> band(GUARD);
        for (const uint8_t* at : {raw, raw + GUARD + bytes()}) {
            CUDA_CHECK(cudaMemcpy(band.data(), at, GUARD, cudaMemcpyDeviceToHost));
            for (uint8_t b : band) if (b != GUARD_BYTE) return false;
        }
        return true;
    }
};

__global__ void fill_kernel(number* p, size_t n, float scale, uint64_t seed) {
    for (size_t i = blockIdx.x * static_cast<size_t>(blockDim.x) + threadIdx.x; i < n; i += static_cast<size_t>(gridDim.x) * blockDim.x) {
        uint64_t h = (i + seed * 0x100000001ull) * 0x9E3779B97F4A7C15ull;
        h = (h ^ h >> 29) * 0xBF58476D1CE4E5B9ull;
        h = (h ^ h >> 32) * 0x94D049BB133111EBull;
        const float u = (h >> 40) / 16777216.f, v = (h >> 16 & 0xffffff) / 16777216.f;
        p[i] = __float2bfloat16(scale * sqrtf(-2.f * logf(u + 1e-7f)) * cospif(2.f * v));
    }
}

inline void fill(Buffer<number>& b, float scale) {            // normal with standard deviation `scale`, new on every call
    static uint64_t seed = 1;
    fill_kernel<<<1024, 256>>>(b.get(), b.count, scale, ++seed);
    CUDA_CHECK(cudaGetLastError());
}

__global__ void difference_kernel(const uint32_t* a, const uint32_t* b, size_t words, unsigned long long* count) {
    for (size_t i = blockIdx.x * static_cast<size_t>(blockDim.x) + threadIdx.x; i < words; i += static_cast<size_t>(gridDim.x) * blockDim.x)
        if (a[i] != b[i]) atomicAdd(count, 1ull);
}

template <typename T>
unsigned long long words_differing(const Buffer<T>& a, const Buffer<T>& b) {
    static Buffer<unsigned long long> count(1);
    count.zero();
    difference_kernel<<<512, 256>>>(reinterpret_cast<const uint32_t*>(a.get()), reinterpret_cast<const uint32_t*>(b.get()), a.count * sizeof(T) / 4, count.get());
    CUDA_CHECK(cudaGetLastError());
    return count.host()[0];
}

// ---- tensor maps: dims from the fastest, strides in bytes of dims 1.. ----

inline CUtensorMap tensor_map(const void* p, std::vector<cuuint64_t> dims, std::vector<cuuint64_t> strides, std::vector<cuuint32_t> box) {
    static PFN_cuTensorMapEncodeTiled_v12000 encode = [] {
        void* f = nullptr;
        cudaDriverEntryPointQueryResult found;
        CUDA_CHECK(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &f, 12000, cudaEnableDefault, &found));
        return reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(f);
    }();
    CUtensorMap map;
    const std::vector<cuuint32_t> ones(dims.size(), 1);
    const CUresult r = encode(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, static_cast<cuuint32_t>(dims.size()), const_cast<void*>(p), dims.data(), strides.data(),
                              box.data(), ones.data(), CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                              CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (r != CUDA_SUCCESS) {
        std::printf("cuTensorMapEncodeTiled: error %d, %zu dims\n", r, dims.size());
        std::exit(2);
    }
    return map;
}

// ---- errors ----

inline int failures = 0;

struct Error {
    double difference = 0, reference = 0;
    size_t not_finite = 0, count = 0;
    void add(double got, double want) {
        if (!(std::fabs(got) < 1e30)) not_finite++;
        else difference += (got - want) * (got - want);
        reference += want * want;
        count++;
    }
    // Where the exact result is zero (the gradient of a softmax over one key), the difference beside numbers of size 1.
    double relative() const { return std::sqrt(difference / std::max(reference, 1e-12 * count < reference ? reference : 1. * count)); }
};

inline double value(number x) { return __bfloat162float(x); }
inline double value(float x) { return x; }

template <typename T>
double expect_close(const std::string& what, const Buffer<T>& got, const Buffer<float>& want, double limit, bool quiet = false) {
    const std::vector<T> g = got.host();
    const std::vector<float> w = want.host();
    Error e;
    for (size_t i = 0; i < w.size(); i++) e.add(value(g[i]), w[i]);
    const bool ok = e.not_finite == 0 && e.relative() < limit && got.guards_intact();
    if (!ok) failures++;
    if (!ok || !quiet)
        std::printf("%s %-58s error %.2e (limit %.0e)%s%s\n", ok ? "ok  " : "FAIL", what.c_str(), e.relative(), limit,
                    e.not_finite ? (" not finite: " + std::to_string(e.not_finite)).c_str() : "", got.guards_intact() ? "" : " GUARD OVERWRITTEN");
    return e.relative();
}

inline void expect(const std::string& what, bool ok) {
    if (ok) return;
    failures++;
    std::printf("FAIL %s\n", what.c_str());
}

inline void finish(const std::string& what) {                 // after a launch: say which one failed
    cudaError_t error = cudaGetLastError();
    if (error == cudaSuccess) error = cudaDeviceSynchronize();
    if (error == cudaSuccess) return;
    std::printf("FAIL %s: %s\n", what.c_str(), cudaGetErrorString(error));
    std::exit(2);
}

// ---- timing: median milliseconds of launches that each find a cold L2 ----

inline double median_ms(const std::function<void()>& launch, int repeats = 15) {
    static Buffer<uint8_t> flush(256 << 20);
    cudaEvent_t start, stop;
    CUDA_CHECK(cudaEventCreate(&start));
    CUDA_CHECK(cudaEventCreate(&stop));
    std::vector<float> times;
    for (int i = 0; i < repeats + 2; i++) {
        flush.zero();
        CUDA_CHECK(cudaEventRecord(start));
        launch();
        CUDA_CHECK(cudaEventRecord(stop));
        CUDA_CHECK(cudaEventSynchronize(stop));
        float ms;
        CUDA_CHECK(cudaEventElapsedTime(&ms, start, stop));
        if (i >= 2) times.push_back(ms);
    }
    finish("timed launch");
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

inline int multiprocessors() {
    int count;
    CUDA_CHECK(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, 0));
    return count;
}

template <typename K>
K* with_shared(K* kernel, uint32_t bytes) {
    CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)));
    return kernel;
}
