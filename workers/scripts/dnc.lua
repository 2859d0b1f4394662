-- Looks numbers up in the do-not-call lists: the last question before a call is dialled.
-- Reads only.
--
-- KEYS[1] the shard of the numbers; ARGV[1] see lib/call.lua; ARGV[2..] one cmsgpack array each: {tenant, number}
-- Returns {'', '', results}; a result is 1 when the number is on the tenant's list or on that of all tenants ("*"), else 0.
local results = {}
local all = redis.call('EXISTS', KEYS[1] .. ':dnc:*') == 1
for i = 2, #ARGV do
  local tenant, number = unpack(cmsgpack.unpack(ARGV[i]))
  local listed = redis.call('ZSCORE', KEYS[1] .. ':dnc:' .. tenant, number) or
    (all and redis.call('ZSCORE', KEYS[1] .. ':dnc:*', number))
  results[i - 1] = listed and 1 or 0
end
return {'', '', cmsgpack.pack(results)}
