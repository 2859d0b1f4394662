-- Gives contact locks back (contact.lua): the attempts of the claims that had them are over, or were not placed.
--
-- KEYS[1] the shard of the numbers; ARGV[1] see lib/run.lua; ARGV[2..] one cmsgpack array each:
--   {contact lock "TENANT|CHANNEL|NUMBER", "tenant/call_id/claim_no"}
-- Returns {'', '', results}; a result is the call that waited longest for the lock, '' where none did or another has
-- it. Asked once more with the same it names the next one: the first was not to be woken.
--
-- Promises: only what the claim has is given back, so twice is once. Who waits is named once: woken or not, it asks
-- again by itself (outcome.lua, 'busy').
return function(keys, args)
  local results = {}
  for i = 2, #args do
    local name, holder = unpack(cmsgpack.unpack(args[i]))
    local key = keys[1] .. ':lock:' .. name
    results[i - 1] = ''
    local held_by = redis.call('GET', key)
    if not held_by or held_by == holder then
      redis.call('DEL', key)
      results[i - 1] = redis.call('ZPOPMIN', key .. ':w')[1] or ''
    end
  end
  return {'', '', cmsgpack.pack(results)}
end
