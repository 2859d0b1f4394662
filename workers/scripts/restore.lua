-- Puts lines back that a channel forgot (a failover) and whose attempts go on.
--
-- KEYS[1] the channel's slot (admit.lua); ARGV[1..] "tenant/call_id/claim", deadline ms, ...
-- Returns how many it had forgotten.
--
-- Promises: twice is once. One that is given back at the same moment may stand again until the next look (reclaim.h).
local base, restored = KEYS[1], 0
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for i = 1, #ARGV, 2 do
  if tonumber(ARGV[i + 1]) > now then
    restored = restored + redis.call('ZADD', base .. ':lines', 'NX', ARGV[i + 1], ARGV[i])
    redis.call('ZADD', base .. ':lines:' .. string.match(ARGV[i], '^[^/]*'), 'NX', ARGV[i + 1], ARGV[i])
  end
end
return restored
