package dev.sluice.compute.probe;

/// What a router makes of its picks, made on the host; see [dev.sluice.compute.op.Routing].
record RowTables(int[] offsets, int[] rowToken, int[] rowOfPick) {
    /// @param picks `topK` distinct experts of each token
    static RowTables of(int[] picks, int topK, int experts) {
        int[] offsets = new int[experts + 1];
        for (int pick : picks) {
            offsets[pick + 1]++;
        }
        for (int e = 0; e < experts; e++) {
            offsets[e + 1] += offsets[e];
        }
        int[] next = offsets.clone();
        int[] rowToken = new int[picks.length];
        int[] rowOfPick = new int[picks.length];
        for (int i = 0; i < picks.length; i++) {
            rowOfPick[i] = next[picks[i]]++;
            rowToken[rowOfPick[i]] = i / topK;
        }
        return new RowTables(offsets, rowToken, rowOfPick);
    }
}
