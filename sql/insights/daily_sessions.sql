# Sessions a UTC day, with their mean length in seconds and the tokens they used.
# Sees a record in each of its three shapes: bare, under `analytics`, under `analytics_data`.
# Columns: day (date), sessions (number), avg_seconds (number), total_tokens (number)

fields jsonParse(@message) as line
| fields coalesce(line.analytics._event_type, line.analytics_data._event_type, line._event_type, "analytics") as event,
    coalesce(line.analytics._session_id, line.analytics.session_id,
      line.analytics_data._session_id, line.analytics_data.session_id, line._session_id) as session_id
| filter event like /^\s*(session_)?analytics\s*$/ and ispresent(session_id)
| fields coalesce(line.analytics.duration_seconds,
      line.analytics_data.duration_seconds, line.duration_seconds) as seconds,
    coalesce(line.analytics.metrics_summary.llm_tokens,
      line.analytics_data.metrics_summary.llm_tokens, line.metrics_summary.llm_tokens) as tokens
| stats count(*) as sessions, avg(seconds) as avg_seconds, sum(tokens) as total_tokens by bin(1d) as day
| sort day asc
