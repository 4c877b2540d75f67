// What oidc-provider expects and Node 18, which Debian 12 has, lacks. Loaded by op.mjs before the library.
import crypto from 'node:crypto';
import { register } from 'node:module';

globalThis.crypto ??= crypto.webcrypto;
URL.parse ??= (text, base) => (URL.canParse(text, base) ? new URL(text, base) : null);

// The library's `import * as crypto` sees no function that is put on the module later, so it gets another module.
const cryptoWithHash = module(`
  import crypto from 'node:crypto';
  export * from 'node:crypto';
  export default crypto;
  export const hash = (algorithm, data, encoding) => {
    const digest = crypto.createHash(algorithm).update(data);
    return encoding === 'buffer' ? digest.digest() : digest.digest(encoding);
  };`);
const hooks = module(`
  export const resolve = (specifier, context, next) =>
    specifier === 'node:crypto' && context.parentURL?.includes('/oidc-provider/')
      ? { url: ${JSON.stringify(cryptoWithHash)}, shortCircuit: true }
      : next(specifier, context);`);
if (!crypto.hash) register(hooks);

function module(text) {
  return `data:text/javascript,${encodeURIComponent(text)}`;
}
