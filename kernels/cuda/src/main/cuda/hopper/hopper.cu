/* The hopper backend's own kernels in one translation unit; it takes everything else from the portable image. sm_90a only. */
#include "expert_gemm.cu"
#include "gemm.cu"
#include "pingpong.cu"
#include "flash_forward.cu"
#include "flash_backward.cu"
#include "flash_backward_wide.cu"
#include "flash_gradient.cu"
