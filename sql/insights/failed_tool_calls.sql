# Every failed call of every session, newest first: it raised an error, or answered with nothing.
# Sees a record in each of its three shapes: bare, under `analytics`, under `analytics_data`.
# Columns: @timestamp (time), session_id, tool, query, error, duration_ms (number)

fields jsonParse(@message) as line
| fields coalesce(line.analytics._event_type, line.analytics_data._event_type, line._event_type, "analytics") as event,
    coalesce(line.analytics._session_id, line.analytics.session_id,
      line.analytics_data._session_id, line.analytics_data.session_id, line._session_id) as session_id
| filter event like /^\s*(session_)?analytics\s*$/ and ispresent(session_id)
| fields coalesce(line.analytics.tool_calls, line.analytics_data.tool_calls, line.tool_calls) as calls
| unnest calls into call
| fields call.tool as tool, call.query as query, call.error as error, call.duration_ms as duration_ms,
    coalesce(call.results_found, "unknown") as found, coalesce(call.cancelled, "unknown") as stopped
| filter tool like /\S/
| filter error like /\S/ or (found like /(?i)^\s*(false|0)\s*$/ and stopped not like /(?i)^\s*(true|1)\s*$/)
| display @timestamp, session_id, tool, query, error, duration_ms
| sort @timestamp desc
