-- Puts lines back that a channel lost (a failover) and whose attempts go on.
--
-- KEYS[1] the channel's slot (admit.lua); ARGV[1..] "tenant/call_id/claim_no", deadline ms, ...
-- Returns how many it had lost.
--
-- Promises: twice is once. A line that is given back at the same moment may be in the list again, until the next round
-- takes it out (workers/dispatch/reclaim.h).
return function(keys, args)
  local base, restored = keys[1], 0
  local clock = redis.call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  for i = 1, #args, 2 do
    if tonumber(args[i + 1]) > now then
      restored = restored + redis.call('ZADD', base .. ':lines', 'NX', args[i + 1], args[i])
      redis.call('ZADD', base .. ':lines:' .. string.match(args[i], '^[^/]*'), 'NX', args[i + 1], args[i])
    end
  end
  return restored
end
