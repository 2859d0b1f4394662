-- Finds outbox entries that their worker did not produce: it died, or its reply was lost.
-- Counts as a write: with IVR_REDIS_REPLICAS it is answered once the replicas have what it found. An event that a
-- failover can still undo must not leave: its id would come again with another content.
--
-- KEYS[1] the shard; ARGV[1] age in ms from which an entry counts as left behind; ARGV[2] most entries.
-- Returns {outbox id, events, outbox id, events, ...}.
--
-- After a failover to a slower clock the ids go on where the old clock was, and tell no age until it is reached:
-- entries from the future count as left behind, at the price of some events that are sent twice.
local FUTURE_MS = 1000

-- What one call works with: set anew by each.
local found

return function(keys, args)
  local clock = redis.call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  found = {}

  local function find(from, to)
    for _, entry in ipairs(redis.call('XRANGE', keys[1] .. ':out', from, to, 'COUNT', args[2])) do
      found[#found + 1] = entry[1]
      found[#found + 1] = entry[2][2]
    end
  end

  find('-', string.format('%.0f', now - tonumber(args[1])))
  if #found == 0 then
    find(string.format('%.0f', now + FUTURE_MS), '+')
  end
  return found
end
