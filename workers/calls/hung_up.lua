-- Notes that a call need not be hung up any more: its provider has answered.
-- Only removes.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2] "tenant/call_id". Returns {'', '', ''}.
return function(keys, args)
  redis.call('ZREM', keys[1] .. ':hangups', args[2])
  return {'', '', ''}
end
