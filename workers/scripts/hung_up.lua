-- Notes that a call need not be hung up any more: its provider has answered.
-- Only removes.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2] "tenant/call_id". Returns {'', '', ''}.
redis.call('ZREM', KEYS[1] .. ':hangups', ARGV[2])
return {'', '', ''}
