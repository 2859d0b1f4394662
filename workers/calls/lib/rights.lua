-- Whether this user may run all the commands that a verb names, on all the keys that it names. Redis asks at each
-- command anyway, but only when it comes to it, and what was written before stays. So every verb that writes is asked
-- first: the build (library.sh) puts one expression before its call, which costs it two or three microseconds.
local rights = {}

-- The refusal where that expression was false: which of the commands ('GET FUNCTION|LOAD ...') it was, else the keys
-- that begin with `shard`. FCALL needs to be asked as it is written.
function rights.refusal(commands, shard)
  for command in string.gmatch(commands, '%S+') do
    local name, sub = string.match(command, '^([^|]*)|?(.*)$')
    local granted
    if name == 'FCALL' then
      granted = redis.acl_check_cmd(name, '', '1', shard)
    else
      granted = redis.acl_check_cmd(name, sub ~= '' and sub or shard)
    end
    if not granted then
      return redis.error_reply("NOPERM this user has no permissions to run the '" .. string.lower(command) ..
        "' command on " .. shard)
    end
  end
  return redis.error_reply('NOPERM this user has no permissions to access the keys that begin with ' .. shard .. ':')
end

return rights
