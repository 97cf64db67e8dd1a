package dev.sluice.model.lora;

import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.lora.LoraSite.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/// A matrix, or a stack of them, that could get an adapter.
///
/// @param name full module name
/// @param experts matrices in the stack, 1 for a linear layer
public record AdaptableModule(String name, Kind kind, int layer, int experts, int in, int out) {
    /// Everything in a decoder that can be adapted, in its order.
    public static List<AdaptableModule> all(DecoderConfig config, TensorNames names) {
        var all = new ArrayList<AdaptableModule>();
        for (int layer = 0; layer < config.layers(); layer++) {
            attention(all, layer, config, names);
            switch (config.feedForwards().get(layer)) {
                case DenseConfig dense -> dense(all, layer, config.hidden(), dense, names);
                case SparseConfig sparse -> sparse(all, layer, config.hidden(), sparse, names);
            }
        }
        all.add(new AdaptableModule(names.head(), Kind.HEAD, -1, 1, config.hidden(), config.vocabulary()));
        return all;
    }

    /// The names without their layers, for messages.
    public static String shortNames(DecoderConfig config, TensorNames names) {
        var shortNames = new TreeSet<String>();
        all(config, names).forEach(module -> shortNames.add(module.layer() < 0 ? module.name()
                : module.name().substring(names.inLayer(module.layer(), "").length())));
        return String.join(", ", shortNames);
    }

    private static void attention(List<AdaptableModule> all, int layer, DecoderConfig config, TensorNames names) {
        int hidden = config.hidden();
        int query = config.attention().queryWidth();
        int kv = config.attention().kvWidth();
        all.add(linear(names.inLayer(layer, names.query()), Kind.QUERY, layer, hidden, query));
        all.add(linear(names.inLayer(layer, names.key()), Kind.KEY, layer, hidden, kv));
        all.add(linear(names.inLayer(layer, names.value()), Kind.VALUE, layer, hidden, kv));
        all.add(linear(names.inLayer(layer, names.output()), Kind.OUTPUT, layer, query, hidden));
    }

    private static void dense(List<AdaptableModule> all, int layer, int hidden, DenseConfig dense, TensorNames names) {
        all.add(linear(names.inLayer(layer, names.gate()), Kind.GATE, layer, hidden, dense.width()));
        all.add(linear(names.inLayer(layer, names.up()), Kind.UP, layer, hidden, dense.width()));
        all.add(linear(names.inLayer(layer, names.down()), Kind.DOWN, layer, dense.width(), hidden));
    }

    private static void sparse(List<AdaptableModule> all, int layer, int hidden, SparseConfig sparse, TensorNames names) {
        all.add(new AdaptableModule(names.inLayer(layer, names.fusedGateUp()), Kind.EXPERTS_GATE_UP, layer,
                sparse.experts(), hidden, 2 * sparse.width()));
        all.add(new AdaptableModule(names.inLayer(layer, names.fusedDown()), Kind.EXPERTS_DOWN, layer,
                sparse.experts(), sparse.width(), hidden));
    }

    private static AdaptableModule linear(String name, Kind kind, int layer, int in, int out) {
        return new AdaptableModule(name, kind, layer, 1, in, out);
    }
}
