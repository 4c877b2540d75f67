// A SAML service provider on @node-saml/node-saml, for tests: sessions in memory, every answer JSON.
// Its addresses and settings are in ../README.md.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { SAML } from '@node-saml/node-saml';
import { DOMParser } from '@xmldom/xmldom';

const env = process.env;
const port = Number(env.PEER_PORT);
const origin = `http://127.0.0.1:${port}`;
const file = (name) => readFileSync(`${env.PEER_DIR}/${name}`, 'utf8');
const [key, certificate] = [file('keys/sp.key'), file('keys/sp.crt')];
const redirectBinding = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect';

const idp = readIdp(file('idp-metadata.xml'));
const saml = new SAML({
  issuer: `${origin}/metadata`,
  callbackUrl: `${origin}/acs`,
  logoutCallbackUrl: `${origin}/slo`,
  entryPoint: idp.sso,
  logoutUrl: idp.slo,
  idpIssuer: idp.entityId,
  idpCert: idp.certificates,
  privateKey: key,
  publicCert: certificate,
  decryptionPvk: key,
  signatureAlgorithm: 'sha256',
  digestAlgorithm: 'sha256',
  identifierFormat: env.SP_NAMEID_FORMAT || null,
  wantAssertionsSigned: env.SP_WANT !== 'response',
  wantAuthnResponseSigned: env.SP_WANT !== 'assertion',
  // Not 'always': it looks for the InResponseTo of a Response only, and would refuse every LogoutResponse sent by POST.
  validateInResponseTo: 'ifPresent',
  disableRequestedAuthnContext: true,
  acceptedClockSkewMs: 5000,
});

const cookieName = `saml_session_${port}`; // cookies don't tell ports apart
const sessions = new Map(); // cookie -> profile

const routes = {
  'GET /': async (request) => {
    const profile = sessionOf(request);
    return profile ? json(200, describe(profile)) : redirect(await saml.getAuthorizeUrlAsync('/', undefined, {}));
  },
  'GET /session': async (request) => {
    const profile = sessionOf(request);
    return profile ? json(200, describe(profile)) : json(401, { error: 'not_logged_in' });
  },
  'GET /metadata': async () => ({
    status: 200,
    headers: { 'content-type': 'application/samlmetadata+xml' },
    body: saml.generateServiceProviderMetadata(certificate, certificate),
  }),
  'POST /acs': async (request) => {
    const { profile } = await saml.validatePostResponseAsync(await form(request));
    const cookie = randomUUID();
    sessions.set(cookie, profile);
    return redirect(`${origin}/`, `${cookieName}=${cookie}; Path=/; HttpOnly`);
  },
  'GET /logout': async (request) => {
    const profile = sessionOf(request);
    if (!profile) return json(401, { error: 'not_logged_in' });
    sessions.delete(cookieOf(request));
    return redirect(await saml.getLogoutUrlAsync(profile, '/logged-out', {}));
  },
  'GET /slo': async (request) => {
    const url = new URL(request.url, origin);
    const query = Object.fromEntries(url.searchParams);
    const { profile } = await saml.validateRedirectAsync(query, url.search.slice(1));
    return query.SAMLRequest ? loggedOutBy(profile, query.RelayState) : redirect(`${origin}/logged-out`);
  },
  'POST /slo': async (request) => {
    const body = await form(request);
    if (body.SAMLRequest) {
      const { profile } = await saml.validatePostRequestAsync(body);
      return loggedOutBy(profile, body.RelayState);
    }
    await saml.validatePostResponseAsync(body);
    return redirect(`${origin}/logged-out`);
  },
  'GET /logged-out': async () => json(200, { logged_out: true }),
};

createServer(async (request, response) => {
  const route = routes[`${request.method} ${new URL(request.url, origin).pathname}`];
  let answer;
  try {
    answer = route ? await route(request) : json(404, { error: 'not_found' });
  } catch (error) {
    console.error(error);
    answer = json(502, { error: error.name, error_description: error.message });
  }
  response.writeHead(answer.status, answer.headers).end(answer.body);
}).listen(port, '127.0.0.1');

// The identity provider ended the session: ours ends too, found by NameID and SessionIndex, without a cookie.
async function loggedOutBy(request, relayState) {
  let found = false;
  for (const [cookie, profile] of sessions) {
    if (profile.nameID !== request.nameID) continue;
    if (request.sessionIndex && profile.sessionIndex !== request.sessionIndex) continue;
    sessions.delete(cookie);
    found = true;
  }
  console.log(`logout request: ${found ? 'a session ended' : 'no such session'}`);
  return redirect(await saml.getLogoutResponseUrlAsync(request, relayState ?? '', {}, true));
}

function describe(profile) {
  const { attributes = {}, nameID, nameIDFormat, nameQualifier, spNameQualifier, sessionIndex, issuer } = profile;
  return {
    peer: 'node-saml',
    issuer,
    name_id: nameID,
    name_id_format: nameIDFormat,
    name_qualifier: nameQualifier ?? null,
    sp_name_qualifier: spNameQualifier ?? null,
    session_index: sessionIndex ?? null,
    attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, [].concat(value)])),
  };
}

// node-saml takes addresses and certificates, not metadata.
function readIdp(xml) {
  const document = new DOMParser().parseFromString(xml, 'text/xml');
  const all = (name, of) => Array.from(of.getElementsByTagNameNS('*', name));
  const [role] = all('IDPSSODescriptor', document);
  const at = (name) =>
    all(name, role).find((service) => service.getAttribute('Binding') === redirectBinding)?.getAttribute('Location');
  return {
    entityId: document.documentElement.getAttribute('entityID'),
    sso: at('SingleSignOnService'),
    slo: at('SingleLogoutService'),
    certificates: all('KeyDescriptor', role)
      .filter((descriptor) => descriptor.getAttribute('use') !== 'encryption')
      .flatMap((descriptor) => all('X509Certificate', descriptor).map((one) => one.textContent.replace(/\s/g, ''))),
  };
}

async function form(request) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > 1_000_000) throw new Error('the form is too long');
  }
  return Object.fromEntries(new URLSearchParams(body));
}

function sessionOf(request) {
  return sessions.get(cookieOf(request));
}

function cookieOf(request) {
  const cookies = (request.headers.cookie ?? '').split(/;\s*/).map((pair) => pair.split('='));
  return cookies.find(([name]) => name === cookieName)?.[1];
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
