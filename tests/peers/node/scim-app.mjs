// An app whose SCIM server is npm scimmy, for tests: everything in memory. Its settings are in ../README.md.
import './node18.mjs';
import crypto from 'node:crypto';
import express from 'express';
import SCIMMY from 'scimmy';
import routers from 'scimmy-routers';

const { PEER_PORT, SCIM_TOKEN } = process.env;

// Resources of one kind, with what SCIMMY leaves to the app: finding, filtering, and names that are taken.
function keep(resource, unique) {
  const all = new Map();
  // Whose a name is: an app would have an index of them.
  const names = new Map();
  const name = (instance) => String(instance[unique]).toLowerCase();
  const taken = (instance, id) => names.has(name(instance)) && names.get(name(instance)) !== id;
  return SCIMMY.Resources.declare(resource, {
    egress: (request) => {
      if (request.id) {
        if (!all.has(request.id)) throw new SCIMMY.Types.Error(404, null, 'there is none');
        return all.get(request.id);
      }
      const everybody = [...all.values()];
      return request.filter ? request.filter.match(everybody) : everybody;
    },
    ingress: (request, instance) => {
      const sent = JSON.parse(JSON.stringify(instance));
      if (request.id && !all.has(request.id)) throw new SCIMMY.Types.Error(404, null, 'there is none');
      if (taken(sent, request.id)) throw new SCIMMY.Types.Error(409, 'uniqueness', `${unique} is taken`);
      const id = request.id ?? crypto.randomUUID();
      if (all.has(id)) names.delete(name(all.get(id)));
      names.set(name(sent), id);
      all.set(id, { ...sent, id });
      return all.get(id);
    },
    degress: (request) => {
      if (!all.has(request.id)) throw new SCIMMY.Types.Error(404, null, 'there is none');
      names.delete(name(all.get(request.id)));
      all.delete(request.id);
    },
  });
}

keep(SCIMMY.Resources.User, 'userName');
keep(SCIMMY.Resources.Group, 'displayName');

const app = express();
app.use('/scim', new routers({
  type: 'bearer',
  handler: (request) => {
    if (request.header('Authorization') !== `Bearer ${SCIM_TOKEN}`) throw new Error('another token is wanted');
    return 'bridge';
  },
}));
app.listen(Number(PEER_PORT), '127.0.0.1');
