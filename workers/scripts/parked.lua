-- Finds parked callbacks whose time is over.
-- Reads only.
--
-- KEYS[1] the shard; ARGV[1] most ids.
-- Returns {id, known '1' or '0', {field, parked, ...}, id, ...}: known ones go back to the topic, the others become dead letters; then
-- unpark.lua removes them. An id "call:tenant/call_id" stands for a call of this shard that was unknown.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1] .. ':parks', '-inf', now, 'LIMIT', 0, ARGV[1])) do
  local call_id = string.match(id, '^call:(.+)$')
  local key = call_id and ':call:' .. call_id or ':id:' .. id
  found[#found + 1] = id
  found[#found + 1] = tostring(redis.call('EXISTS', KEYS[1] .. key))
  found[#found + 1] = redis.call('HGETALL', KEYS[1] .. ':park:' .. id)
end
return found
