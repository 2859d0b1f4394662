-- What luacheck (Debian's lua-check) holds our Lua to: no global but those that Redis has, nothing unused, nothing that
-- shadows, 120 columns.
std = 'lua51'
max_line_length = 120
files['workers'] = {read_globals = {'redis', 'cmsgpack', 'bit', 'cjson'}}
files['tests/lua'] = {globals = {'redis', 'cmsgpack', 'bit'}}
