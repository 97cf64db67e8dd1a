package dev.sluice.cuda;

/// The CUDA driver refused a call, or an earlier kernel failed and this call found out.
public final class CudaException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /// @param what the call and its arguments
    /// @param error the driver's name of the error, such as `CUDA_ERROR_ILLEGAL_ADDRESS`
    CudaException(String what, String error) {
        super(what + ": " + error);
    }
}
