package dev.sluice.ingest.record;

import java.util.Locale;

/// Where on its way a record was refused.
enum Stage {
    DESERIALIZE,
    VALIDATE,
    PROCESS;

    String header() {
        return name().toLowerCase(Locale.ROOT);
    }
}
