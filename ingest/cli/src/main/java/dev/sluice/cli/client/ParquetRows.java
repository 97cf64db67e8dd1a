package dev.sluice.cli.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.hardwood.InputFile;
import dev.hardwood.reader.ParquetFileReader;
import dev.hardwood.reader.RowReader;
import dev.hardwood.row.PqList;
import dev.hardwood.row.PqMap;
import dev.hardwood.row.PqStruct;
import dev.hardwood.row.StructAccessor;
import dev.sluice.contracts.wire.Json;
import java.io.IOException;
import java.nio.file.Path;

/// Rows of a Parquet file as JSON objects, nested lists and structs included; a null column is left out.
final class ParquetRows implements RecordSource {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private final ParquetFileReader file;
    private final RowReader rows;

    ParquetRows(Path path) throws IOException {
        try {
            file = ParquetFileReader.open(InputFile.of(path));
        } catch (RuntimeException damaged) {
            throw new IOException("not a Parquet file that can be read: " + damaged.getMessage(), damaged);
        }
        rows = file.rowReader();
    }

    @Override
    public byte[] next() throws IOException {
        try {
            if (!rows.hasNext()) {
                return null;
            }
            rows.next();
            return Json.write(object(rows));
        } catch (IllegalStateException | IllegalArgumentException damaged) {
            throw new IOException("damaged Parquet file: " + damaged.getMessage(), damaged);
        }
    }

    private static ObjectNode object(StructAccessor struct) {
        var object = NODES.objectNode();
        for (int i = 0; i < struct.getFieldCount(); i++) {
            if (!struct.isNull(i)) {
                object.set(struct.getFieldName(i), node(struct.getValue(i)));
            }
        }
        return object;
    }

    private static JsonNode node(Object value) {
        return switch (value) {
            case null -> NODES.nullNode();
            case PqStruct struct -> object(struct);
            case PqList list -> array(list);
            case PqMap map -> map(map);
            case String text -> NODES.textNode(text);
            case Boolean flag -> NODES.booleanNode(flag);
            case Integer number -> NODES.numberNode(number);
            case Long number -> NODES.numberNode(number);
            case Float number -> NODES.numberNode(number);
            case Double number -> NODES.numberNode(number);
            case byte[] bytes -> NODES.binaryNode(bytes);
            default -> NODES.textNode(value.toString());
        };
    }

    private static ArrayNode array(PqList list) {
        var array = NODES.arrayNode(list.size());
        list.values().forEach(element -> array.add(node(element)));
        return array;
    }

    private static ObjectNode map(PqMap map) {
        var object = NODES.objectNode();
        map.getEntries().forEach(entry -> object.set(String.valueOf(entry.getKey()), node(entry.getValue())));
        return object;
    }

    @Override
    public void close() throws IOException {
        rows.close();
        file.close();
    }
}
