-- Removes parked callbacks that are safe elsewhere (on the topic again, or dead letters).
--
-- KEYS[1] the shard; ARGV[1] the id; ARGV[2..] fields. Returns how many are left.
local key = KEYS[1] .. ':park:' .. ARGV[1]
for i = 2, #ARGV do
  redis.call('HDEL', key, ARGV[i])
end
local left = redis.call('HLEN', key)
if left == 0 then
  redis.call('ZREM', KEYS[1] .. ':parks', ARGV[1])
end
return left
