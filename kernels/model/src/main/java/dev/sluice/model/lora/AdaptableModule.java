package dev.sluice.model.lora;

import dev.sluice.model.config.AttentionConfig.Grouped;
import dev.sluice.model.config.AttentionConfig.Latent;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.DecoderModule;
import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.config.FeedForwardConfig.StackOrder;
import dev.sluice.model.config.MixerConfig.ShortConvolution;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.lora.LoraSite.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/// A matrix, or a stack of them, that could get an adapter.
///
/// @param name full module name
/// @param experts matrices in the stack, 1 for a linear layer
/// @param alternating files keep the rows of gate and up alternating
public record AdaptableModule(String name, Kind kind, int layer, int experts, int in, int out, boolean alternating) {
    /// Everything in a decoder that can be adapted, in its order.
    public static List<AdaptableModule> all(DecoderConfig config, TensorNames names) {
        var all = new ArrayList<AdaptableModule>();
        for (int layer = 0; layer < config.layers(); layer++) {
            var found = new OfLayer(all, layer, config.hidden(), names);
            switch (config.mixer(layer)) {
                case Grouped grouped -> found.grouped(grouped);
                case Latent latent -> found.latent(latent);
                case ShortConvolution _ -> found.convolution();
            }
            switch (config.feedForward(layer)) {
                case DenseConfig dense -> found.dense(dense);
                case SparseConfig sparse -> found.sparse(sparse);
            }
        }
        all.add(new AdaptableModule(names.head(), Kind.HEAD, -1, 1, config.hidden(), config.vocabulary(), false));
        return all;
    }

    /// The names without their layers, for messages.
    public static String shortNames(DecoderConfig config, TensorNames names) {
        var shortNames = new TreeSet<String>();
        all(config, names).forEach(module -> shortNames.add(module.layer() < 0 ? module.name()
                : module.name().substring(names.inLayer(module.layer(), "").length())));
        return String.join(", ", shortNames);
    }

    /// Collects the modules of one layer.
    private record OfLayer(List<AdaptableModule> all, int layer, int hidden, TensorNames names) {
        void grouped(Grouped attention) {
            linear(DecoderModule.QUERY, Kind.QUERY, hidden, attention.queryWidth());
            linear(DecoderModule.KEY, Kind.KEY, hidden, attention.kvWidth());
            linear(DecoderModule.VALUE, Kind.VALUE, hidden, attention.kvWidth());
            linear(DecoderModule.OUTPUT, Kind.OUTPUT, attention.queryWidth(), hidden);
        }

        void latent(Latent attention) {
            int heads = attention.heads();
            int rank = attention.queryRank();
            if (rank > 0) {
                linear(DecoderModule.QUERY_DOWN, Kind.QUERY_DOWN, hidden, rank);
                linear(DecoderModule.QUERY_UP, Kind.QUERY_UP, rank, heads * attention.headDim());
            } else {
                linear(DecoderModule.QUERY, Kind.QUERY, hidden, heads * attention.headDim());
            }
            linear(DecoderModule.KEY_VALUE_DOWN, Kind.KEY_VALUE_DOWN, hidden, attention.kvRank() + attention.rope().rotated());
            linear(DecoderModule.KEY_VALUE_UP, Kind.KEY_VALUE_UP, attention.kvRank(),
                    heads * (attention.plainDim() + attention.valueDim()));
            linear(DecoderModule.OUTPUT, Kind.OUTPUT, heads * attention.valueDim(), hidden);
        }

        void convolution() {
            linear(DecoderModule.CONVOLUTION_INPUT, Kind.CONVOLUTION_INPUT, hidden, 3 * hidden);
            linear(DecoderModule.CONVOLUTION_OUTPUT, Kind.CONVOLUTION_OUTPUT, hidden, hidden);
        }

        void dense(DenseConfig dense) {
            linear(DecoderModule.GATE, Kind.GATE, hidden, dense.width());
            linear(DecoderModule.UP, Kind.UP, hidden, dense.width());
            linear(DecoderModule.DOWN, Kind.DOWN, dense.width(), hidden);
        }

        void sparse(SparseConfig sparse) {
            boolean alternating = sparse.stack().order() == StackOrder.INTERLEAVED_TRANSPOSED;
            all.add(new AdaptableModule(names.inLayer(layer, DecoderModule.FUSED_GATE_UP), Kind.EXPERTS_GATE_UP, layer,
                    sparse.experts(), hidden, 2 * sparse.width(), alternating));
            all.add(new AdaptableModule(names.inLayer(layer, DecoderModule.FUSED_DOWN), Kind.EXPERTS_DOWN, layer,
                    sparse.experts(), sparse.width(), hidden, false));
            if (sparse.shared() != null) {
                linear(DecoderModule.SHARED_GATE, Kind.SHARED_GATE, hidden, sparse.shared().width());
                linear(DecoderModule.SHARED_UP, Kind.SHARED_UP, hidden, sparse.shared().width());
                linear(DecoderModule.SHARED_DOWN, Kind.SHARED_DOWN, sparse.shared().width(), hidden);
            }
        }

        private void linear(DecoderModule module, Kind kind, int in, int out) {
            all.add(new AdaptableModule(names.inLayer(layer, module), kind, layer, 1, in, out, false));
        }
    }
}
