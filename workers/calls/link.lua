-- Links providers' call ids to our attempts, and finds the callbacks that came before the link.
--
-- KEYS[1] the shard of the ids; ARGV[1] see lib/run.lua (how long a link lives is the retention); ARGV[2..] one
-- cmsgpack array each:
--   {"provider:provider call id", "tenant/call_id/attempt", 1 when the provider said so, 0 when it was inferred,
--    channel}
--   :ids:PROVIDER:ID   hash by channel: the attempt that has this id there. What one channel says of an id is no
--                      other's business
-- Returns {'', '', results}; a result is an array field, parked, field, parked, ...: put each back on the topic, then
-- remove it with unpark.lua; or false: inferred, and the id is another attempt's already, on whatever channel.
--
-- Promises: an outcome counts as recorded only after its link, so no callback waits for a call that is known; of two
-- attempts that take the same call for theirs, one gets it; who may link on one channel changes no link of another. Of
-- many that are parked some are found here, the others once those are removed (unpark.lua).
local pages = require('pages')
local MOST, BYTES = 32, 256 * 1024

return function(keys, args)
  local retention = cmsgpack.unpack(args[1])[1]

  local function is_taken(key, id, ref)
    for _, other in ipairs(redis.call('HVALS', key)) do
      if other ~= ref then
        return true
      end
    end
    return (redis.call('GET', keys[1] .. ':id:' .. id) or ref) ~= ref -- of version 0.1
  end

  local results = {}
  for i = 2, #args do
    local id, ref, sure, channel = unpack(cmsgpack.unpack(args[i]))
    local key = keys[1] .. ':ids:' .. id
    local taken = sure == 0 and is_taken(key, id, ref)
    if not taken then
      redis.call('HSET', key, channel, ref)
      redis.call('PEXPIRE', key, retention)
    end
    results[i - 1] = not taken and pages.of(keys[1] .. ':park:' .. id, MOST, BYTES)
  end
  return {'', '', cmsgpack.pack(results)}
end
