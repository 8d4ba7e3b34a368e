# Every qualified lead, newest first: a team of 5 or more, or 100 documents a month or more.
# Sees a record in each of its three shapes: bare, under `analytics`, under `analytics_data`.
# Columns: @timestamp (time), session_id, team_size (number), monthly_volume (number), urgency, livekit_room

fields jsonParse(@message) as line
| fields coalesce(line.analytics._event_type, line.analytics_data._event_type, line._event_type, "analytics") as event,
    coalesce(line.analytics._session_id, line.analytics.session_id,
      line.analytics_data._session_id, line.analytics_data.session_id, line._session_id) as session_id
| filter event like /^\s*(session_)?analytics\s*$/ and ispresent(session_id)
| fields coalesce(line.analytics.discovered_signals.team_size,
      line.analytics_data.discovered_signals.team_size, line.discovered_signals.team_size) as team_size,
    coalesce(line.analytics.discovered_signals.monthly_volume,
      line.analytics_data.discovered_signals.monthly_volume, line.discovered_signals.monthly_volume) as monthly_volume,
    coalesce(line.analytics.discovered_signals.urgency,
      line.analytics_data.discovered_signals.urgency, line.discovered_signals.urgency) as urgency,
    coalesce(line.analytics.room_id, line.analytics_data.room_id, line.room_id) as livekit_room
| filter team_size >= 5 or monthly_volume >= 100
| display @timestamp, session_id, team_size, monthly_volume, urgency, livekit_room
| sort @timestamp desc
