package dev.sluice.compute.cpu;

/// How a [rows, columns] result is cut into tasks: by its shape alone, so that the cut is the same on every machine.
record Tiles(int rows, int columns, int height, int width) {
    /// High enough that packing a weight for a tile costs little beside multiplying with it.
    private static final int HEIGHT = 128;
    /// With many rows only very wide results are cut; with few, columns are all there is to share out.
    private static final int WIDTH_OF_MANY_ROWS = 1024;
    private static final int LEAST_WIDTH_OF_FEW_ROWS = 128;
    private static final int MOST_WIDTH_OF_FEW_ROWS = 512;
    private static final int TASKS_OF_FEW_ROWS = 8;

    static Tiles of(int rows, int columns) {
        return new Tiles(rows, columns, HEIGHT, rows > 2 * HEIGHT ? WIDTH_OF_MANY_ROWS
                : Math.clamp(columns / TASKS_OF_FEW_ROWS, LEAST_WIDTH_OF_FEW_ROWS, MOST_WIDTH_OF_FEW_ROWS));
    }

    /// What to do with one tile.
    @FunctionalInterface
    interface Body {
        void run(int row, int rowCount, int column, int columnCount);
    }

    void run(Workers workers, Body body) {
        int across = Math.ceilDiv(columns, width);
        workers.run(Math.ceilDiv(rows, height) * across, (task, _) -> {
            int row = task / across * height;
            int column = task % across * width;
            body.run(row, Math.min(height, rows - row), column, Math.min(width, columns - column));
        });
    }
}
