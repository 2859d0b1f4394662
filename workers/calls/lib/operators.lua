-- What operators said of a call: of its campaign, tenant or channel (:ctl, controls.lua), or of it alone.
local layout = require('layout')
local run = require('run')
local S = layout.S
local call = redis.call

-- 'cancel', or 'pause' and its KEY, or nil, as operators said it of campaigns, tenants and channels. What is said of a
-- channel's cancel concerns the calls that were there.
local function said_of(c, channel)
  if not run.anything_said then
    return nil
  end
  local s = c.s
  local keys = {'campaign:' .. s[S.CAMPAIGN], 'tenant:' .. string.match(s[S.CAMPAIGN], '^[^/]*'), 'channel:' .. channel}
  local said = call('HMGET', run.shard .. ':ctl', 'cancel:' .. keys[1], 'cancel:' .. keys[2], 'cancel:' .. keys[3],
    'pause:' .. keys[1], 'pause:' .. keys[2], 'pause:' .. keys[3])
  if said[1] or said[2] or (said[3] and s[S.CREATED] <= tonumber(said[3])) then
    return 'cancel'
  end
  for i, key in ipairs(keys) do
    if said[3 + i] then
      return 'pause', key
    end
  end
end

-- The same, and what was said of this call alone.
local function control_of(c, channel)
  if c.s[S.CANCELLED] == 1 then
    return 'cancel'
  end
  local what, key = said_of(c, channel)
  if what ~= 'cancel' and c.s[S.HOLD] == 'call' then
    return 'pause', 'call'
  end
  return what, key
end

local function hold(c, key)
  local s = c.s
  if (s[S.HOLD] or '') == '' then
    s[S.HELD_AT] = run.now
  end
  s[S.HOLD] = key
end

-- The time to give up did not run meanwhile.
local function let_go(c)
  local s = c.s
  if (s[S.HOLD] or '') ~= '' and s[S.UNREACHED_SINCE] > 0 then
    s[S.UNREACHED_SINCE] = s[S.UNREACHED_SINCE] + math.max(run.now - s[S.HELD_AT], 0)
  end
  s[S.HOLD] = ''
end

return {control_of = control_of, hold = hold, let_go = let_go}
