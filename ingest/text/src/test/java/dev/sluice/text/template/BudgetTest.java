package dev.sluice.text.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Clock;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BudgetTest {

    /// Loaded and warm machines alike: what counts is that the template stops at all, and soon.
    private static final Duration SOON = Duration.ofSeconds(5);

    @ParameterizedTest
    @ValueSource(strings = {
        "{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}{% endfor %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(s='a') %}{% for i in range(100000) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='a') %}{% for i in range(100000) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s=['a']) %}{% for i in range(100000) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(100) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(100) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s|tojson }}",
        "{% set a = namespace(s=[1], t=[1]) %}{% for i in range(90) %}{% set a.s = [a.s, a.s] %}{% set a.t = [a.t, a.t] %}{% endfor %}"
                + "{{ a.s == a.t }}",
        "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}",
        "{% macro m(x) %}{{ m(x + 1) }}{{ m(x + 1) }}{% endmacro %}{{ m(1) }}",
        "{% macro m() %}{{ caller() }}{% endmacro %}{% macro n() %}{% call m() %}{{ n() }}{% endcall %}{% endmacro %}{{ n() }}",
        "{% for i in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
        "{{ 'a' * 2000000000 }}", "{{ ['a' * 1000] * 1000000 }}", "{{ 'x'.center(2000000000) }}", "{{ '%2000000d' % 1 * 100 }}",
        "{{ 9 ** 9999999999 }}", "{% set ns = namespace(i=3) %}{% for i in range(99) %}{% set ns.i = ns.i * ns.i %}{% endfor %}",
        "{{ ('a' * 1000000).replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') }}",
        "{% set s = 'a' * 1000000 %}{% set n = 'a' * 500000 ~ 'b' %}{% for i in range(1000) %}{{ n in s }}{% endfor %}",
        "{% set s = 'a' * 100000 %}{% for i in range(100000) %}{% if s.split('a') %}{% endif %}{% endfor %}",
        "{% for i in range(100000) %}{% set x = range(100000)|list|sort|map('string')|join %}{% endfor %}",
        "{% for i in range(100000) %}{{ 'abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij' * 10 }}{% endfor %}",
        "{{ [1]|batch(2000000000, 0)|list }}", "{{ 'a\\n' * 1000000|indent(100000) }}", "{{ ('a\\n' * 1000000)|indent(100000) }}",
        "{{ [1]|tojson(indent=1000000000) }}", "{{ ('1' * 1000000)|int }}{{ 'a'.ljust(99999999999) }}",
        "{{ 'a'.__class__.__mro__ }}", "{{ messages.__init__.__globals__ }}", "{{ ''['__class__']['__base__']() }}",
        "{{ namespace.__init__.__globals__.os }}", "{{ (messages|attr('__class__')).x }}", "{{ lipsum(n=100000000) }}",
        "{% include '/etc/passwd' %}", "{% import 'os' as os %}", "{% extends 'x' %}",
    })
    void hostileTemplateStopsWithAnError(String source) {
        var error = assertTimeoutPreemptively(SOON, () -> assertThrows(TemplateException.class,
                () -> ChatTemplate.compile(source).render(Map.of("messages", "m"))));
        assertTrue(error.getMessage().startsWith("Chat template, line 1, column "), error.getMessage());
    }

    @Test
    void endlessLoopStopsWellUnderASecond() {
        String source = "{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}";
        ChatTemplate template = ChatTemplate.compile(source);
        assertThrows(TemplateException.class, () -> template.render(Map.of()));
        long start = System.nanoTime();
        var error = assertThrows(TemplateException.class, () -> template.render(Map.of()));
        long millis = Duration.ofNanos(System.nanoTime() - start).toMillis();
        assertEquals(TemplateException.Kind.BUDGET, error.kind());
        assertTrue(millis < 1_000, millis + " ms");
    }

    @Test
    void deeplyNestedSourceIsRefused() {
        for (String source : new String[] {"{{ " + "(".repeat(100_000) + "1" + ")".repeat(100_000) + " }}",
            "{{ " + "[".repeat(100_000), "{{ " + "not ".repeat(100_000) + "1 }}", "{{ " + "-".repeat(100_000) + "1 }}",
            "{% if 1 %}".repeat(100_000), "{{ x" + ".a".repeat(100_000) + " }}", "{{ 1" + " + 1".repeat(100_000) + " }}",
            "{{ 1" + " if 1 else 1".repeat(50_000) + " }}", "{{ a" + "|upper".repeat(100_000) + " }}", "{{ {1:".repeat(50_000)}) {
            assertTimeoutPreemptively(SOON, () -> assertThrows(TemplateException.class, () -> ChatTemplate.compile(source)));
        }
    }

    @Test
    void longTemplateWithinTheLimitsCompilesInTime() {
        String source = "{% if x %}a{% endif %}{# c #} {{ 'b' }}\n".repeat(20_000);
        assertTimeoutPreemptively(SOON, () -> ChatTemplate.compile(source).render(Map.of()));
    }

    @Test
    void outputStopsAtItsOwnLimit() {
        var budget = new Budget(1_000_000, 1_000_000, 10, 8, Duration.ofSeconds(1));
        var template = ChatTemplate.compile("{{ 'a' * 6 }}{{ 'b' * 6 }}", budget, Clock.systemUTC());
        assertTrue(assertThrows(TemplateException.class, () -> template.render(Map.of())).problem().contains("10 characters of output"));
    }
}
