// What an app on npm ldapts does: binds, searches, pages, comparisons. Settings: those of ldap-clients in README.md.
import { readFileSync } from 'node:fs';
import { Client, InvalidCredentialsError } from 'ldapts';

const { env } = process;
const user = env.LDAP_USER ?? 'alice';
const password = env.LDAP_PASSWORD ?? 'alice-password';
const dn = `uid=${user},${env.LDAP_PEOPLE}`;
const ca = readFileSync(env.LDAP_CA);

async function connect() {
  const plain = env.LDAP_URL.startsWith('ldap:');
  const client = new Client({ url: env.LDAP_URL, timeout: 30000, connectTimeout: 10000, ...(plain ? {} : { tlsOptions: { ca: [ca] } }) });
  if (plain) await client.startTLS({ ca: [ca] });
  return client;
}

async function outcome(promise) {
  try {
    await promise;
    return 'success';
  } catch (error) {
    return error.constructor.name;
  }
}

const client = await connect();
await client.bind(env.LDAP_BIND_DN, env.LDAP_BIND_PASSWORD);
const found = await client.search(env.LDAP_PEOPLE, {
  scope: 'sub', filter: `(&(objectClass=person)(uid=${user}))`, attributes: ['uid', 'cn', 'mail', 'memberOf'],
});
const bytes = await client.search(dn, { scope: 'base', attributes: ['uid'], explicitBufferAttributes: ['uid'] });
const pages = [];
for await (const page of client.searchPaginated(env.LDAP_PEOPLE, {
  scope: 'sub', filter: '(objectClass=person)', attributes: ['uid'], paged: { pageSize: 2 },
})) {
  pages.push(page.searchEntries.length);
}
const nobody = await client.search(env.LDAP_BASE, { scope: 'sub', filter: '(uid=nobody at all)' });
const person = await connect();
await person.bind(dn, password);
const stranger = await connect();
let wrong;
try {
  await stranger.bind(dn, `wrong ${password}`);
} catch (error) {
  wrong = error instanceof InvalidCredentialsError;
}
console.log(JSON.stringify({
  found: found.searchEntries,
  octets: bytes.searchEntries[0].uid.length,
  pages,
  nobody: nobody.searchEntries.length,
  who: (await person.exop('1.3.6.1.4.1.4203.1.11.3')).value,
  equal: await client.compare(dn, 'uid', user),
  unequal: await client.compare(dn, 'uid', 'somebody else'),
  wrong,
  add: await outcome(client.add(`uid=new,${env.LDAP_PEOPLE}`, { objectClass: 'inetOrgPerson', cn: 'New', sn: 'New' })),
}));
await Promise.all([client.unbind(), person.unbind(), stranger.unbind()]);
