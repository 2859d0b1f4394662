-- Links a provider's call id to our attempt, and finds the callbacks that came before the link.
--
-- KEYS[1] the shard of the provider's id; ARGV[1] "provider:provider call id"; ARGV[2] "tenant/call_id/attempt";
-- ARGV[3] how long the link lives, ms.
-- Returns {field, parked, field, parked, ...}: put each back on the topic, then remove it with unpark.lua.
--
-- Promise: an outcome counts as recorded only after its link, so no callback waits for a call that is known.
redis.call('SET', KEYS[1] .. ':id:' .. ARGV[1], ARGV[2], 'PX', ARGV[3])
return redis.call('HGETALL', KEYS[1] .. ':park:' .. ARGV[1])
