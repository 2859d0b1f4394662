-- Finds the attempt behind a provider's call id, or parks the callback until it is known.
--
-- KEYS[1] the shard of the id; ARGV[1] "provider:provider call id"; ARGV[2] field that names this record
-- (topic:partition:offset, so that parking twice is parking once); ARGV[3] the callback, packed; ARGV[4] how long it
-- waits, ms; ARGV[5] the channel that it came on (none for "call:...").
-- Returns "tenant/call_id/attempt", or '' when it was parked.
--
-- Promise: what is parked ends on the topic again or in the dead letters: an index, not a TTL, says when.
local ref = redis.call('HGET', KEYS[1] .. ':ids:' .. ARGV[1], ARGV[5] or '') or
  redis.call('GET', KEYS[1] .. ':id:' .. ARGV[1]) -- the latter is of version 0.1
if ref then
  return ref
end
local clock = redis.call('TIME')
local deadline = clock[1] * 1000 + math.floor(clock[2] / 1000) + tonumber(ARGV[4])
redis.call('HSET', KEYS[1] .. ':park:' .. ARGV[1], ARGV[2], ARGV[3])
redis.call('ZADD', KEYS[1] .. ':parks', 'NX', string.format('%.0f', deadline), ARGV[1])
return ''
