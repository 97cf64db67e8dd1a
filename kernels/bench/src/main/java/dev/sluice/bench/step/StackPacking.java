package dev.sluice.bench.step;

import com.fasterxml.jackson.databind.node.ObjectNode;

/// What stacks of experts are packed in that no checkpoint has.
enum StackPacking {
    /// As `config.json` says.
    NONE,
    /// As gpt-oss is released.
    MXFP4;

    ObjectNode into(ObjectNode config) {
        switch (this) {
            case NONE -> { }
            case MXFP4 -> config.putObject("quantization_config").put("quant_method", "mxfp4");
        }
        return config;
    }
}
