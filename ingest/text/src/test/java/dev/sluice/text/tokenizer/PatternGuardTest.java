package dev.sluice.text.tokenizer;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PatternGuardTest {

    @ParameterizedTest
    @ValueSource(strings = {"(a+)+$", "(a|aa)+$", "(.*)*x", "((a?)){2,}", "(?:a{1,3})*", "x(?i:b|c)+", "((ab*)c)+", "(a+){20,40}"})
    void groupThatMatchesInManyWaysAndIsRepeatedIsRefused(String pattern) {
        assertTrue(PatternGuard.isExplosive(pattern));
    }

    @ParameterizedTest
    @ValueSource(strings = {"\\s+(?!\\S)|\\s+", "(?i:'s|'t|'re)?\\p{L}+| ?[^\\s\\p{L}]+[\\r\\n]*", "\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))",
        "[(a+)+]", "\\(a+\\)+", "(ab)+", "(abc){3}", "a{2,}b*", "(", ")", "[", "\\", "(a+)", "(a|b)?"})
    void ordinaryPatternIsAccepted(String pattern) {
        assertFalse(PatternGuard.isExplosive(pattern));
    }
}
