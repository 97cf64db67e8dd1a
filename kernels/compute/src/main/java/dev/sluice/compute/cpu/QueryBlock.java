package dev.sluice.compute.cpu;

import dev.sluice.compute.Segments;
import java.util.ArrayList;

/// Up to [ScoreTile#QUERIES] neighbouring queries of one document.
///
/// @param segment first token of the document
/// @param first first query
/// @param end one past the last query
record QueryBlock(int segment, int first, int end) {
    int count() {
        return end - first;
    }

    /// First key that any of the queries sees.
    int firstKey(int window) {
        return window == 0 ? segment : Math.max(segment, first - window + 1);
    }

    static QueryBlock[] of(Segments segments) {
        var blocks = new ArrayList<QueryBlock>();
        int[] starts = segments.starts();
        for (int s = 0; s < segments.count(); s++) {
            for (int first = starts[s]; first < starts[s + 1]; first += ScoreTile.QUERIES) {
                blocks.add(new QueryBlock(starts[s], first, Math.min(starts[s + 1], first + ScoreTile.QUERIES)));
            }
        }
        return blocks.toArray(QueryBlock[]::new);
    }
}
