-- How long the sessions of the period ran, and what they used.
-- Grain: one row for the period.
-- Columns: sessions; timed_sessions: those with a duration; avg_, p50_, p90_, p95_, total_duration in seconds;
--   total_tokens; avg_latency_ms. A percentile is the sum of the one or two values beside its place, weighted.
WITH timed AS (
    SELECT
        duration_seconds,
        llm_tokens,
        avg_latency_ms,
        ROW_NUMBER() OVER (ORDER BY duration_seconds) AS position,
        COUNT(duration_seconds) OVER () AS known
    FROM sessions
    WHERE dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'
)

SELECT
    COUNT(*) AS sessions,
    COUNT(duration_seconds) AS timed_sessions,
    AVG(duration_seconds) AS avg_duration,
    SUM(duration_seconds * GREATEST(0E0, 1E0 - ABS((known - 1) * 0.5E0 - (position - 1)))) AS p50_duration,
    SUM(duration_seconds * GREATEST(0E0, 1E0 - ABS((known - 1) * 0.9E0 - (position - 1)))) AS p90_duration,
    SUM(duration_seconds * GREATEST(0E0, 1E0 - ABS((known - 1) * 0.95E0 - (position - 1)))) AS p95_duration,
    SUM(duration_seconds) AS total_duration,
    TRY_CAST(SUM(llm_tokens) AS BIGINT) AS total_tokens,
    AVG(avg_latency_ms) AS avg_latency_ms
FROM timed;
