// An OpenID provider on npm oidc-provider, for tests: everything in memory. Its addresses and settings are in ../README.md.
import './node18.mjs';
import crypto from 'node:crypto';

const { Provider } = await import('oidc-provider');

const env = process.env;
const port = Number(env.PEER_PORT);
const issuer = `http://127.0.0.1:${port}`;
const on = (name, otherwise = '0') => (env[name] || otherwise) === '1';

const people = {
  alice: person('Alice', 'Archer', ['employees', 'admins']),
  bob: person('Bob', 'Bäcker', ['employees']),
};
const passwords = new Map(Object.keys(people).map((name) => [name, `${name}-password`]));

const provider = new Provider(issuer, {
  clients: [bridge(), probe()],
  jwks: { keys: [key('ES256', 'ec', { namedCurve: 'P-256' }), key(undefined, 'rsa', { modulusLength: 2048 }), key('EdDSA', 'ed25519')] },
  cookies: { keys: [crypto.randomUUID()], names: names(['interaction', 'resume', 'session']) },
  claims: {
    openid: ['sub'],
    profile: ['name', 'given_name', 'family_name', 'preferred_username'],
    email: ['email', 'email_verified'],
    groups: ['groups'],
  },
  scopes: ['openid', 'offline_access'],
  // As the standard has it: the claims of scopes are at userinfo. Many providers put them into the ID token too.
  conformIdTokenClaims: !on('OP_CLAIMS_IN_ID_TOKEN'),
  findAccount: (_, sub) => people[sub] && { accountId: sub, claims: () => ({ sub, ...people[sub] }) },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: on('OP_BACKCHANNEL_LOGOUT', '1') },
    rpInitiatedLogout: { enabled: true, logoutSource, postLogoutSuccessSource },
    pushedAuthorizationRequests: { enabled: on('OP_PAR', '1') },
    requestObjects: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
    jwtUserinfo: { enabled: true },
  },
  enabledJWA: { idTokenSigningAlgValues: ['ES256', 'RS256', 'PS256', 'EdDSA'] },
  ttl: { AccessToken: 600, Grant: 3600, IdToken: 600, Interaction: 600, RefreshToken: 3600, Session: 3600 },
  pkce: { required: () => true },
  // Its own guard against requests to inner addresses would refuse the bridge, which is on loopback here.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  renderError: (context, out) => {
    context.type = 'json';
    context.body = { ...out };
  },
});

for (const event of ['server_error', 'grant.error', 'authorization.error', 'pushed_authorization_request.error', 'backchannel.error']) {
  provider.on(event, (_, error) => console.error(event, error.message, error.error_detail ?? '', error.cause?.message ?? ''));
}
provider.on('backchannel.success', () => console.log('backchannel.success'));
provider.use(interactions);
provider.listen(port, '127.0.0.1');

// The relying party that all this is for.
function bridge() {
  const at = `${env.RP_ADDRESS}/oidc`;
  const method = env.OP_CLIENT_AUTH || 'client_secret_basic';
  const keyed = method === 'private_key_jwt';
  return {
    client_id: env.CLIENT_ID,
    ...(keyed ? { token_endpoint_auth_signing_alg: 'ES256' } : { client_secret: env.CLIENT_SECRET }),
    ...((keyed || on('OP_REQUIRE_REQUEST_OBJECT')) && { jwks_uri: `${at}/jwks` }),
    token_endpoint_auth_method: method,
    redirect_uris: [`${at}/callback`],
    post_logout_redirect_uris: [`${at}/logged-out`],
    // Without both of these there is no `sid` in ID tokens.
    ...(on('OP_BACKCHANNEL_LOGOUT', '1') && {
      backchannel_logout_uri: `${at}/backchannel-logout`,
      backchannel_logout_session_required: true,
    }),
    grant_types: ['authorization_code', 'refresh_token'],
    id_token_signed_response_alg: env.OP_ID_TOKEN_ALG || 'ES256',
    require_pushed_authorization_requests: on('OP_PAR', '1') && on('OP_REQUIRE_PAR'),
    require_signed_request_object: on('OP_REQUIRE_REQUEST_OBJECT'),
    ...(on('OP_SIGN_USERINFO') && { userinfo_signed_response_alg: 'ES256' }),
  };
}

// A client that only asks, with prompt=none, whether somebody is logged in. Nobody listens at its address.
function probe() {
  return {
    client_id: 'probe',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['http://127.0.0.1:9/probe'],
    id_token_signed_response_alg: 'ES256',
  };
}

// The pages of login and consent, which oidc-provider leaves to whoever runs it.
async function interactions(context, next) {
  const uid = /^\/interaction\/([\w-]+)$/.exec(context.path)?.[1];
  if (!uid) return next();
  const { prompt, params, session } = await provider.interactionDetails(context.req, context.res);
  if (context.method === 'GET') {
    context.type = 'html';
    context.body = prompt.name === 'login' ? loginPage() : page('Consent', '<button>Allow</button>');
    return;
  }
  if (prompt.name === 'login') {
    const form = await formOf(context.req);
    const name = form.get('username');
    if (!name || passwords.get(name) !== form.get('password')) {
      context.type = 'html';
      context.body = loginPage('<p>The user name or the password is wrong.</p>');
      return;
    }
    const result = { login: { accountId: name, amr: ['pwd'] } };
    await provider.interactionFinished(context.req, context.res, result, { mergeWithLastSubmission: false });
  } else {
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    const result = { consent: { grantId: await grant.save() } };
    await provider.interactionFinished(context.req, context.res, result, { mergeWithLastSubmission: true });
  }
  context.respond = false;
}

function loginPage(complaint = '') {
  return page('Log in', `${complaint}<input name="username"> <input name="password" type="password"> <button>Log in</button>`);
}

// No action: forms go to their page's own address.
function page(title, inside) {
  return `<!DOCTYPE html><title>${title}</title><h1>${title}</h1><form method="post">${inside}</form>`;
}

async function logoutSource(context, form) {
  context.body = `<!DOCTYPE html><title>Log out</title><h1>Log out?</h1>${form}
    <button form="op.logoutForm" name="logout" value="yes">Log out</button>`;
}

async function postLogoutSuccessSource(context) {
  context.body = '<!DOCTYPE html><title>Logged out</title><p>op_logged_out</p>';
}

async function formOf(request) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > 10_000) throw new Error('the form is too long');
  }
  return new URLSearchParams(body);
}

function person(given_name, family_name, groups) {
  const preferred_username = given_name.toLowerCase();
  const email = `${preferred_username}@acme.example`;
  return { name: `${given_name} ${family_name}`, given_name, family_name, preferred_username, email, email_verified: true, groups };
}

// Without `alg` a key is for all algorithms of its type.
function key(alg, type, options) {
  return { ...crypto.generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), ...(alg && { alg }), use: 'sig' };
}

// Cookies don't tell ports apart.
function names(all) {
  return Object.fromEntries(all.map((name) => [name, `op_${name}_${port}`]));
}
