-- Whether claims have a line of their channel, as their shard has it: the shard is the truth.
-- Reads only.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2..] one cmsgpack array each: {"CHANNEL|tenant/call_id/claim_no"}
-- Returns {'', '', results}; a result is 1 or 0.
return function(keys, args)
  local results = {}
  for i = 2, #args do
    results[i - 1] = redis.call('ZSCORE', keys[1] .. ':lined', cmsgpack.unpack(args[i])[1]) and 1 or 0
  end
  return {'', '', cmsgpack.pack(results)}
end
