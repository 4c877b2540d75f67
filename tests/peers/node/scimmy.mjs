// npm scimmy behind scimmy-routers: a SCIM server whose users and groups stand in memory. Settings: tests/peers/README.md.
// Finding and filtering is the handler's own business in SCIMMY, so users are found in a Map by their id, and
// filters walk all of them, as the library's documentation does it.
import crypto from 'node:crypto';
import express from 'express';
import SCIMMY from 'scimmy';
import SCIMMYRouters from 'scimmy-routers';

const { SCIM_TOKEN, PEER_PORT } = process.env;
const stores = new Map([[SCIMMY.Resources.User, new Map()], [SCIMMY.Resources.Group, new Map()]]);
// The next so many creates are carried out, and their answers lost: POST /lose {"creates": 1}.
let lost = 0;
// The next so many requests get 429 with Retry-After: POST /throttle {"requests": 2, "after": 1}.
let throttled = 0;
let after = 1;

for (const [type, store] of stores) {
  SCIMMY.Resources.declare(type, {
    egress: resource => {
      if (resource.id) {
        const found = store.get(resource.id);
        if (!found) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
        return found;
      }
      const all = [...store.values()];
      return resource.filter ? resource.filter.match(all) : all;
    },
    ingress: (resource, data) => {
      const now = new Date().toISOString();
      const before = resource.id ? store.get(resource.id) : undefined;
      if (resource.id && !before) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
      const name = type === SCIMMY.Resources.User ? 'userName' : 'displayName';
      const value = JSON.parse(JSON.stringify(data));
      for (const other of store.values()) {
        const same = String(other[name]).toLowerCase() === String(value[name]).toLowerCase();
        if (other.id !== resource.id && same) throw new SCIMMY.Types.Error(409, 'uniqueness', `${name} is taken`);
      }
      const id = resource.id ?? crypto.randomUUID();
      const meta = { created: before?.meta.created ?? now, lastModified: now };
      const stored = { ...value, id, meta };
      store.set(id, stored);
      return stored;
    },
    degress: resource => {
      if (!store.delete(resource.id)) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
    },
  });
}

const app = express();
app.get('/alive', (_, response) => response.send('yes'));
app.post('/lose', express.json(), (request, response) => {
  lost = request.body.creates;
  response.sendStatus(204);
});
app.post('/throttle', express.json(), (request, response) => {
  ({ requests: throttled, after } = request.body);
  response.sendStatus(204);
});
app.use('/scim/v2', (request, response, next) => {
  if (throttled > 0) {
    throttled -= 1;
    response.status(429).set('Retry-After', String(after)).end();
  } else if (lost > 0 && request.method === 'POST') {
    lost -= 1;
    response.end = () => request.socket.destroy();
    next();
  } else {
    next();
  }
});
app.use('/scim/v2', new SCIMMYRouters({
  type: 'bearer',
  handler: request => {
    if (request.header('Authorization') !== `Bearer ${SCIM_TOKEN}`) throw new Error('the token is wrong');
    return 'client';
  },
}));
app.listen(Number(PEER_PORT), '127.0.0.1');
