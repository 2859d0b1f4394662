-- Pauses, resumes or cancels one call.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2] "tenant/call_id"; ARGV[3] 'pause', 'resume' or 'cancel';
-- ARGV[4] what ivr.audit is to say of it (lib/audit.lua), '' nothing.
-- Returns {outbox id, events, results}; the results are {what}: 'unknown', 'running' (it goes on, or waits for what is
-- not its own pause), 'paused', 'cancelled' (a waiting one ends within a moment, by due.lua; one on its way is hung up
-- and has no further attempt), 'not_waiting' (pause: it is on its way), 'final' (it was over before).
--
-- Promises: from the answer on a paused or cancelled call is not claimed; twice is once; nothing brings back what is
-- final.
local layout = require('layout')
local audit = require('audit')
local batch = require('batch')
local operators = require('operators')
local reading = require('reading')
local run = require('run')
local saving = require('saving')
local A, PHASE, S = layout.A, layout.PHASE, layout.S
local call = redis.call

-- Its provider has it, or may have it: also one that was answered, whose status is final while they talk.
local function is_on_its_way(c)
  local s, a = c.s, c.a
  return s[S.PHASE] == PHASE.PLACING or s[S.PHASE] == PHASE.PLACED or (s[S.WON] > 0 and a ~= nil and a[A.TERMINAL] == 0)
end

local function cancel(c)
  local s = c.s
  local on_its_way = is_on_its_way(c)
  if s[S.CANCELLED] == 1 then
    return 'cancelled'
  elseif s[S.PHASE] ~= PHASE.WAITING and not on_its_way then
    return 'final'
  end
  operators.let_go(c)
  s[S.CANCELLED] = 1
  saving.save(c)
  if s[S.PHASE] == PHASE.WAITING then
    call('ZADD', run.shard .. ':due', 0, c.id)
  elseif s[S.PHASE] == PHASE.DONE then
    call('ZADD', run.shard .. ':hangups', run.now, c.id)
  end
  return 'cancelled'
end

local function pause(c)
  local s = c.s
  if s[S.PHASE] ~= PHASE.WAITING or s[S.CANCELLED] == 1 then
    return s[S.FINAL] == 1 and 'final' or s[S.CANCELLED] == 1 and 'cancelled' or 'not_waiting'
  end
  operators.hold(c, 'call')
  saving.save(c)
  return 'paused'
end

local function resume(c)
  local s = c.s
  if s[S.FINAL] == 1 or s[S.CANCELLED] == 1 then
    return s[S.FINAL] == 1 and 'final' or 'cancelled'
  end
  if s[S.HOLD] == 'call' then
    operators.let_go(c)
    saving.save(c)
  end
  return 'running'
end

local DONE_IS = {pause = 'paused', resume = 'running', cancel = 'cancelled'}
local DO = {pause = pause, resume = resume, cancel = cancel}

return function(keys, args)
  run.begin(keys, args)
  return batch.finish(batch.one(function(id)
    local c = reading.load(id)
    local became = c and DO[args[3]](c) or 'unknown'
    local done = became == DONE_IS[args[3]]
    audit.note(run.shard, args[4], done and 'done' or 'refused', done and 1 or 0)
    return {became}
  end, args[2]))
end
