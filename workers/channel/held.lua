-- The lines of a channel that are in use, page by page. Lines of tickets in hand are left out: their claims are on the
-- way.
-- Reads only.
--
-- KEYS[1] the channel's slot (admit.lua); ARGV[1] cursor ('0' first); ARGV[2] about how many.
-- Returns {cursor ('0' after the last page), "tenant/call_id/claim_no", ...}.
return function(keys, args)
  local page = redis.call('ZSCAN', keys[1] .. ':lines', args[1], 'COUNT', args[2])
  local found = {page[1]}
  for i = 1, #page[2], 2 do
    if not redis.call('ZSCORE', keys[1] .. ':taken', page[2][i]) then
      found[#found + 1] = page[2][i]
    end
  end
  return found
end
