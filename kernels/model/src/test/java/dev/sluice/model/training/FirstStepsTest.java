package dev.sluice.model.training;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.compute.BackendFaultException;
import dev.sluice.compute.Linear;
import dev.sluice.compute.op.ExpertOps;
import dev.sluice.compute.op.ExpertOps.Experts;
import dev.sluice.compute.op.LinearOps;
import dev.sluice.compute.op.LinearOps.Branch;
import dev.sluice.compute.op.OptimizerOps;
import dev.sluice.compute.op.OptimizerOps.AdamW;
import dev.sluice.model.BaseModel;
import dev.sluice.model.Golden;
import dev.sluice.model.SyntheticModel;
import dev.sluice.model.TokenRow;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.training.StepReport.ExpertLoad;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A backend that trains only in part is found out in the first two steps.
class FirstStepsTest {
    private static final int TOKENS = 40;
    private static Backend cpu;

    @TempDir
    private static Path folder;

    @BeforeAll
    static void open() {
        cpu = Golden.cpu();
        SyntheticModel.sparse(4, 2, 16).write(folder);
    }

    @AfterAll
    static void close() {
        cpu.close();
    }

    private interface Change {
        Object call(Method method, Object[] arguments, Object original) throws Throwable;
    }

    /// The CPU with some operations of one kind changed.
    private static Backend with(String kind, Class<?> operations, Change change) {
        return (Backend) Proxy.newProxyInstance(FirstStepsTest.class.getClassLoader(), new Class<?>[] {Backend.class},
                (_, method, arguments) -> {
                    Object own = pass(cpu, method, arguments);
                    return !method.getName().equals(kind) ? own : operations == null ? change.call(method, arguments, own)
                            : Proxy.newProxyInstance(FirstStepsTest.class.getClassLoader(), new Class<?>[] {operations},
                                    (_, inner, given) -> change.call(inner, given, own));
                });
    }

    private static Object pass(Object to, Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(to, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    private static void train(Backend backend, Schedule schedule, int steps, boolean[] mask) {
        try (var model = BaseModel.load(folder, backend)) {
            var lora = LoraSettings.of(4, 8, List.of("q_proj", "v_proj"), List.of("mlp.experts.gate_up_proj", "mlp.experts.down_proj"));
            var settings = TrainingSettings.of(1e-3, schedule, schedule == Schedule.CONSTANT ? 0 : 2, 8);
            try (var training = new LoraTraining(model, Adapter.create(model, lora, 1), settings)) {
                training.proveFirstSteps();
                int[] ids = IntStream.range(0, TOKENS).map(i -> i * 7 % 60).toArray();
                IntStream.range(0, steps).forEach(_ -> training.step(List.of(TokenRow.of(ids, mask))));
            }
        }
    }

    private static boolean[] all() {
        boolean[] mask = new boolean[TOKENS];
        Arrays.fill(mask, true);
        return mask;
    }

    private static String fault(Backend backend) {
        return assertThrows(BackendFaultException.class, () -> train(backend, Schedule.CONSTANT, 3, all())).getMessage();
    }

    @Test
    void backendThatTrainsIsNotDisturbed() {
        train(cpu, Schedule.CONSTANT, 3, all());
    }

    @Test
    void warmupThatBeginsWithARateOfZeroDelaysTheProof() {
        train(cpu, Schedule.LINEAR, 4, all());
    }

    @Test
    void expertsThatOnlyUntrainedTokensPickMayStayAsTheyAre() {
        boolean[] mask = new boolean[TOKENS];
        mask[5] = true;
        assertDoesNotThrow(() -> train(cpu, Schedule.CONSTANT, 3, mask));
    }

    @Test
    void rowsInWhichNoTrainedTokenLooksBackProveNothing() {
        boolean[] mask = new boolean[TOKENS];
        mask[1] = true;
        assertDoesNotThrow(() -> train(cpu, Schedule.CONSTANT, 3, mask));
    }

    @Test
    void expertsWithoutBackwardPassAreFoundInTheFirstStep() {
        String fault = fault(with("experts", ExpertOps.class, (method, arguments, own) ->
                method.getName().equals("backward") ? null : pass(own, method, arguments)));
        assertTrue(fault.contains("4 adapter matrices") && fault.contains("layers.0.mlp.experts.gate_up_proj.lora_B"), fault);
    }

    @Test
    void singleExpertWithoutGradientIsFound() {
        String fault = fault(with("experts", ExpertOps.class, (method, arguments, own) -> {
            Object result = pass(own, method, arguments);
            if (method.getName().equals("backward")) {
                var gradient = ((Experts) arguments[3]).downLora().gradB();
                cpu.elementwise().zero(gradient.view("expert 1", gradient.elements() / 4, gradient.elements() / 4));
            }
            return result;
        }));
        assertTrue(fault.contains("2 adapter matrices") && fault.contains("down_proj.lora_B of expert 1"), fault);
    }

    @Test
    void gradientOfAThatNeverComesIsFoundInTheSecondStep() {
        String fault = fault(with("linear", LinearOps.class, (method, arguments, own) -> {
            Object result = pass(own, method, arguments);
            if (method.getName().equals("backward")) {
                layers(arguments).filter(layer -> layer.lora() != null).forEach(layer -> cpu.elementwise().zero(layer.lora().gradA()));
            }
            return result;
        }));
        assertTrue(fault.contains("q_proj.lora_A") && fault.contains("v_proj.lora_A") && !fault.contains("lora_B"), fault);
    }

    private static Stream<Linear> layers(Object[] arguments) {
        return arguments[1] instanceof List<?> branches ? branches.stream().map(one -> ((Branch) one).layer()) : Stream.of((Linear) arguments[3]);
    }

    @Test
    void updateThatDoesNotArriveIsFound() {
        String fault = fault(with("optimizer", OptimizerOps.class, (method, arguments, own) -> {
            if (method.getName().equals("update")) {
                var given = (AdamW) arguments[1];
                arguments[1] = new AdamW(0, given.beta1(), given.beta2(), given.epsilon(), 0, given.maxNorm(), given.step());
            }
            return pass(own, method, arguments);
        }));
        assertTrue(fault.contains("after its update"), fault);
    }

    @Test
    void kernelsThatDoNotRunAreNamed() {
        var backend = with("kernels", null, (_, _, _) -> List.of("hopper_gemm", "flash_forward"));
        String fault = fault(backend);
        assertTrue(fault.contains("hopper_gemm, flash_forward") && fault.contains("tokens " + TOKENS), fault);
    }

    @Test
    void expertIsCertainWhenItHasMorePicksThanThereAreUntrainedTokens() {
        boolean[] mask = all();
        mask[7] = false;
        var evidence = Evidence.of(List.of(TokenRow.of(new int[TOKENS], mask)), List.of(new ExpertLoad(3, new long[] {2, 3})));
        assertTrue(evidence.conclusive());
        assertFalse(evidence.certain(3, 0));
        assertTrue(evidence.certain(3, 1));
        assertTrue(evidence.certain(0, 0));
    }
}
