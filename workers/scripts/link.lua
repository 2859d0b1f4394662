-- Links providers' call ids to our attempts, and finds the callbacks that came before the link.
--
-- KEYS[1] the shard of the ids; ARGV[1] see lib/call.lua (how long a link lives is the retention); ARGV[2..] one
-- cmsgpack array each:
--   {"provider:provider call id", "tenant/call_id/attempt"}
-- Returns {'', '', results}; a result is an array field, parked, field, parked, ...: put each back on the topic, then
-- remove it with unpark.lua.
--
-- Promise: an outcome counts as recorded only after its link, so no callback waits for a call that is known.
local retention = cmsgpack.unpack(ARGV[1])[1]
local results = {}
for i = 2, #ARGV do
  local id, ref = unpack(cmsgpack.unpack(ARGV[i]))
  redis.call('SET', KEYS[1] .. ':id:' .. id, ref, 'PX', retention)
  results[i - 1] = redis.call('HGETALL', KEYS[1] .. ':park:' .. id)
end
return {'', '', cmsgpack.pack(results)}
