-- Proves that Redis takes what the programs do: that this user may run every command of every script, and the plain
-- ones that follow, on our keys, and that Redis takes a write at this moment (OOM, MISCONF, NOREPLICAS, READONLY say
-- that it does not).
--#rights FCALL FUNCTION|LOAD GET HGETALL SCAN SET XDEL ZRANGEBYLEX ZRANGEBYSCORE ZREMRANGEBYSCORE ZSCORE
--
-- KEYS[1] any shard. Returns 1, or Redis' own words.
--
-- Promises: it changes nothing and costs no replica anything: a SET of what must be there before, and never is, is
-- asked like any write that needs memory.
return function(keys)
  local answer = redis.pcall('SET', keys[1] .. ':probe', '1', 'XX')
  return type(answer) == 'table' and answer.err and answer or 1
end
