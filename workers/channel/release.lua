-- Gives lines of a channel back: their attempts are over, or were not placed.
-- Only removes.
--
-- KEYS[1] the channel's slot (admit.lua); ARGV[1..] attempts, "tenant/call_id/attempt".
-- Returns how many were in use.
--
-- Promises: twice is once; a line that another attempt has is not touched.
return function(keys, args)
  local base, freed = keys[1], 0
  for _, attempt in ipairs(args) do
    freed = freed + redis.call('ZREM', base .. ':lines', attempt)
    redis.call('ZREM', base .. ':lines:' .. string.match(attempt, '^[^/]*'), attempt)
  end
  return freed
end
