-- What one call of a function works with. begin() makes all of it anew: an earlier call may have ended in the middle.
--
-- run.shard, run.now (ms), the configured times, run.args; and what is collected over the whole batch and written
-- once, by batch.finish(): counters by campaign and by window, the outbox entry, the gauge of waiting calls.
-- run.reason_names and run.reason_counts are what lib/reasons.lua has read so far, run.policies what was unpacked, by
-- its text: a campaign's calls have the same. run.unreadable: calls that were met and cannot be read, as sentences.
local run = {}
local call = redis.call

-- args[1] is cmsgpack {retention_ms, pending_limit_ms, give_up_ms, pending_check_ms}.
function run.begin(keys, args)
  local clock = call('TIME')
  run.shard, run.args, run.now = keys[1], args, clock[1] * 1000 + math.floor(clock[2] / 1000)
  run.retention_ms, run.pending_limit_ms, run.give_up_ms, run.pending_check_ms = unpack(cmsgpack.unpack(args[1]))
  run.reason_names, run.reason_counts, run.policies = {}, {}, {}
  run.unreadable, run.reading_key, run.reading_field = {}, nil, nil
  run.campaigns, run.windows, run.events, run.first_calls, run.waiting = {}, {}, {}, {}, {}
  -- Looked at before anything is written: a function that cannot read it does nothing.
  run.anything_said = call('HLEN', run.shard .. ':ctl') > 0
end

return run
