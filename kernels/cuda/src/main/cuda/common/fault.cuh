/* How a kernel reports an index outside its table: it writes one record into host memory that the host looks at whenever it waits.
 * Several faults of one launch overwrite each other; any of them explains the failure. */
#pragma once

// The values are those of Java's Fault.Kind.
enum FaultKind : int { FAULT_TOKEN_ID = 1, FAULT_POSITION = 2, FAULT_LABEL = 3, FAULT_ROUTING = 4, FAULT_PICK = 5 };

// fault: {kind, token, value found, values allowed: 0 .. limit-1}
__device__ __forceinline__ void report(int4* fault, FaultKind kind, long long token, int found, int limit) {
    *fault = make_int4(kind, static_cast<int>(token), found, limit);
}
