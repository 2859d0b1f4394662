-- Offers parked callbacks whose time is over, each id to one asker for lease ms, as much as one answer may hold.
-- Only removes.
--
-- KEYS[1] the shard; ARGV[1] most ids; ARGV[2] lease ms (0 without); ARGV[3] how long a callback waits at most, ms (''
-- unknown);
-- ARGV[4] most callbacks of an id; ARGV[5] about how many bytes in all.
-- Returns {'1' when there are more that are due, id, known '1' or '0', {field, parked, ...}, id, ...}: known ones go
-- back to the topic, the others become dead letters; then unpark.lua removes them. An id "call:tenant/call_id" stands
-- for a call of this shard that was unknown.
--
-- Promise: an offer that its taker drops (it died, Kafka was away) is made again after the lease; nothing is lost,
-- and several workers that look do not make several dead letters of one callback; a deadline that a failover to a
-- slower clock left far ahead is no later than the longest from now. A Redis without memory is emptied all the same:
-- the lease of what stands there already needs none.
local pages = require('pages')

return function(keys, args)
  local parks = keys[1] .. ':parks'
  local lease, longest = tonumber(args[2]), tonumber(args[3])
  local most, bytes = tonumber(args[4]), tonumber(args[5])
  local clock = redis.call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  if longest then
    local latest = string.format('%.0f', now + math.max(longest, lease))
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', parks, '(' .. latest, '+inf', 'LIMIT', 0, args[1])) do
      redis.call('ZADD', parks, latest, id)
    end
  end

  local found = {'0'}
  local due = redis.call('ZRANGEBYSCORE', parks, '-inf', now, 'LIMIT', 0, args[1])
  for _, id in ipairs(due) do
    if bytes <= 0 then
      found[1] = '1'
      break
    end
    local call_id = string.match(id, '^call:(.+)$')
    local known = call_id and redis.call('EXISTS', keys[1] .. ':call:' .. call_id) or
      redis.call('EXISTS', keys[1] .. ':ids:' .. id, keys[1] .. ':id:' .. id) -- the latter is of version 0.1
    local page
    page, bytes = pages.of(keys[1] .. ':park:' .. id, most, bytes)
    if #page == 0 then
      redis.call('ZREM', parks, id)
    else
      if #page == 2 * most then
        found[1] = '1'
      end
      found[#found + 1] = id
      found[#found + 1] = known > 0 and '1' or '0'
      found[#found + 1] = page
      redis.call('ZADD', parks, string.format('%.0f', now + lease), id)
    end
  end
  if #due == tonumber(args[1]) then
    found[1] = '1'
  end
  return found
end
