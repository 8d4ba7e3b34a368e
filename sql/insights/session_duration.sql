# How long sessions run, in seconds: number of sessions, mean, median, 90th percentile, longest.
# Sees a record in each of its three shapes: bare, under `analytics`, under `analytics_data`.
# Columns: sessions (number), avg_seconds (number), p50_seconds (number), p90_seconds (number), max_seconds (number)

fields jsonParse(@message) as line
| fields coalesce(line.analytics._event_type, line.analytics_data._event_type, line._event_type, "analytics") as event,
    coalesce(line.analytics._session_id, line.analytics.session_id,
      line.analytics_data._session_id, line.analytics_data.session_id, line._session_id) as session_id
| filter event like /^\s*(session_)?analytics\s*$/ and ispresent(session_id)
| fields coalesce(line.analytics.duration_seconds,
      line.analytics_data.duration_seconds, line.duration_seconds) as seconds
| stats count(*) as sessions, avg(seconds) as avg_seconds, pct(seconds, 50) as p50_seconds,
    pct(seconds, 90) as p90_seconds, max(seconds) as max_seconds
