-- Reasons are counted by name while fewer than `most` others of their channel are, else as 'other': so many a summary
-- shows. Whoever counts one keeps the name that it was counted by, and takes the same one back.
local run = require('run')
local call = redis.call

local reasons = {most = 64}

-- The name by which the reason is counted in the hash `key`, where '#r' is how many have their own.
function reasons.name(key, channel, code)
  if code == '' or code == 'other' then
    return code
  end
  local group, field = key .. channel, channel .. 'r:' .. code
  local name = run.reason_names[key .. field]
  if not name then
    name = code
    if call('HEXISTS', key, field) == 0 then
      local n = run.reason_counts[group] or tonumber(call('HGET', key, channel .. '#r') or 0)
      name = n < reasons.most and code or 'other'
      run.reason_counts[group] = name == code and n + 1 or n
    end
    run.reason_names[key .. field] = name
  end
  return name
end

-- The counter `field` moved by delta and is `value` now: notes by channel which reasons came and went. `pattern` is
-- that of a reason's field: its channel, its code.
function reasons.note(moved, pattern, field, delta, value)
  if value == 0 or value == delta then
    local channel, code = string.match(field, pattern)
    if channel and code ~= 'other' then
      moved[channel] = (moved[channel] or 0) + (value == 0 and -1 or 1)
    end
  end
end

function reasons.write(key, moved)
  for channel, delta in pairs(moved) do
    if delta ~= 0 and call('HINCRBY', key, channel .. '#r', string.format('%.0f', delta)) <= 0 then
      call('HDEL', key, channel .. '#r')
    end
  end
end

return reasons
