-- How long the sessions of each day ran, and the median over seven days.
-- Grain: one row a day with sessions on it or on one of the six days before.
-- Columns: dt; those of duration_trends/summary; p50_duration_7d: the median in seconds of that day and the six before.
WITH recent AS (
    SELECT
        dt,
        duration_seconds,
        llm_tokens,
        avg_latency_ms,
        ROW_NUMBER() OVER (PARTITION BY dt ORDER BY duration_seconds) AS position,
        COUNT(duration_seconds) OVER (PARTITION BY dt) AS known
    FROM sessions
    WHERE dt BETWEEN /*:window_start*/ '2025-12-26' AND /*:end*/ '2026-01-30'
),

daily AS (
    SELECT
        dt,
        COUNT(*) AS sessions,
        COUNT(duration_seconds) AS timed_sessions,
        AVG(duration_seconds) AS avg_duration,
        SUM(duration_seconds * GREATEST(0E0, 1E0 - ABS((known - 1) * 0.5E0 - (position - 1)))) AS p50_duration,
        SUM(duration_seconds * GREATEST(0E0, 1E0 - ABS((known - 1) * 0.9E0 - (position - 1)))) AS p90_duration,
        SUM(duration_seconds * GREATEST(0E0, 1E0 - ABS((known - 1) * 0.95E0 - (position - 1)))) AS p95_duration,
        SUM(duration_seconds) AS total_duration,
        TRY_CAST(SUM(llm_tokens) AS BIGINT) AS total_tokens,
        AVG(avg_latency_ms) AS avg_latency_ms
    FROM recent
    WHERE dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'
    GROUP BY dt
),

counted_days AS (
    SELECT
        recent.duration_seconds,
        CAST(CAST(recent.dt AS DATE) + later.days * INTERVAL '1' DAY AS DATE) AS day_date
    FROM recent
    CROSS JOIN (VALUES (0), (1), (2), (3), (4), (5), (6)) AS later (days)
    WHERE recent.duration_seconds IS NOT NULL
),

ranked AS (
    SELECT
        day_date,
        duration_seconds,
        ROW_NUMBER() OVER (PARTITION BY day_date ORDER BY duration_seconds) AS position,
        COUNT(*) OVER (PARTITION BY day_date) AS known
    FROM counted_days
    WHERE day_date BETWEEN DATE /*:start*/ '2026-01-01' AND DATE /*:end*/ '2026-01-30'
),

weekly AS (
    SELECT
        CAST(day_date AS VARCHAR) AS dt,
        SUM(duration_seconds * GREATEST(0E0, 1E0 - ABS((known - 1) * 0.5E0 - (position - 1)))) AS p50_duration_7d
    FROM ranked
    GROUP BY day_date
)

SELECT
    COALESCE(daily.dt, weekly.dt) AS dt,
    daily.sessions,
    daily.timed_sessions,
    daily.avg_duration,
    daily.p50_duration,
    daily.p90_duration,
    daily.p95_duration,
    daily.total_duration,
    daily.total_tokens,
    daily.avg_latency_ms,
    weekly.p50_duration_7d
FROM daily
FULL OUTER JOIN weekly ON daily.dt = weekly.dt
ORDER BY 1;
