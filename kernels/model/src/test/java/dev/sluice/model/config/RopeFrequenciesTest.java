package dev.sluice.model.config;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.sluice.model.json.JsonFields;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Frequencies that transformers 5.18 computes for heads of 64 and 131,072 positions.
class RopeFrequenciesTest {
    private static final int[] PAIRS = {0, 5, 12, 16, 20, 31};

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "'rope_type':'yarn','rope_theta':1e6,'factor':4.0,'original_max_position_embeddings':32768"
                + "|1.138629436111989|1.0 0.11547820270061493 0.005154795479029417 0.0005833333707414567 4.4456985051510856e-05 3.8498163235090033e-07",
        "'rope_type':'yarn','rope_theta':150000.0,'factor':32.0,'original_max_position_embeddings':4096,'truncate':false,'beta_fast':32.0,'beta_slow':1.0"
                + "|1.3465735902799727|1.0 0.15532298386096954 0.006794959306716919 0.0004564839182421565 1.818833698052913e-05 3.023511396804679e-07",
        "'rope_type':'yarn','rope_theta':10000.0,'factor':40.0,'original_max_position_embeddings':4096,'mscale':1.0,'mscale_all_dim':0.5"
                + "|1.1557219901962608|1.0 0.23713736236095428 0.026879360899329185 0.005500000435858965 0.0007905694073997438 3.3338035336782923e-06",
        "'rope_type':'llama3','rope_theta':500000.0,'factor':8.0,'low_freq_factor':1.0,'high_freq_factor':4.0,'original_max_position_embeddings':8192"
                + "|1.0|1.0 0.12868738174438477 0.00729266507551074 0.0005248460220173001 3.428102354519069e-05 3.76732259610435e-07",
        "'rope_type':'linear','rope_theta':10000.0,'factor':2.5"
                + "|1.0|0.4000000059604645 0.0948549434542656 0.012649111449718475 0.003999999724328518 0.0012649111449718475 5.3340860176831484e-05",
    })
    void areThoseOfTransformers(String rope, double attentionFactor, String expected, @TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("config.json"), "{'rope_parameters':{" .replace('\'', '"') + rope.replace('\'', '"') + "}}");
        var frequencies = RopeFrequencies.of(RopeReader.read(JsonFields.read(file), 64, 131072, 10000));
        assertEquals(attentionFactor, frequencies.attentionFactor(), 1e-15);
        String[] numbers = expected.split(" ");
        for (int i = 0; i < PAIRS.length; i++) {
            double number = Double.parseDouble(numbers[i]);
            assertEquals(number, frequencies.inverse()[PAIRS[i]], 3e-7 * number, "pair " + PAIRS[i]);
        }
    }
}
