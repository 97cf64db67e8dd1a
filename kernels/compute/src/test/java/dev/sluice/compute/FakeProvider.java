package dev.sluice.compute;

import dev.sluice.compute.cpu.CpuProvider;
import dev.sluice.compute.op.LinearOps;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;

/// The CPU under another name, with a fault if one is wanted.
record FakeProvider(String name, int preference, Fault fault) implements BackendProvider {
    enum Fault {
        NONE,
        PROBE_THROWS,
        DOES_NOT_OPEN,
        PRODUCTS_LEFT_UNWRITTEN,
        PRODUCTS_THROW,
        /// Only beyond the sizes of the probe for correctness.
        LARGE_PRODUCTS_UNSUPPORTED
    }

    private static final long LARGE = 1000;

    @Override
    public Availability probe() {
        if (fault == Fault.PROBE_THROWS) {
            throw new UnsatisfiedLinkError("half a driver");
        }
        return new Availability.Available("a " + name + " card");
    }

    @Override
    public Backend open() {
        if (fault == Fault.DOES_NOT_OPEN) {
            throw new IllegalStateException("the context is gone");
        }
        Backend cpu = new CpuProvider().open();
        return proxy(Backend.class, (_, method, arguments) -> switch (method.getName()) {
            case "name" -> name;
            case "fingerprint" -> new Fingerprint("card of " + name, "hash of " + name);
            case "linear" -> spoilt(cpu);
            default -> pass(cpu, method, arguments);
        });
    }

    private LinearOps spoilt(Backend cpu) {
        return proxy(LinearOps.class, (_, method, arguments) -> switch (fault) {
            case PRODUCTS_LEFT_UNWRITTEN -> null;
            case PRODUCTS_THROW -> throw new IllegalStateException("illegal address");
            case LARGE_PRODUCTS_UNSUPPORTED -> {
                if (((Tensor) arguments[0]).dim(0) >= LARGE) {
                    throw new UnsupportedOperationException("no kernel for so many rows");
                }
                yield pass(cpu.linear(), method, arguments);
            }
            case NONE, PROBE_THROWS, DOES_NOT_OPEN -> pass(cpu.linear(), method, arguments);
        });
    }

    private interface Handler {
        Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable;
    }

    private static <T> T proxy(Class<T> type, Handler handler) {
        return type.cast(Proxy.newProxyInstance(FakeProvider.class.getClassLoader(), new Class<?>[] {type}, handler::invoke));
    }

    private static Object pass(Object to, Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(to, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
