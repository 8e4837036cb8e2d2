"""The SQL that counts metric values into bins of steps, for the schema's trigger and for `curves`."""

STEPS_PER_BIN = 32
FINITE = "BETWEEN -1e308 AND 1e308"
COUNT_ALL = f"""
    INSERT INTO metric_bins (run, name, phase, bin, points, total, low, high, last)
    SELECT run, name, phase, step / {STEPS_PER_BIN}, count(*), sum(value), min(value), max(value), max(step)
    FROM metrics WHERE value {FINITE} {{which}} GROUP BY run, name, phase, step / {STEPS_PER_BIN}
"""
"""Counts the values that `which` selects; their bins must be empty."""
COUNT_NEW = f"""
    INSERT INTO metric_bins (run, name, phase, bin, points, total, low, high, last)
    VALUES (NEW.run, NEW.name, NEW.phase, NEW.step / {STEPS_PER_BIN}, 1, NEW.value, NEW.value, NEW.value, NEW.step)
    ON CONFLICT (run, name, phase, bin) DO UPDATE SET
        points = points + 1, total = total + excluded.total,
        low = min(low, excluded.low), high = max(high, excluded.high), last = max(last, excluded.last)
"""
"""Counts one inserted value; the body of the trigger."""
