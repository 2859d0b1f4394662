-- Runs every test_*.lua beside it in the plain interpreter: what is pure of workers/calls/lib needs no Redis. A test
-- file returns {name of a promise = function}; one that fails raises an error. `lua5.1 run.lua [FILE]` in this folder.
package.path = '../../workers/calls/lib/?.lua;?.lua;' .. package.path

local function bits(op)
  return function(a, b)
    local result, weight = 0, 1
    while a > 0 or b > 0 do
      if op(a % 2 == 1, b % 2 == 1) then
        result = result + weight
      end
      a, b, weight = math.floor(a / 2), math.floor(b / 2), weight * 2
    end
    return result
  end
end

-- What modules bind when they are made. Nothing pure calls Redis.
bit = {
  band = bits(function(a, b) return a and b end),
  bor = bits(function(a, b) return a or b end),
  lshift = function(a, n) return a * 2 ^ n end,
}
cmsgpack = {}
redis = {call = function(command) error('a pure function asked Redis: ' .. command) end}

local files = {...}
if #files == 0 then
  for name in io.popen('ls test_*.lua'):lines() do
    files[#files + 1] = name
  end
end
local run, failed = 0, 0
for _, file in ipairs(files) do
  for name, promise in pairs(dofile(file)) do
    local ok, problem = xpcall(promise, debug.traceback)
    run = run + 1
    if not ok then
      failed = failed + 1
      print(file .. ': ' .. name .. '\n' .. problem)
    end
  end
end
print(run .. ' tests in plain Lua, ' .. failed .. ' failed')
os.exit(failed == 0 and run > 0 and 0 or 1)
