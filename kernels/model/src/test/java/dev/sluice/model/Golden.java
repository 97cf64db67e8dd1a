package dev.sluice.model;

import dev.sluice.compute.Backend;
import dev.sluice.compute.Backends;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The golden cases by name, and rows to train on.
public final class Golden {
    public static final String DENSE_LAYERS = "float32-dense-layers";
    public static final String ELEVEN_EXPERTS = "bfloat16-eleven-experts";
    public static final String FP8 = "fp8-ragged-blocks";

    private Golden() {}

    public static Path folder(String name) {
        return Path.of("src/test/resources/golden", name);
    }

    public static OracleCase read(String name) {
        return OracleCase.read(folder(name));
    }

    public static Backend cpu() {
        return Backends.installed().choose("cpu").backend();
    }

    /// The first rows of a case behind one another until there are that many tokens.
    public static TokenRow tokens(OracleCase golden, int tokens) {
        var rows = new ArrayList<TokenRow>();
        int count = 0;
        for (int i = 0; count < tokens; i++) {
            TokenRow row = golden.train().get(i % golden.train().size());
            rows.add(row);
            count += row.tokens();
        }
        return TokenRow.concatenate(List.copyOf(rows));
    }
}
