-- Removes a campaign's counters from a shard, unless it has changed again meanwhile.
-- Only removes.
--
-- KEYS[1] the shard; ARGV[1] "tenant/campaign"; ARGV[2] the time before which its last change must lie, ms.
-- Returns 1 when it is gone, 0 when it has to stay.
--
-- Promise: what changed a moment ago is not removed by somebody who looked before.
return function(keys, args)
  local changed = redis.call('ZSCORE', keys[1] .. ':campaigns', args[1])
  if changed and tonumber(changed) >= tonumber(args[2]) then
    return 0
  end
  redis.call('DEL', keys[1] .. ':n:' .. args[1])
  redis.call('ZREM', keys[1] .. ':campaigns', args[1])
  return 1
end
