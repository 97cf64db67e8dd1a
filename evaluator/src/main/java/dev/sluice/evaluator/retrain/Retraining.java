package dev.sluice.evaluator.retrain;

import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.dataset.DatasetLedger;
import dev.sluice.contracts.dataset.DatasetVersion;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.job.TriggerKind;
import dev.sluice.evaluator.Views;
import dev.sluice.evaluator.promotion.Registry;
import java.time.Instant;
import java.util.Comparator;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jboss.logging.Logger;

/// Applies the [RetrainRule] to every alias that has a champion, and submits what is due.
public final class Retraining {

    private static final Logger LOG = Logger.getLogger(Retraining.class);

    private final RetrainRule rule;
    private final Views views;
    private final Registry registry;
    private final Predicate<AdapterPublished> undecided;
    private volatile Map<String, String> latest = Map.of();

    /// @param undecided whether an adapter has still to be judged
    public Retraining(RetrainRule rule, Views views, Registry registry, Predicate<AdapterPublished> undecided) {
        this.rule = rule;
        this.views = views;
        this.registry = registry;
        this.undecided = undecided;
    }

    /// For each alias what the rule last said, for people.
    public Map<String, String> latest() {
        return latest;
    }

    public void check(Instant now) throws InterruptedException {
        Map<String, String> said = new TreeMap<>();
        for (Promotion champion : views.promotions().values()) {
            Optional<Situation> situation = situation(champion);
            if (situation.isPresent()) {
                said.put(champion.alias(), act(rule.apply(situation.get(), now)));
            }
        }
        latest = Map.copyOf(said);
    }

    private String act(RetrainVerdict verdict) throws InterruptedException {
        return switch (verdict) {
            case RetrainVerdict.Wait(var reason) -> reason;
            case RetrainVerdict.Due(var job) -> {
                if (registry.submit(job)) {
                    LOG.infof("asked for job %s: %s", job.jobId(), job.trigger().cause());
                }
                yield "job " + job.jobId() + " was asked for";
            }
        };
    }

    /// Empty without a champion, and while its job or its data are not known.
    private Optional<Situation> situation(Promotion champion) {
        if (champion.championId() == null || champion.championDatasetVersion() == null) {
            return Optional.empty();
        }
        Optional<JobSpec> spec = views.jobStates().get(champion.championJobId()).map(JobState::spec);
        Optional<Long> then = views.datasets().get(DatasetVersion.key(champion.championDatasetId(), champion.championDatasetVersion()))
                .filter(DatasetVersion.class::isInstance).map(event -> ((DatasetVersion) event).counts().accepted());
        Optional<Long> now = views.datasets().get(champion.championDatasetId())
                .filter(DatasetLedger.class::isInstance).map(event -> ((DatasetLedger) event).counts().accepted());
        return spec.isEmpty() || then.isEmpty() || now.isEmpty() ? Optional.empty()
                : Optional.of(new Situation(champion, spec.get(), then.get(), now.get(), inFlight(champion.alias()).orElse(null),
                        lastRetrain(champion.alias()).orElse(null), submitted()));
    }

    private Optional<String> inFlight(String alias) {
        Stream<String> notTakenIn = views.jobs().values().stream().filter(job -> isRetraining(job) && competes(job, alias))
                .map(JobSpec::jobId).filter(id -> views.jobStates().get(id).isEmpty());
        Stream<String> notEnded = states(alias).filter(this::isUnderWay).map(JobState::jobId);
        return Stream.concat(notTakenIn, notEnded).sorted().findFirst();
    }

    private boolean isUnderWay(JobState job) {
        return !job.phase().isTerminal() || job.phase() == JobPhase.SUCCEEDED
                && views.adapters().get(job.adapterId()).map(undecided::test).orElse(true);
    }

    private Optional<Instant> lastRetrain(String alias) {
        return states(alias).filter(job -> isRetraining(job.spec())).map(JobState::submittedAt)
                .max(Comparator.naturalOrder());
    }

    private Stream<JobState> states(String alias) {
        return views.jobStates().values().stream().filter(job -> job.spec() != null && competes(job.spec(), alias));
    }

    private static boolean competes(JobSpec job, String alias) {
        return alias.equals(job.evaluation().alias());
    }

    private static boolean isRetraining(JobSpec job) {
        return job.trigger().kind() == TriggerKind.RETRAIN;
    }

    private Set<String> submitted() {
        Set<String> ids = new HashSet<>(views.jobs().snapshot().keySet());
        ids.addAll(views.jobStates().snapshot().keySet());
        return ids;
    }
}
