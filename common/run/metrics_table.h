/* METRIC(id, name, type, labels separated by commas, help). Dashboards and alerts use the names: change nothing, add
 * below. A sentence stays in one piece, so that it can be searched for. */
/* clang-format off */
METRIC(M_BUILD_INFO, "ivr_build_info", GAUGE, "version,program", "Always 1; which build runs.")
METRIC(M_REQUESTS, "ivr_requests_total", COUNTER, "result",
       "Call requests taken from the topic, by what became of them: stored, duplicate, conflict, invalid, dropped, too_old.")
METRIC(M_PLACEMENTS, "ivr_placements_total", COUNTER, "channel,outcome",
       "Claims by outcome: accepted, refused, in_doubt, unreached, not_now, suspended; given_back, do_not_call, busy were not sent.")
METRIC(M_PLACEMENT_SECONDS, "ivr_placement_seconds", HISTOGRAM, "channel",
       "Time from sending a placement request to the end of its response.")
METRIC(M_IN_FLIGHT, "ivr_in_flight", GAUGE, "", "Messages being worked on in this process.")
METRIC(M_WAITING, "ivr_waiting", GAUGE, "channel", "Calls that wait for their time or for capacity.")
METRIC(M_CALLBACKS, "ivr_callbacks_total", COUNTER, "provider,result",
       "Callbacks: accepted, bad_signature, unknown_channel, unknown_path, bad_method, too_large, unavailable at the gateway; recorded, repeated, "
       "parked, dead at the status worker.")
METRIC(M_STATUS_CHANGES, "ivr_status_changes_total", COUNTER, "status", "Changes of a call's status, by the new status.")
METRIC(M_CALLBACK_LAG, "ivr_callback_lag_seconds", HISTOGRAM, "",
       "Time from receiving a callback at the gateway to recording it in Redis.")
METRIC(M_CONSUMER_LAG, "ivr_consumer_lag", GAUGE, "topic,partition",
       "Records behind the end of the partition, for partitions that this process owns.")
METRIC(M_DEAD_LETTERS, "ivr_dead_letters_total", COUNTER, "reason", "Records sent to the dead-letter topic.")
METRIC(M_CHANNEL_OPEN, "ivr_channel_open", GAUGE, "channel", "1 while the channel takes no calls: it is suspended, or its circuit is open.")
METRIC(M_CHANNEL_SHUT, "ivr_channel_shut", GAUGE, "channel,reason",
       "1 while the channel takes no calls but probes, by what the provider said: the reason's code.")
METRIC(M_CHANNEL_UNPROVED, "ivr_channel_unproved", GAUGE, "channel",
       "1 while the provider has accepted no request with the channel's settings: at most eight are on their way at a time.")
METRIC(M_CHANNEL_RETIRED, "ivr_channel_retired", GAUGE, "channel",
       "1 while a channel that is gone from the channels file still has calls under way, whose callbacks are taken.")
METRIC(M_USEFUL_WORK, "ivr_useful_work", GAUGE, "channel",
       "Calls waiting in the channel's queue that its rate and lines would allow within the next second; the same in every replica.")
METRIC(M_SUMMARIES, "ivr_summaries_total", COUNTER, "", "Delivery summaries published.")
METRIC(M_REDIS_SECONDS, "ivr_redis_seconds", HISTOGRAM, "script", "Time from queueing a script call to its reply.")
METRIC(M_EVENTS, "ivr_events_total", COUNTER, "type", "Call events produced, by type.")
METRIC(M_CALL_RECORDS, "ivr_call_records_total", COUNTER, "", "Rows of final calls that the brokers have acknowledged.")
METRIC(M_AUDIT_RECORDS, "ivr_audit_records_total", COUNTER, "",
       "Records of what people did that the brokers have acknowledged.")
METRIC(M_OUTBOX_SWEPT, "ivr_outbox_swept_total", COUNTER, "",
       "Outbox entries that another process left behind and this one produced.")
METRIC(M_REDIS_REDIRECTS, "ivr_redis_redirects_total", COUNTER, "error",
       "Replies of a Redis Cluster that send a command elsewhere or back: moved, ask, tryagain, clusterdown.")
METRIC(M_CHANNEL_CALLBACKS, "ivr_channel_callbacks_total", COUNTER, "channel",
       "Callbacks with the right signature or token, by channel, as they reach the gateway.")
METRIC(M_CLAIMS_SETTLED, "ivr_claims_settled_total", COUNTER, "", "Claims whose owner died, settled as in doubt here.")
METRIC(M_HTTP_CONNECTIONS, "ivr_http_connections", GAUGE, "listener", "Connections that are open, by listener: gateway, admin.")
METRIC(M_HTTP_REFUSED, "ivr_http_refused_total", COUNTER, "listener,reason",
       "Connections or requests that the HTTP server ended itself: full (one that waited made room), descriptors (none was free), "
       "memory (the budget for requests was taken), late (not complete in time), malformed.")
METRIC(M_STORED_UNREAD, "ivr_stored_requests_unread_total", COUNTER, "reason",
       "Times that a call's request, as Redis keeps it, could not be used: lost_zone (this machine's tzdata lacks its time zone: "
       "the call waits), unreadable.")
METRIC(M_UNREADABLE_CALLS, "ivr_unreadable_calls_total", COUNTER, "",
       "Times that a call was met whose state in Redis cannot be read; it is left alone, and looked at again every ten minutes.")
METRIC(M_CALLS_MENDED, "ivr_calls_mended_total", COUNTER, "index",
       "Calls that stood in no index and were put back: due, hold, open; or had no expiry, or a wrong one: expiry. 0 unless Redis lost or half refused something.")
/* clang-format on */
