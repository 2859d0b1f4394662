-- Removes parked callbacks that are safe elsewhere (on the topic again, or dead letters). What is left of the id is due
-- at once: it was read in pages, and this was one of them.
-- Only removes.
--
-- KEYS[1] the shard; ARGV[1] the id; ARGV[2..] fields. Returns how many are left.
-- What one call works with: set anew by each.
local key, parked

-- What was parked before this was counted may make it too little: never less than nothing.
local function uncount(name, by)
  if redis.call('HINCRBY', parked, name, -by) <= 0 then
    redis.call('HDEL', parked, name)
  end
end

return function(keys, args)
  local shard, id = keys[1], args[1]
  key, parked = shard .. ':park:' .. id, shard .. ':parked'

  for i = 2, #args do
    local channel, bytes = string.match(args[i], '^([^|]*)|') or '', redis.call('HSTRLEN', key, args[i])
    if redis.call('HDEL', key, args[i]) == 1 then
      for _, name in ipairs({'', ':' .. channel}) do
        uncount('n' .. name, 1)
        uncount('b' .. name, bytes)
      end
    end
  end
  local left = redis.call('HLEN', key)
  if left == 0 then
    redis.call('ZREM', shard .. ':parks', id)
    if redis.call('EXISTS', shard .. ':parks') == 0 then
      redis.call('DEL', parked)
    end
  else
    redis.call('ZADD', shard .. ':parks', 'XX', '0', id)
  end
  return left
end
