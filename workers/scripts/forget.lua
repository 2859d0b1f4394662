-- Removes a campaign's counters from a shard, unless it has changed again meanwhile.
-- Only removes.
--
-- KEYS[1] the shard; ARGV[1] "tenant/campaign"; ARGV[2] the time before which its last change must lie, ms.
-- Returns 1 when it is gone, 0 when it has to stay.
--
-- Promise: what changed a moment ago is not removed by somebody who looked before.
local changed = redis.call('ZSCORE', KEYS[1] .. ':campaigns', ARGV[1])
if changed and tonumber(changed) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('DEL', KEYS[1] .. ':n:' .. ARGV[1])
redis.call('ZREM', KEYS[1] .. ':campaigns', ARGV[1])
return 1
