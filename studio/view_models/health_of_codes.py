"""The health verdicts on whether actions can be undone and composed, and whether they are a private code."""

from __future__ import annotations

from collections.abc import Sequence

from studio.view_models.formatting import format_percent, pluralize
from studio.view_models.health import (
    MAX_EXAMPLES,
    HealthFinding,
    Measure,
    basic_findings,
    format_nats,
    format_share,
)
from studio.view_models.training_verdicts import Verdict
from swirl.evaluation.confused_words import MIN_KEPT, MIN_SHARE, ConfusedWord
from swirl.evaluation.health_findings import CheckedTransition, HealthCheck
from swirl.evaluation.health_rules import UNDO_RATIO, is_composed, is_undone
from swirl.evaluation.private_code import MIN_MASTERED, PRIVATE_SHARE, private_code_verdict


def health_findings(check: HealthCheck) -> list[HealthFinding]:
    """All findings, in order: meaningful, collapsed, leaking, confused, composed, private.

    Checks by earlier versions have only the first three. `confused` needs words that can be judged, so pictures do not
    have it, and the last one an earlier checkpoint of the same run.
    """
    found = basic_findings(check)
    if check.confused is not None:
        found.append(check_confused(check, check.confused))
    if "done" in check.figures:
        found.append(check_composed(check))
    if check.partner is not None:
        found.append(check_private_code(check, check.partner))
    return found


def check_confused(check: HealthCheck, confused: Sequence[ConfusedWord]) -> HealthFinding:
    """Check that the forward model copies the words that a step leaves as they are, and takes none for another."""
    kept = check.figures["kept_words"]
    if confused:
        verdict = Verdict("wrong", "Takes words for others", confused[0].sentence)
    elif kept.value < MIN_KEPT:
        why = f"keeps only {format_percent(kept.value)} of the words that stay, though it takes none for another"
        verdict = Verdict("inverse", "Loses words", why)
    else:
        verdict = Verdict("good", "Tells words apart", f"keeps {format_percent(kept.value)} of the words that stay")
    limit = f"less than {format_percent(MIN_SHARE)}"
    measures = (
        Measure("words that stay, and are predicted there", format_share(kept), f"at least {format_percent(MIN_KEPT)}"),
        *(
            Measure(
                f"“{word.other}” where “{word.word}” stays",
                f"{format_percent(word.share)}, {word.taken} of {pluralize(word.places, 'place')}",
                limit,
            )
            for word in confused[:MAX_EXAMPLES]
        ),
    )
    method = (
        "A word that a step leaves in its place only has to be copied. A model that writes the same other word there "
        "again and again, though no step turns one into the other, does not tell the two apart, and every score of it "
        "suffers. The loop trains no embeddings, so it rarely mends that: start from a base model that knows these "
        "words, or train all weights of yours longer."
    )
    pairs = {(word.word, word.other) for word in confused}
    telling = sorted(check.cases, key=lambda case: (-sum(pair in pairs for pair in case.mixed_up), -len(case.mixed_up)))
    return HealthFinding("confused", verdict, method, measures, tuple(telling[:MAX_EXAMPLES]))


def describe_mix_up(case: CheckedTransition) -> str:
    """The words that were taken for others on one transition."""
    if not case.mixed_up:
        return "no word taken for another"
    return ", ".join(f"“{other}” for “{word}”" for word, other in case.mixed_up[:3])


def check_composed(check: HealthCheck) -> HealthFinding:
    """Check that an action's opposite leads back, and that two actions in a row lead where the sequence went."""
    figures = check.figures
    done, undone = figures["done"], figures.get("undone_after_done")
    two, expected, gain = (figures.get(f"two_steps{end}") for end in ("", "_expected", "_gain"))
    in_a_row = f"; two steps in a row are right in {format_percent(two.value)}" if two is not None else ""
    if undone is None:
        verdict = Verdict("neutral", "Nothing to undo", "the forward model predicts none of these steps")
    elif not is_composed(gain):
        why = f"two steps in a row are right in {format_percent(two.value)}; single steps promise "
        verdict = Verdict("wrong", "Do not compose", why + format_percent(expected.value))
    else:
        share = f"of the steps that were right, the opposite action undoes {format_percent(undone.value)}{in_a_row}"
        well = is_undone(undone.value, done.value)
        verdict = Verdict("good", "Undo and compose", share) if well else Verdict("inverse", "Hardly undone", share)
    measures = [Measure("single steps that are right", format_share(done), "for comparison")]
    if undone is not None:
        threshold = f"at least {format_percent(UNDO_RATIO * done.value)}, half of the single steps"
        measures.append(Measure("of those, undone by the opposite action", format_share(undone), threshold))
    copied = "for comparison; copying has 100\N{NO-BREAK SPACE}%"
    measures.append(Measure("undone, right or wrong before", format_share(figures["undone"]), copied))
    if two is not None:
        copying = (
            f"interval of the difference not below 0; copying has {format_percent(figures['two_steps_copy'].value)}"
        )
        measures += [
            Measure("two steps in a row that are right", format_share(two), copying),
            Measure("the same if single steps failed independently", format_share(expected), "for comparison"),
            Measure("two steps read like the observed two", format_share(figures["reads_same"]), "for comparison"),
        ]
    method = (
        "z is the action from x to y and z⁻ the one from y to x: the forward model takes z and then z⁻, and should be "
        "back at x. It also takes the actions of two observed steps in a row, and should be where the sequence went. "
        "Steps that change nothing are left out. Where the world has no way back, nothing can be undone."
    )
    known = [case for case in check.cases if case.composition is not None]
    right = [case for case in known if case.composition.done]
    undone_first = sorted(right, key=lambda case: not case.composition.undone)
    return HealthFinding("composed", verdict, method, tuple(measures), both_ends(undone_first or known))


def check_private_code(check: HealthCheck, partner: str) -> HealthFinding:
    """Check that the actions mean the same to another model, the `partner` with which they were exchanged."""
    figures, share = check.figures, check.figures.get("private_share")
    exchanged = [case for case in check.cases if case.exchange is not None]
    mastered = check.mastered
    said = private_code_verdict(share, mastered, describe_partner(partner))
    if said.is_private is not None:
        tone, claim = ("wrong", "Private code") if said.is_private else ("good", "Common language")
    elif mastered < MIN_MASTERED:
        tone, claim = "neutral", "Too few to tell"
    else:
        tone, claim = "inverse", "Perhaps a private code"
    verdict = Verdict(tone, claim, said.sentence.removesuffix("."))
    limit = f"at most {format_percent(PRIVATE_SHARE)}"
    measures = (
        [Measure("predictions that only the own partner's actions allow", format_share(share), limit)] if share else []
    )
    measures += [
        Measure("transitions that both predict, and that change something", str(mastered), f"at least {MIN_MASTERED}"),
        Measure("right with its own actions", format_share(figures["exact_match/own"]), "for comparison"),
        Measure(f"right with those of {partner}", format_share(figures["exact_match/own_exchanged"]), "for comparison"),
        Measure(f"{partner} with its own", format_share(figures["exact_match/partner_own"]), "for comparison"),
        Measure(f"{partner} with these", format_share(figures["exact_match/partner_exchanged"]), "for comparison"),
        Measure(
            "mean loss of both by the exchange",
            format_nats(figures["log_prob/interaction"], "nats per token"),
            "near 0",
        ),
        Measure("both infer the same words", format_share(figures["same_words"]), "for comparison"),
    ]
    if "log_prob/truth_gap" in figures:
        gap = format_nats(figures["log_prob/truth_gap"], "nats per token")
        measures.append(Measure("its own actions against the true ones", gap, "near 0; above, a code or a leak"))
    method = (
        f"Its forward model acts on the actions that {partner} infers, and the other way round. Only transitions that "
        "both predict with their own actions count, so that a weaker model does not look like a private code."
    )
    telling = [case for case in exchanged if case.exchange.lost is not None] or exchanged
    telling = sorted(
        telling, key=lambda case: (-(case.exchange.lost or 0.0), case.exchange.partner_action == case.action)
    )
    return HealthFinding("private", verdict, method, tuple(measures), tuple(telling[:MAX_EXAMPLES]))


def both_ends(cases: Sequence[CheckedTransition]) -> tuple[CheckedTransition, ...]:
    """The first and the last cases, MAX_EXAMPLES in all."""
    if len(cases) <= MAX_EXAMPLES:
        return tuple(cases)
    half = MAX_EXAMPLES // 2
    return (*cases[:half], *cases[-half:])


def describe_partner(name: str) -> str:
    """The partner in a sentence: a run's iteration 0 is its warm-up."""
    return f"the warm-up's model ({name})" if name.endswith("@0") else f"the model {name}"


def describe_undoing(case: CheckedTransition) -> str:
    """What undoing and composing did on one transition, in words."""
    found = case.composition
    if found is None:
        return "changes nothing"
    done = "right" if found.done else "wrong"
    back = f"{done}; back with “{found.opposite}”: {'undone' if found.undone else 'not undone'}"
    if found.second is None:
        return back
    return f"{back}; on with “{found.second}”: {'right' if found.two_steps else 'wrong'}"


def describe_exchange(case: CheckedTransition) -> str:
    """What the exchange did on one transition, in words."""
    found = case.exchange
    if found is None:
        return "not exchanged"
    told = (
        "the partner says the same"
        if found.partner_action == case.action
        else f"the partner says “{found.partner_action}”"
    )
    results = {None: "not predicted by both", 0.0: "both still right", 0.5: "one of two fails", 1.0: "both fail"}
    return f"{told}; exchanged: {results[found.lost]}"
