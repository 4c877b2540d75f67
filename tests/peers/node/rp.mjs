// A relying party on openid-client, for tests: sessions in memory, every answer JSON.
// Its addresses and settings are in ../README.md.
import { createServer } from 'node:http';
import { webcrypto } from 'node:crypto';

// Node 18 has WebCrypto, only not as a global; the libraries expect it there.
globalThis.crypto ??= webcrypto;
const client = await import('openid-client');
const { createRemoteJWKSet, jwtVerify } = await import('jose');

const env = process.env;
const port = Number(env.PEER_PORT);
const origin = `http://127.0.0.1:${port}`;
const scope = env.OIDC_SCOPES || 'openid profile email groups offline_access';
const clientAuthentication = {
  client_secret_basic: client.ClientSecretBasic,
  client_secret_post: client.ClientSecretPost,
  none: () => client.None(),
};

const cookieName = `rp_session_${port}`; // cookies don't tell ports apart
const pending = new Map(); // state -> the values that the callback must match
const sessions = new Map(); // cookie -> tokens
let configuration;

const routes = {
  '/health': async () => json(200, { ok: true }),
  '/': async (request) => {
    const session = sessionOf(request);
    return session ? json(200, await describe(session)) : login(request);
  },
  '/login': login,
  '/callback': callback,
  '/claims': withSession(async (session) => json(200, await describe(session))),
  '/userinfo': withSession(async (session) => {
    return json(200, await client.fetchUserInfo(await discovered(), session.tokens.access_token, session.claims.sub));
  }),
  '/refresh': withSession(async (session) => {
    const fresh = await client.refreshTokenGrant(await discovered(), session.tokens.refresh_token);
    const claims = fresh.claims();
    session.tokens = Object.assign(fresh, {
      id_token: fresh.id_token ?? session.tokens.id_token,
      refresh_token: fresh.refresh_token ?? session.tokens.refresh_token,
    });
    session.claims = claims ?? session.claims;
    session.refreshes += 1;
    return json(200, await describe(session));
  }),
  '/tokens': withSession(async (session) => json(200, {
    access_token: session.tokens.access_token,
    id_token: session.tokens.id_token,
    refresh_token: session.tokens.refresh_token,
  })),
  '/logout': withSession(async (session, request) => {
    sessions.delete(cookieOf(request));
    const target = client.buildEndSessionUrl(await discovered(), {
      id_token_hint: session.tokens.id_token,
      post_logout_redirect_uri: `${origin}/logged-out`,
      state: client.randomState(),
    });
    return redirect(target, `${cookieName}=; Path=/; Max-Age=0`);
  }),
  '/logged-out': async () => json(200, { logged_out: true }),
  '/backchannel-logout': backchannelLogout,
  '/frontchannel-logout': frontchannelLogout,
};

createServer(async (request, response) => {
  const { pathname } = new URL(request.url, origin);
  const route = routes[pathname];
  let answer;
  try {
    answer = route ? await route(request) : json(404, { error: 'not_found' });
  } catch (error) {
    console.error(error);
    answer = json(502, describeError(error));
  }
  response.writeHead(answer.status, answer.headers).end(answer.body);
}).listen(port, '127.0.0.1');

// Discovery waits for the first request: the provider may be started after this RP.
async function discovered() {
  if (!configuration) {
    const method = env.OIDC_CLIENT_AUTH || (env.OIDC_CLIENT_SECRET ? 'client_secret_basic' : 'none');
    if (!clientAuthentication[method]) {
      throw new Error(`OIDC_CLIENT_AUTH must be one of ${Object.keys(clientAuthentication).join(', ')}`);
    }
    configuration = await client.discovery(
      new URL(env.OIDC_ISSUER),
      env.OIDC_CLIENT_ID,
      { id_token_signed_response_alg: env.OIDC_ID_TOKEN_ALG || 'ES256' },
      clientAuthentication[method](env.OIDC_CLIENT_SECRET),
      { execute: [client.allowInsecureRequests] },
    );
  }
  return configuration;
}

// Starts a login. Query parameters of /login (connection, prompt, login_hint, max_age ...) travel on.
async function login(request) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const nonce = client.randomNonce();
  pending.set(state, { verifier, nonce });
  const extra = new URLSearchParams(env.OIDC_AUTH_PARAMS || '');
  for (const [name, value] of new URL(request.url, origin).searchParams) extra.set(name, value);
  const target = client.buildAuthorizationUrl(await discovered(), {
    ...Object.fromEntries(extra),
    redirect_uri: `${origin}/callback`,
    scope: extra.get('scope') ?? scope,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  });
  return redirect(target);
}

async function callback(request) {
  const here = new URL(request.url, origin);
  const expected = pending.get(here.searchParams.get('state'));
  pending.delete(here.searchParams.get('state'));
  if (!expected) return json(400, { error: 'unknown_state', query: Object.fromEntries(here.searchParams) });
  const tokens = await client.authorizationCodeGrant(await discovered(), here, {
    pkceCodeVerifier: expected.verifier,
    expectedNonce: expected.nonce,
    expectedState: here.searchParams.get('state'),
    idTokenExpected: true,
  });
  const cookie = client.randomState();
  sessions.set(cookie, { tokens, claims: tokens.claims(), refreshes: 0 });
  return redirect(`${origin}/claims`, `${cookieName}=${cookie}; Path=/; HttpOnly; SameSite=Lax`);
}

async function describe(session) {
  const configuration = await discovered();
  const userinfo = configuration.serverMetadata().userinfo_endpoint
    ? await client.fetchUserInfo(configuration, session.tokens.access_token, session.claims.sub)
    : null;
  return {
    peer: 'openid-client',
    sub: session.claims.sub,
    id_token: session.claims,
    userinfo,
    token_type: session.tokens.token_type,
    scope: session.tokens.scope,
    expires_in: session.tokens.expires_in,
    has_refresh_token: Boolean(session.tokens.refresh_token),
    refreshes: session.refreshes,
  };
}

// OpenID Connect Back-Channel Logout 1.0, sections 2.4 and 2.6.
async function backchannelLogout(request) {
  const form = new URLSearchParams(await bodyOf(request));
  const metadata = (await discovered()).serverMetadata();
  const { payload } = await jwtVerify(form.get('logout_token'), createRemoteJWKSet(new URL(metadata.jwks_uri)), {
    issuer: metadata.issuer,
    audience: env.OIDC_CLIENT_ID,
    typ: 'logout+jwt',
    algorithms: [env.OIDC_ID_TOKEN_ALG || 'ES256'],
    requiredClaims: ['iat', 'exp', 'jti', 'events'],
  });
  const event = payload.events['http://schemas.openid.net/event/backchannel-logout'];
  if (typeof event !== 'object' || 'nonce' in payload || (!payload.sid && !payload.sub)) {
    return json(400, { error: 'invalid_request' });
  }
  endSessions((claims) => (payload.sid ? claims.sid === payload.sid : claims.sub === payload.sub));
  return json(200, { ended: true });
}

// OpenID Connect Front-Channel Logout 1.0, section 2: in a frame, so the session is found without its cookie.
async function frontchannelLogout(request) {
  const { searchParams } = new URL(request.url, origin);
  if (searchParams.get('iss') !== env.OIDC_ISSUER || !searchParams.get('sid')) return json(400, { error: 'invalid_request' });
  endSessions((claims) => claims.sid === searchParams.get('sid'));
  return json(200, { ended: true });
}

function endSessions(meant) {
  for (const [cookie, { claims }] of sessions) {
    if (meant(claims)) sessions.delete(cookie);
  }
}

async function bodyOf(request) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > 100_000) throw new Error('the form is too long');
  }
  return body;
}

function withSession(handler) {
  return async (request) => {
    const session = sessionOf(request);
    return session ? handler(session, request) : json(401, { error: 'not_logged_in' });
  };
}

function sessionOf(request) {
  return sessions.get(cookieOf(request));
}

function cookieOf(request) {
  const cookies = (request.headers.cookie ?? '').split(/;\s*/).map((pair) => pair.split('='));
  return cookies.find(([name]) => name === cookieName)?.[1];
}

function describeError(error) {
  return {
    error: error.error ?? error.code ?? error.name,
    error_description: error.error_description ?? error.message,
    cause: error.cause instanceof Error ? error.cause.message : undefined,
  };
}

function redirect(target, cookie) {
  const headers = { location: String(target), 'cache-control': 'no-store' };
  if (cookie) headers['set-cookie'] = cookie;
  return { status: 302, headers, body: '' };
}

function json(status, value) {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    body: `${JSON.stringify(value, null, 2)}\n`,
  };
}
