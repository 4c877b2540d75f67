-- The protected page: what mod_auth_openidc learned about the person, as JSON.
-- It passes the claims on as request headers that already hold JSON.
local function quoted(text)
  local escaped = text:gsub('[%c"\\]', function(c)
    return string.format("\\u%04x", c:byte())
  end)
  return '"' .. escaped .. '"'
end

function claims(r)
  local headers = r:headers_in_table()
  local by_name = {}
  for name, value in pairs(headers) do
    by_name[name:lower()] = value
  end
  r.content_type = "application/json; charset=utf-8"
  r.headers_out["Cache-Control"] = "no-store"
  r:puts('{\n  "peer": "mod_auth_openidc",\n')
  r:puts('  "remote_user": ', quoted(r.user or ""), ",\n")
  r:puts('  "sub": ', quoted(by_name["oidc_claim_sub"] or ""), ",\n")
  r:puts('  "id_token": ', by_name["oidc_id_token_payload"] or "null", ",\n")
  r:puts('  "userinfo": ', by_name["oidc_userinfo_json"] or "null", ",\n")
  r:puts('  "has_access_token": ', by_name["oidc_access_token"] and "true" or "false", ",\n")
  r:puts('  "has_refresh_token": ', by_name["oidc_refresh_token"] and "true" or "false", "\n}\n")
  return apache2.OK
end

function logged_out(r)
  r.content_type = "application/json; charset=utf-8"
  r:puts('{ "logged_out": true }\n')
  return apache2.OK
end
