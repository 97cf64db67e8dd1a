package dev.sluice.compute.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.compute.Backends;
import dev.sluice.compute.op.ElementwiseOps;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class ComparisonTest {
    private static Backend cpu;

    @BeforeAll
    static void open() {
        cpu = Backends.installed().choose("cpu").backend();
    }

    @AfterAll
    static void close() {
        cpu.close();
    }

    @Test
    void theSameSeedDrawsTheSameCases() {
        assertEquals(sizes(3), sizes(3));
        assertTrue(!sizes(3).equals(sizes(4)));
    }

    private static List<String> sizes(long seed) {
        return Trials.drawn(seed, 3).stream().map(Trial::sizes).toList();
    }

    @Test
    void backendThatForgetsToWriteIsFound() {
        assertEquals(List.of("add"), failing((proxy, method, arguments) -> method.getName().equals("add") ? null : pass(method, arguments)));
    }

    @Test
    void backendThatAddsTheWrongTensorIsFound() {
        assertEquals(List.of("add"), failing((proxy, method, arguments) -> {
            if (method.getName().equals("add")) {
                arguments[1] = arguments[0];
            }
            return pass(method, arguments);
        }));
    }

    @Test
    void backendThatDoesNotZeroIsFound() {
        assertEquals(List.of("zero"), failing((proxy, method, arguments) -> method.getName().equals("zero") ? null : pass(method, arguments)));
    }

    private static Object pass(Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(cpu.elementwise(), arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    /// Operations found wrong on a CPU backend whose elementwise operations are these.
    private static List<String> failing(InvocationHandler elementwise) {
        var loader = ComparisonTest.class.getClassLoader();
        var spoilt = Proxy.newProxyInstance(loader, new Class<?>[] {ElementwiseOps.class}, elementwise);
        var backend = (Backend) Proxy.newProxyInstance(loader, new Class<?>[] {Backend.class},
                (proxy, method, arguments) -> method.getName().equals("elementwise") ? spoilt : method.invoke(cpu, arguments));
        var comparison = new Comparison(cpu, backend);
        return Trials.drawn(1, 1).stream().filter(trial -> comparison.of(trial, 1).stream().anyMatch(finding -> !finding.passed()))
                .map(Trial::operation).toList();
    }
}
