-- The claims of a shard that have a line of their channel, page by page. A channel's own list is rebuilt from them.
-- Reads only.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2] cursor ('0' first); ARGV[3] about how many.
-- Returns {'', '', results}. The results are {cursor ('0' after the last page), "CHANNEL|tenant/call_id/claim_no",
-- deadline ms, ...}.
return function(keys, args)
  local page = redis.call('ZSCAN', keys[1] .. ':lined', args[2], 'COUNT', args[3])
  local results = {page[1]}
  for i = 1, #page[2], 2 do
    results[#results + 1] = page[2][i]
    results[#results + 1] = tonumber(page[2][i + 1])
  end
  return {'', '', cmsgpack.pack(results)}
end
