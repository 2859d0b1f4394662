-- Gives lines of a channel back: their attempts are over, or were not placed.
-- Only removes.
--
-- KEYS[1] the channel's slot (admit.lua); ARGV[1..] claims, "tenant/call_id/claim_no".
-- Returns how many were in use.
--
-- Promises: twice is once. A line that another claim has is not touched.
return function(keys, args)
  local base, released = keys[1], 0
  for _, claim in ipairs(args) do
    released = released + redis.call('ZREM', base .. ':lines', claim)
    redis.call('ZREM', base .. ':lines:' .. string.match(claim, '^[^/]*'), claim)
  end
  return released
end
