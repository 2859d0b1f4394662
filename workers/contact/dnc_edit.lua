-- Adds numbers to a do-not-call list, or removes them.
--
-- KEYS[1] the shard of the numbers; ARGV[1] see lib/run.lua; ARGV[2..] one cmsgpack array each:
--   {'add' or 'remove', tenant or '*', number, what ivr.audit is to say of all that is edited with it (lib/audit.lua;
--    '' or left out: another number's shard says it)}
-- Returns {'', '', results}; a result is 1 when the list changed, 0 when it was so already.
--
-- A list is a zset of equal scores, "...:dnc:TENANT": that is how Redis pages in the order of the numbers.
local audit = require('audit')

return function(keys, args)
  local results = {}
  for i = 2, #args do
    local what, tenant, number, said = unpack(cmsgpack.unpack(args[i]))
    local list = keys[1] .. ':dnc:' .. tenant
    results[i - 1] = what == 'add' and redis.call('ZADD', list, 0, number) or redis.call('ZREM', list, number)
    audit.note(keys[1], said, 'done')
  end
  return {'', '', cmsgpack.pack(results)}
end
