package dev.sluice.text.record;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RecordParserTest {

    private final RecordParser parser = new RecordParser();

    private static byte[] bytes(String json) {
        return json.replace('`', '"').getBytes(StandardCharsets.UTF_8);
    }

    private Outcome.Accepted accepted(String json) {
        return assertInstanceOf(Outcome.Accepted.class, parser.parse(bytes(json)), () -> parser.parse(bytes(json)).toString());
    }

    private Outcome.Refused refused(String json) {
        return assertInstanceOf(Outcome.Refused.class, parser.parse(bytes(json)));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '!', value = {
        "{`messages`:[{`content`:`hi`,`role`:`user`},{`role`:`assistant`,`content`:`yo`}],`id`:7}"
                + "! {`messages`:[{`role`:`user`,`content`:`hi`},{`role`:`assistant`,`content`:`yo`}]}",
        "{`conversations`:[{`from`:`human`,`value`:`hi`},{`from`:`gpt`,`value`:`yo`}]}"
                + "! {`messages`:[{`role`:`user`,`content`:`hi`},{`role`:`assistant`,`content`:`yo`}]}",
        "{`system`:`s`,`conversations`:[{`from`:`human`,`value`:`hi`},{`from`:`gpt`,`value`:`yo`}]}"
                + "! {`messages`:[{`role`:`system`,`content`:`s`},{`role`:`user`,`content`:`hi`},{`role`:`assistant`,`content`:`yo`}]}",
        "{`instruction`:`add`,`input`:`1 2`,`output`:`3`}"
                + "! {`messages`:[{`role`:`user`,`content`:`add\\n\\n1 2`},{`role`:`assistant`,`content`:`3`}]}",
        "{`instruction`:`add`,`input`:``,`output`:`3`}"
                + "! {`messages`:[{`role`:`user`,`content`:`add`},{`role`:`assistant`,`content`:`3`}]}",
        "{`prompt`:`a`,`completion`:`b`} ! {`prompt`:`a`,`completion`:`b`}",
        "{`prompt`:[{`role`:`user`,`content`:`a`}],`completion`:[{`role`:`assistant`,`content`:`b`}]}"
                + "! {`prompt`:[{`role`:`user`,`content`:`a`}],`completion`:[{`role`:`assistant`,`content`:`b`}]}",
        "{`text`:`é😀`,`messages`:null} ! {`text`:`é😀`}",
        "{`messages`:[{`role`:`assistant`,`tool_calls`:[{`function`:{`name`:`f`,`arguments`:{`z`:1,`a`:2.50}}}]}],`tools`:`[{\\`type\\`:\\`function\\`}]`}"
                + "! {`messages`:[{`role`:`assistant`,`tool_calls`:[{`function`:{`name`:`f`,`arguments`:{`z`:1,`a`:2.5}}}]}],`tools`:[{`type`:`function`}]}",
        "{`messages`:[{`role`:`user`,`content`:[{`type`:`text`,`text`:`a`}]},{`role`:`assistant`,`reasoning_content`:`r`,`content`:null}]}"
                + "! {`messages`:[{`role`:`user`,`content`:[{`type`:`text`,`text`:`a`}]},{`role`:`assistant`,`content`:null,`reasoning_content`:`r`}]}",
    })
    void everyFormatBecomesOneNormalForm(String record, String canonical) {
        Outcome.Accepted accepted = accepted(record);
        assertEquals(canonical.replace('`', '"'), new String(accepted.json(), StandardCharsets.UTF_8));
        Outcome.Accepted again = assertInstanceOf(Outcome.Accepted.class, parser.parse(accepted.json()));
        assertEquals(accepted.example(), again.example());
        assertEquals(accepted.contentHash(), again.contentHash());
    }

    @Test
    void hashTellsContentsApartAndIgnoresSpelling() {
        String one = accepted("{`messages`:[{`role`:`assistant`,`content`:`a`}]}").contentHash();
        assertEquals(one, accepted(" { `id` : 1, `messages`: [ {`content`:`\\u0061`, `role`:`assistant`} ] }").contentHash());
        assertNotEquals(one, accepted("{`messages`:[{`role`:`assistant`,`content`:`b`}]}").contentHash());
        assertEquals(64, one.length());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '!', value = {
        "'' ! NOT_JSON", "{ ! NOT_JSON", "{`text`:NaN} ! NOT_JSON", "{`text`:`a`} {} ! NOT_JSON", "{`text`:`a`,} ! NOT_JSON",
        "{'text':`a`} ! NOT_JSON", "[1] ! WRONG_TYPE", "1 ! WRONG_TYPE", "null ! WRONG_TYPE", "{} ! UNKNOWN_FORMAT",
        "{`foo`:1} ! UNKNOWN_FORMAT", "{`text`:1} ! WRONG_TYPE", "{`text`:``} ! EMPTY", "{`messages`:[]} ! EMPTY",
        "{`messages`:{}} ! WRONG_TYPE", "{`messages`:[1]} ! WRONG_TYPE", "{`messages`:[{`content`:`a`}]} ! WRONG_TYPE",
        "{`messages`:[{`role`:`assistant`}]} ! WRONG_TYPE", "{`messages`:[{`role`:`assistant`,`content`:5}]} ! WRONG_TYPE",
        "{`messages`:[{`role`:`assistant`,`content`:[5]}]} ! WRONG_TYPE", "{`messages`:[{`role`:`bot`,`content`:`a`}]} ! UNKNOWN_ROLE",
        "{`messages`:[{`role`:`user`,`content`:`a`}]} ! NO_ASSISTANT_TURN", "{`conversations`:[{`from`:`alien`,`value`:`a`}]} ! UNKNOWN_ROLE",
        "{`text`:`a`,`text`:`b`} ! DUPLICATE_FIELD", "{`text`:`\\ud800`} ! LONE_SURROGATE", "{`text`:`a\\udc00b`} ! LONE_SURROGATE",
        "{`\\ud800`:1,`text`:`a`} ! LONE_SURROGATE", "{`text`:`a`,`n`:1e999} ! NUMBER_OUT_OF_RANGE",
        "{`prompt`:`a`,`completion`:``} ! EMPTY", "{`prompt`:`a`,`completion`:[]} ! EMPTY",
        "{`messages`:[{`role`:`assistant`,`content`:`a`}],`tools`:5} ! WRONG_TYPE",
        "{`messages`:[{`role`:`assistant`,`content`:`a`}],`tools`:`{`} ! NOT_JSON",
    })
    void refusesWithACode(String record, Refusal code) {
        assertEquals(code, refused(record).code());
        assertTrue(refused(record).reason().length() > 20, refused(record).reason());
    }

    @Test
    void invalidUtf8IsRefused() {
        byte[] bytes = "{\"text\":\"ab\"}".getBytes(StandardCharsets.UTF_8);
        bytes[9] = (byte) 0xc3;
        assertEquals(Refusal.NOT_UTF8, assertInstanceOf(Outcome.Refused.class, parser.parse(bytes)).code());
    }

    @Test
    void veryDeepJsonIsRefusedAtOnce() {
        String deep = "{\"text\":\"a\",\"x\":" + "[".repeat(100_000) + "]".repeat(100_000) + "}";
        String objects = "{\"a\":".repeat(100_000);
        assertTimeoutPreemptively(Duration.ofSeconds(2), () -> {
            assertEquals(Refusal.TOO_DEEP, refused(deep).code());
            assertEquals(Refusal.TOO_DEEP, refused(objects).code());
        });
    }

    @Test
    void hugeRecordsStringsAndNumbersAreRefused() {
        var small = new RecordParser(new RecordLimits(10_000, 100, 8));
        assertEquals(Refusal.TOO_LARGE, ((Outcome.Refused) small.parse(new byte[10_001])).code());
        assertEquals(Refusal.TOO_LARGE, ((Outcome.Refused) small.parse(bytes("{`text`:`" + "a".repeat(101) + "`}"))).code());
        assertEquals(Refusal.TOO_LARGE, refused("{`text`:`a`,`n`:" + "9".repeat(101) + "}").code());
    }

    @Test
    void noBytesMakeTheParserThrow() {
        var random = new Random(5);
        byte[] seed = bytes("{`messages`:[{`role`:`user`,`content`:`hé😀`},{`role`:`assistant`,`content`:`y\\n\\u00e9`,`n`:-1.5e3}]}");
        int accepted = 0;
        for (int i = 0; i < 10_000; i++) {
            byte[] mutant = seed.clone();
            for (int flips = random.nextInt(1, 4); flips > 0; flips--) {
                mutant[random.nextInt(mutant.length)] = (byte) random.nextInt(256);
            }
            accepted += parser.parse(mutant) instanceof Outcome.Accepted ? 1 : 0;
        }
        assertTrue(accepted > 100 && accepted < 9_000, "accepted " + accepted);
    }
}
