package dev.sluice.ingest.record;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import dev.sluice.contracts.dataset.RecordHeaders;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JudgeTest {

    private static final String GOOD = "\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\"}]";

    private final Judge judge = new Judge(1 << 20);

    @Test
    void theFieldNamesTheDatasetAndTheKeyNamesTheRecord() {
        var accepted = assertInstanceOf(Fate.Accepted.class, judge.judge(record("k", "{\"dataset_id\":\"support\"," + GOOD + "}")));
        assertEquals("support", accepted.datasetId());
        assertEquals("k", accepted.recordId());
    }

    @Test
    void theHeaderWinsOverTheField() {
        var record = record("k", "{\"dataset_id\":\"support\"," + GOOD + "}");
        record.headers().add(RecordHeaders.DATASET, "sales".getBytes(UTF_8));
        assertEquals("sales", judge.judge(record).datasetId());
    }

    @Test
    void aRecordWithoutKeyIsNamedByItsIdElseByItsContent() {
        var byId = assertInstanceOf(Fate.Accepted.class, judge.judge(record(null, "{\"dataset_id\":\"d\",\"id\":7," + GOOD + "}")));
        assertEquals("7", byId.recordId());
        String text = "{\"dataset_id\":\"d\"," + GOOD + "}";
        var first = assertInstanceOf(Fate.Accepted.class, judge.judge(record(null, text)));
        assertEquals(first.recordId(), assertInstanceOf(Fate.Accepted.class, judge.judge(record(null, text))).recordId());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "{                                                | NOT_JSON",
        "[]                                               | WRONG_TYPE",
        "{\"dataset_id\":\"d\"}                           | UNKNOWN_FORMAT",
        "{\"text\":\"hello\"}                             | NO_DATASET",
        "{\"dataset_id\":\"../etc\",\"text\":\"hello\"}   | INVALID_DATASET_ID",
        "{\"dataset_id\":\"d\",\"text\":NaN}              | NOT_JSON",
    })
    void badRecordsAreRefusedWithACode(String json, String code) {
        assertEquals(code, refused(json.getBytes(UTF_8)).code());
    }

    @Test
    void hostileBytesAreRefusedQuickly() {
        assertEquals("TOO_DEEP", refused("[".repeat(100_000).getBytes(UTF_8)).code());
        assertEquals("TOO_DEEP", refused("{\"a\":".repeat(100_000).getBytes(UTF_8)).code());
        assertEquals("TOO_LARGE", refused(("{\"dataset_id\":\"d\",\"text\":\"" + "x".repeat(1 << 20) + "\"}").getBytes(UTF_8)).code());
        assertEquals("NOT_UTF8", refused(new byte[] {'{', '"', (byte) 0xff, '"', '}'}).code());
        assertEquals("NO_VALUE", refused(null).code());
    }

    @Test
    void aRefusedRecordGoesToTheAccountOfTheDatasetItNames() {
        assertEquals("d", refused("{\"dataset_id\":\"d\"}".getBytes(UTF_8)).datasetId());
        assertEquals("-", refused("{}".getBytes(UTF_8)).datasetId());
    }

    private Fate.Refused refused(byte[] value) {
        return assertInstanceOf(Fate.Refused.class, judge.judge(new ConsumerRecord<>("records", 0, 0, null, value)));
    }

    private static ConsumerRecord<byte[], byte[]> record(String key, String value) {
        return new ConsumerRecord<>("records", 0, 0, key == null ? null : key.getBytes(UTF_8), value.getBytes(UTF_8));
    }
}
