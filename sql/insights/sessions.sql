# Every session, newest first: when it was logged, how long it ran, how it ended, what the agent learned.
# Sees a record in each of its three shapes: bare, under `analytics`, under `analytics_data`.
# Columns: @timestamp (time), session_id, seconds (number), agent, reason, livekit_room, team_size (number), monthly_volume (number), urgency

fields jsonParse(@message) as line
| fields coalesce(line.analytics._event_type, line.analytics_data._event_type, line._event_type, "analytics") as event,
    coalesce(line.analytics._session_id, line.analytics.session_id,
      line.analytics_data._session_id, line.analytics_data.session_id, line._session_id) as session_id
| filter event like /^\s*(session_)?analytics\s*$/ and ispresent(session_id)
| fields coalesce(line.analytics.duration_seconds,
      line.analytics_data.duration_seconds, line.duration_seconds) as seconds,
    coalesce(line.analytics.agent_name, line.analytics_data.agent_name, line.agent_name) as agent,
    coalesce(line.analytics.close_reason, line.analytics_data.close_reason, line.close_reason) as reason,
    coalesce(line.analytics.room_id, line.analytics_data.room_id, line.room_id) as livekit_room,
    coalesce(line.analytics.discovered_signals.team_size,
      line.analytics_data.discovered_signals.team_size, line.discovered_signals.team_size) as team_size,
    coalesce(line.analytics.discovered_signals.monthly_volume,
      line.analytics_data.discovered_signals.monthly_volume, line.discovered_signals.monthly_volume) as monthly_volume,
    coalesce(line.analytics.discovered_signals.urgency,
      line.analytics_data.discovered_signals.urgency, line.discovered_signals.urgency) as urgency
| display @timestamp, session_id, seconds, agent, reason, livekit_room, team_size, monthly_volume, urgency
| sort @timestamp desc
