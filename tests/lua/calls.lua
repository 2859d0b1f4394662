-- Calls, attempts and evidence as tests write them: by the names of lib/layout.lua.
local layout = require('layout')
local attempts = require('attempts')
local run = require('run')
local S, A, E, P = layout.S, layout.A, layout.E, layout.P
local calls = {NOW = 1700000000000}

local function set(array, table, values)
  for name, value in pairs(values or {}) do
    array[assert(table[name], 'there is no position ' .. name)] = value
  end
  return array
end

-- Begins a turn at `now`: what begin() does, without Redis.
function calls.begin(now)
  run.shard, run.now, run.args = '{t}', now or calls.NOW, {}
  run.retention_ms, run.pending_limit_ms, run.give_up_ms, run.pending_check_ms = 7 * 86400000, 86400000, 3600000, 900000
  run.campaigns, run.windows, run.events, run.first_calls, run.waiting = {}, {}, {}, {}, {}
  run.policies, run.unreadable, run.anything_said = {}, {}, false
end

function calls.state(values)
  local s = {0, layout.PHASE.PLACED, 0, 0, 1, 't/camp', 'ch', calls.NOW, calls.NOW, 0, '', 0, 0, 0, '', '', 0, 0, {}}
  return set(s, S, values)
end

function calls.attempt(values)
  return set(attempts.new('ch', 'twilio'), A, values)
end

function calls.evidence(values)
  return set({0, 0, 0, 0, 0, -1, -1, -1, '', 0, '', '', '', '', 0}, E, values)
end

function calls.policy(values)
  return set({3, 2 ^ 4 + 2 ^ 6, {300, 1800}, 0, 0}, P, values)
end

-- A call with its latest attempt.
function calls.call(s, a, policy)
  local c = {id = 't/c1', key = '{t}:call:t/c1', s = calls.state(s), a = calls.attempt(a), packed_policy = 'packed',
    identity = '"call_id":"c1"', hold = '', final = 0, next_at = 0, seq = 0}
  c.n, run.policies = c.s[S.ATTEMPT], {packed = calls.policy(policy)}
  return c
end

-- Fails with both where they differ.
function calls.equal(found, expected, what)
  if found ~= expected then
    error((what or 'value') .. ': ' .. tostring(found) .. ' instead of ' .. tostring(expected), 2)
  end
end

return calls
