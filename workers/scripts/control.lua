-- Pauses, resumes or cancels one call.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2] "tenant/call_id"; ARGV[3] 'pause', 'resume' or 'cancel'.
-- Returns {outbox id, events, results}; the results are {what}: 'unknown', 'running' (it goes on, or waits for what is not its
-- own pause), 'paused', 'cancelled' (a waiting one ends within a moment, by due.lua; one on its way is hung up and has no
-- further attempt), 'not_waiting' (pause: it is on its way), 'final' (it was over before).
--
-- Promises: from the answer on a paused or cancelled call is not claimed; twice is once; nothing brings back what is final.
--#include lib/call.lua

-- Its provider has it, or may have it: also one that was answered, whose status is final while they talk.
local function is_on_its_way(c)
  local s, a = c.s, c.a
  return s[PHASE] == PLACING or s[PHASE] == PLACED or (s[WON] > 0 and a ~= nil and a[A_TERMINAL] == 0)
end

local function cancel(c)
  local s = c.s
  local on_its_way = is_on_its_way(c)
  if s[CANCELLED] == 1 then
    return 'cancelled'
  elseif s[PHASE] ~= WAITING and not on_its_way then
    return 'final'
  end
  let_go(c)
  s[CANCELLED] = 1
  call_save(c)
  if s[PHASE] == WAITING then
    call('ZADD', shard .. ':due', 0, c.id)
  elseif s[PHASE] == DONE then
    call('ZADD', shard .. ':hangups', now, c.id)
  end
  return 'cancelled'
end

local function pause(c)
  local s = c.s
  if s[PHASE] ~= WAITING or s[CANCELLED] == 1 then
    return s[FINAL] == 1 and 'final' or s[CANCELLED] == 1 and 'cancelled' or 'not_waiting'
  end
  hold(c, 'call')
  call_save(c)
  return 'paused'
end

local function resume(c)
  local s = c.s
  if s[FINAL] == 1 or s[CANCELLED] == 1 then
    return s[FINAL] == 1 and 'final' or 'cancelled'
  end
  if s[HOLD] == 'call' then
    let_go(c)
    call_save(c)
  end
  return 'running'
end

local DO = {pause = pause, resume = resume, cancel = cancel}
return finish(reading.one(function(id)
  local c = call_load(id)
  return {c and DO[ARGV[3]](c) or 'unknown'}
end, ARGV[2]))
