-- Finds the attempt behind a provider's call id, or parks the callback until it is known.
--
-- KEYS[1] the shard of the id; ARGV[1] "provider:provider call id"; ARGV[2] field that names this record
-- ("CHANNEL|topic:partition:offset", so that parking twice is parking once); ARGV[3] the callback, packed; ARGV[4] how
-- long it waits, ms; ARGV[5] the channel that it came on (none for "call:..."); ARGV[6..11] how many records and bytes
-- may wait under one id, of one channel here, and here in all.
--   :park:ID        hash of what is parked under an id, by field
--   :parks          zset of these ids, by the time at which the first of each has waited long enough
--   :parked         hash, how much is parked here: n and b (records and bytes), n:CHANNEL and b:CHANNEL
-- Returns "tenant/call_id/attempt"; '' when it was parked; '!id', '!channel' or '!all' where there is no room.
--
-- Promise: what is parked ends on the topic again or in the dead letters: an index, not a TTL, says when.
-- What one call works with: set anew by each.
local shard, id, field, value, key, parked, channel, id_n, id_bytes, channel_n, channel_bytes, all_n, all_bytes

-- Of what waits under the id only the channel's own counts: who knows another's id cannot keep its callbacks out. What
-- an older version parked without bounds is not read.
local function room_of_id()
  if redis.call('HLEN', key) >= 32 * id_n then
    return false
  end
  local n, bytes = 1, #value
  for _, other in ipairs(redis.call('HKEYS', key)) do
    if string.sub(other, 1, #channel + 1) == channel .. '|' then
      n, bytes = n + 1, bytes + redis.call('HSTRLEN', key, other)
    end
  end
  return n <= id_n and bytes <= id_bytes
end

local function room()
  local has = redis.call('HMGET', parked, 'n', 'b', 'n:' .. channel, 'b:' .. channel)
  if tonumber(has[1] or 0) >= all_n or tonumber(has[2] or 0) + #value > all_bytes then
    return '!all'
  elseif tonumber(has[3] or 0) >= channel_n or tonumber(has[4] or 0) + #value > channel_bytes then
    return '!channel'
  end
  return room_of_id() and '' or '!id'
end

return function(keys, args)
  shard, id, field, value = keys[1], args[1], args[2], args[3]
  key, parked = shard .. ':park:' .. id, shard .. ':parked'
  channel = string.match(field, '^([^|]*)|') or ''
  id_n, id_bytes, channel_n, channel_bytes, all_n, all_bytes = tonumber(args[6]), tonumber(args[7]), tonumber(args[8]),
    tonumber(args[9]), tonumber(args[10]), tonumber(args[11])

  local ref = redis.call('HGET', shard .. ':ids:' .. id, args[5]) or
    redis.call('GET', shard .. ':id:' .. id) -- the latter is of version 0.1
  if ref or redis.call('HEXISTS', key, field) == 1 then
    return ref or ''
  end
  local answer = room()
  if answer ~= '' then
    return answer
  end
  local clock = redis.call('TIME')
  local deadline = clock[1] * 1000 + math.floor(clock[2] / 1000) + tonumber(args[4])
  redis.call('HSET', key, field, value)
  redis.call('ZADD', shard .. ':parks', 'NX', string.format('%.0f', deadline), id)
  for _, name in ipairs({'', ':' .. channel}) do
    redis.call('HINCRBY', parked, 'n' .. name, 1)
    redis.call('HINCRBY', parked, 'b' .. name, #value)
  end
  return ''
end
