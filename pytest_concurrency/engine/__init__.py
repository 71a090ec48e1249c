"""How a verdict comes to be, in fifteen lines; the names in brackets are where each is done.

1. A marker or a call becomes a plan: one set-up of workers and one or more claims, each a figure, a threshold and a
   margin (:mod:`.plan`, :mod:`.claims`).
2. The cut of a claim is the geometric middle of its margin, so that a true figure at either end is equally far away
   (``claims.margin_cut``).
3. The bench starts the workers, warms them up and sizes a batch: 8 ms or more, and one call where calls vary
   (``plan.Bench``; the real one is in ``measurement/``).
4. A round is one batch of one worker and one of all of them, in random order (:mod:`.procedure`).
5. From its readings (wall time, CPU time, run-queue delay, switches; :mod:`.readings`) come two bounds of the figure on
   a quiet machine (:mod:`.intervals`, :mod:`.callable_intervals`), limited by what is physically possible and widened
   by what is not known (:mod:`.interval_rules`).
6. A round that cannot be trusted gives none (:mod:`.readings`; the discards of :mod:`.rules` name the reason).
7. A round votes if its whole interval lies on one side of the cut (:mod:`.voting`).
8. A vote's weight is the log odds that it is right, by its distance from the cut, with a ceiling: no single round
   decides. What must never happen is weighed by the probe's own error (:mod:`.constants`, :mod:`.claims`).
9. Where calls vary, votes weigh less or are cast by groups of rounds, and a ratio of mean times is tested beside them
   (:mod:`.spread`, :mod:`.mean_ratio`).
10. Weights are added until one side leads by enough: a sequential probability ratio test. A claim's statistic says when
    enough was seen (:mod:`.statistic`).
11. A side that interference can imitate, and every red one, must be confirmed by fresh workers (:mod:`.decision`).
12. If the figure may be low for want of CPUs, a reference workload runs beside the rounds and widens their intervals
    (:mod:`.reference_workload`).
13. A veto may hold a verdict back: too little seen, chance, silenced rounds, shares that disagree, a drift, a falling
    figure, calls that were measured together, delay that cost nothing (the vetoes of :mod:`.rules`).
14. At ``max_time``, or if the figure lies inside the margin, it is undecided; if the machine cannot show it,
    unmeasurable, which comes before a slow verdict (:mod:`.procedure`).
15. The settlement has each claim's verdict, its estimate, what is known of why there is none, and how often each rule
    held something back (:mod:`.settlement`). The folder ``verdicts/`` puts it into words.

All of this is pure: values in, values out. Each constant stands in :mod:`.constants` with its unit and its evidence.
"""
