package dev.sluice.ingest.record;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import dev.sluice.contracts.wire.Sha256;
import java.io.IOException;

/// The two fields of a record that are ingest's own: which dataset it belongs to, and what it is called.
///
/// @param datasetId field `dataset_id`, or null
/// @param recordId field `record_id`, else `id` (text or whole number), or null
public record Envelope(String datasetId, String recordId) {

    private static final int ID_CHARACTERS = 32;
    private static final Envelope EMPTY = new Envelope(null, null);
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(64).build()).build();

    /// Reads the top level only. JSON that cannot be read has no fields; the text half says what is wrong with it.
    public static Envelope read(byte[] record) {
        try (JsonParser parser = FACTORY.createParser(record)) {
            return parser.nextToken() == JsonToken.START_OBJECT ? fields(parser) : EMPTY;
        } catch (IOException _) {
            return EMPTY;
        }
    }

    /// The id of a record that has no other: from its content, so that sending it again gives the same.
    public static String idOf(byte[] record) {
        return Sha256.of(record).substring(0, ID_CHARACTERS);
    }

    private static Envelope fields(JsonParser parser) throws IOException {
        String dataset = null;
        String recordId = null;
        String id = null;
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            String text = value == JsonToken.VALUE_STRING || value == JsonToken.VALUE_NUMBER_INT ? parser.getText() : null;
            switch (name) {
                case "dataset_id" -> dataset = text;
                case "record_id" -> recordId = text;
                case "id" -> id = text;
                case String _ -> parser.skipChildren();
            }
        }
        return new Envelope(dataset, recordId != null ? recordId : id);
    }
}
