-- What an Apache module for SAML learned about the person, as JSON. The module put it into the environment;
-- what is asked for comes from the server's configuration, which writes the table `peer` in front of this text.
local function quoted(text)
  local escaped = text:gsub('[%c"\\]', function(c)
    return string.format("\\u%04x", c:byte())
  end)
  return '"' .. escaped .. '"'
end

local function field(r, name)
  local value = name and r.subprocess_env[name]
  return value and quoted(value) or "null"
end

-- Either NAME_0, NAME_1, ... or one text with the values between semicolons, where a backslash keeps one.
local function values(r, name)
  local all = {}
  if peer.numbered then
    while r.subprocess_env[name .. "_" .. #all] do
      all[#all + 1] = quoted(r.subprocess_env[name .. "_" .. #all])
    end
  else
    local text = r.subprocess_env[name]
    for value in ((text or ""):gsub("\\;", "\0") .. (text and ";" or "")):gmatch("([^;]*);") do
      all[#all + 1] = quoted((value:gsub("%z", ";")))
    end
  end
  return "[" .. table.concat(all, ", ") .. "]"
end

function session(r)
  r.content_type = "application/json; charset=utf-8"
  r.headers_out["Cache-Control"] = "no-store"
  if not r.subprocess_env[peer.issuer] then
    r.status = 401
    r:puts('{ "error": "not_logged_in" }\n')
    return apache2.OK
  end
  r:puts('{\n  "peer": ', quoted(peer.name), ",\n")
  r:puts('  "remote_user": ', quoted(r.user or ""), ",\n")
  r:puts('  "issuer": ', field(r, peer.issuer), ",\n")
  r:puts('  "name_id": ', field(r, peer.name_id), ",\n")
  r:puts('  "session_index": ', field(r, peer.session_index), ",\n")
  local attributes = {}
  for _, name in ipairs(peer.attributes) do
    attributes[#attributes + 1] = quoted(name) .. ": " .. values(r, peer.prefix .. name)
  end
  r:puts('  "attributes": { ', table.concat(attributes, ", "), " }\n}\n")
  return apache2.OK
end

function logged_out(r)
  r.content_type = "application/json; charset=utf-8"
  r:puts('{ "logged_out": true }\n')
  return apache2.OK
end
