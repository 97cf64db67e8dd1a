package dev.sluice.model.config;

/// Attention, the usual first half of a layer.
public sealed interface AttentionConfig extends MixerConfig {
    /// Query heads.
    int heads();

    /// Width of a query and key head.
    int headDim();

    /// Width of a value head.
    int valueDim();

    /// Key and value heads; each serves heads / kvHeads query heads.
    int kvHeads();

    /// Factor of the scores.
    float scale();

    /// Keys a query sees, itself included; 0 for all.
    int window();

    /// Every head has a learned logit that joins the softmax without a value.
    boolean sinks();

    RopeConfig rope();

    /// What is RMS-normalised between the projections and the rotation.
    enum QkNorm {
        NONE,
        /// Every query and key head by itself.
        HEADS,
        /// All query heads of a token together, and all key heads.
        WHOLE
    }

    /// Grouped-query attention. Source: Ainslie et al. 2023.
    ///
    /// @param bias the query, key and value projections have biases
    /// @param outputBias the output projection has one
    /// @param clip queries, keys and values are held within -clip to clip before the rotation; 0 where they are not
    record Grouped(int heads, int kvHeads, int headDim, boolean bias, boolean outputBias, QkNorm qkNorm, float clip, float scale,
            int window, boolean sinks, RopeConfig rope) implements AttentionConfig {
        public Grouped {
            if (clip > 0 && qkNorm == QkNorm.NONE) {
                throw new IllegalArgumentException("attention: clipping to " + clip + " needs normalised queries and keys");
            }
        }

        @Override
        public int valueDim() {
            return headDim;
        }

        /// The same attention with that window.
        Grouped withWindow(int keys) {
            return new Grouped(heads, kvHeads, headDim, bias, outputBias, qkNorm, clip, scale, keys, sinks, rope);
        }

        /// The same attention, clipped.
        Grouped withClip(float limit) {
            return new Grouped(heads, kvHeads, headDim, bias, outputBias, qkNorm, limit, scale, window, sinks, rope);
        }

        /// Output width of the query projection.
        public int queryWidth() {
            return heads * headDim;
        }

        /// Output width of the key projection, and of the value projection.
        public int kvWidth() {
            return kvHeads * headDim;
        }
    }

    /// Multi-head latent attention: keys and values are projected up from one narrow latent, and all heads share one
    /// rotated key. Source: DeepSeek-AI 2024, DeepSeek-V2, section 2.1.
    ///
    /// @param queryRank width of the queries' latent; 0 where queries are projected at once
    /// @param kvRank width of the keys' and values' latent
    /// @param plainDim part of a head that is not rotated; it comes first
    /// @param bias the projections to the latents and the output projection have biases
    /// @param longest most tokens of a document, 0 for any: DeepSeek-V3.2 lets an indexer choose so many keys per query, which
    ///     are all there are in documents up to that length
    record Latent(int heads, int queryRank, int kvRank, int plainDim, int valueDim, boolean bias, float scale, int longest,
            RopeConfig rope) implements AttentionConfig {
        /// What the latents' norms add to the mean square, whatever `rms_norm_eps` says.
        public static final double NORM_EPSILON = 1e-6;

        /// The same attention, right for documents up to that length only.
        Latent withLongest(int tokens) {
            return new Latent(heads, queryRank, kvRank, plainDim, valueDim, bias, scale, tokens, rope);
        }

        @Override
        public int headDim() {
            return plainDim + rope.rotated();
        }

        @Override
        public int kvHeads() {
            return heads;
        }

        @Override
        public int window() {
            return 0;
        }

        @Override
        public boolean sinks() {
            return false;
        }
    }
}
