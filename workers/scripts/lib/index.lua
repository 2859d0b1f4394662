-- For scripts that look at the calls of an index (due.lua, settle.lua, hangup.lua, sweep.lua). Needs lib/call.lua.

-- Works on a call that an index names. One that cannot be read is put off, in :due, so that nothing spins on it and it is
-- still met once somebody has mended it. nil then.
local function one_of(index, work, id)
  local result = reading.one(work, id)
  if type(result) == 'table' and result[1] == 'unreadable' then
    call('ZREM', shard .. index, id)
    call('ZADD', shard .. ':due', now + 600000, id)
    return nil
  end
  return result
end
